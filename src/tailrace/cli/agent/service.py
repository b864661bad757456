"""`tailrace agent start`, `stop` and `restart`: the service of the agent that is installed on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.cli.output import Exit, say
from tailrace.errors import StateError

if TYPE_CHECKING:
    from tailrace.agent.installation.layout import Layout

LAST_LINES = 5
REFUSED = "the worker cannot run: "
"""What the supervisor says before a worker's own words."""


def start() -> int:
    """Start the installed agent; returns when it is at work. As root."""
    return started(_installed(), "start")


def stop() -> int:
    """Stop the installed agent; returns when it has ended. What it has read and not sent yet is kept. As root."""
    return _done(_installed(), "stop", "stopped")


def restart() -> int:
    """Stop the installed agent and start it again, for instance after a change of its settings. As root."""
    return started(_installed(), "restart")


def started(layout: "Layout", verb: str) -> int:
    """`start` or `restart` it. StateError with what the agent said about that when it does not run then; ConfigErrors of its settings."""
    log = layout.logs / "supervisor.log"
    before = log.stat().st_size if log.exists() else 0
    try:
        return _done(layout, verb, "at work")
    except StateError as error:
        _must_have_good_settings(layout)
        said = _said_since(before, log)
        why = next((text.removeprefix(REFUSED) for text in reversed(said) if text.startswith(REFUSED)), error.message)
        hint = f"it said last: {' / '.join(said[-LAST_LINES:])}" if said and why == error.message else f"`{log}` may say more"
        raise StateError(f"the agent does not start: {why}", hint=hint) from error


def _done(layout: "Layout", verb: str, state: str) -> int:
    from tailrace.agent.installation.layout import SERVICE
    from tailrace.agent.platform import service

    service(SERVICE, layout.init_script).do(verb)
    say(f"the agent is {state}")
    return Exit.FINE


def _installed() -> "Layout":
    from tailrace.agent.installation import manifest
    from tailrace.agent.installation.layout import Layout

    usual = Layout("")
    known = manifest.read(usual.manifest)
    if known is None or not known.layout(usual.destdir).started.exists():
        raise StateError(
            "no agent is installed on this machine", hint="`tailrace agent install` does that, as root; `tailrace agent run` needs none"
        )
    return known.layout(usual.destdir)


def _must_have_good_settings(layout: "Layout") -> None:
    """An agent that reads mistakes there ends before it has a log."""
    from tailrace.agent.settings import startup

    startup.load(layout.home, environment={})


def _said_since(before: int, log: Path) -> list[str]:
    """Without their times and levels. All of it where the log was renewed meanwhile."""
    try:
        data = log.read_bytes()
    except OSError:
        return []
    lines = data[before if before <= len(data) else 0 :].decode("utf-8", "replace").splitlines()
    return [line.split(" ", 2)[-1] for line in lines]
