"""`tailrace agent start`, `stop` and `restart`: the service of the agent that is installed on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING

from tailrace.cli.output import Exit, say
from tailrace.errors import StateError

if TYPE_CHECKING:
    from tailrace.agent.installation.layout import Layout

LAST_LINES = 5


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
    """`start` or `restart` it. StateError with what the agent said last when it does not run then."""
    try:
        return _done(layout, verb, "at work")
    except StateError as error:
        said = _last_lines(layout.logs / "supervisor.log")
        raise StateError(f"the agent does not start: {error.message}", hint=said or error.hint) from error


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


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "it said last: " + " / ".join(lines[-LAST_LINES:]) if lines else ""
