"""`tailrace agent install` and `uninstall`: the agent as a service of this machine."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tailrace import __version__
from tailrace.cli.agent.enroll import VARIABLE
from tailrace.cli.output import Exit, note, say
from tailrace.errors import ConfigError, StateError, UnreachableError, UsageError

if TYPE_CHECKING:
    from tailrace.agent.installation.layout import Layout

STDIN = "-"

Destdir = Annotated[
    Path | None, Parameter(help="Write everything below this directory, for a package: no user, no service, no start.", show_default=False)
]


def install(
    *,
    server: Annotated[str, Parameter(help="Join this server, `https://host:9481`.", show_default=False)] = "",
    token: Annotated[
        str,
        Parameter(
            help="Join token; `-` reads it from standard input; else TAILRACE_JOIN_TOKEN.", allow_leading_hyphen=True, show_default=False
        ),
    ] = "",
    root: Annotated[bool, Parameter(help="Run as root, not as the user `tailrace`.", negative="")] = False,
    prefix: Annotated[Path, Parameter(help="Where the program goes: PREFIX/lib/tailrace and PREFIX/bin.")] = Path("/usr/local"),
    destdir: Destdir = None,
    service: Annotated[
        Literal["auto", "systemd", "init", "both", "none"],
        Parameter(help="Which service is written; `auto` is what starts services here, with `--destdir` both."),
    ] = "auto",
    start: Annotated[bool, Parameter(help="Start it.", negative="--no-start")] = True,
) -> int:
    """Install the agent on this machine, and start it with the machine; as root. Again: repair, or upgrade to this release.

    tailrace agent install
    tailrace agent install --server https://logs.example.org:9481 --token -
    tailrace agent install --destdir build --prefix /usr

    The program goes to PREFIX/lib/tailrace, settings to /etc/tailrace, state to /var/lib/tailrace, the log to /var/log/tailrace. The agent
    runs as the user `tailrace`, with the one capability to read all files. `tailrace agent uninstall` takes it away again.
    """
    from tailrace.agent.installation.install import Installer, Services
    from tailrace.agent.installation.layout import ROOT_USER, USER, Layout
    from tailrace.agent.platform import systemd_is_first, users

    _hide_arguments(token)
    if not prefix.is_absolute():
        raise UsageError(f"`--prefix {prefix}` is not absolute", hint="begin it with `/`")
    administration = None if destdir else users()
    _must_be_root(administration is None or administration.is_root)
    layout = Layout(__version__, prefix, _written_below(destdir), ROOT_USER if root else USER)
    systemd = systemd_is_first()
    unit = service in ("systemd", "both") or (service == "auto" and (systemd or destdir is not None))
    init = service in ("init", "both") or (service == "auto" and (not systemd or destdir is not None))
    ran = administration is not None and _made_way(layout)
    with _running_again_if_it_fails(layout, ran=ran):
        Installer(layout, administration, Services(unit, init)).install()
    say(f"installed release {__version__} in {layout.program}, for the user {layout.user}")
    if administration is None:
        return Exit.FINE
    _tell_of_proxies(layout)
    if token or server or os.environ.get(VARIABLE):
        _join(layout, server, token)
    return _start(layout, start=start or ran) if unit or init else Exit.FINE


def uninstall(
    *,
    purge: Annotated[bool, Parameter(help="Remove settings, keys, positions, the log and the user, too.", negative="")] = False,
    destdir: Destdir = None,
) -> int:
    """Stop the agent and remove it from this machine; as root.

    What it was told (/etc/tailrace), where it stands and what it has not delivered yet (/var/lib/tailrace), its log and its user are kept,
    so that another installation goes on where this one ended. --purge removes them, also after an uninstallation without it.
    """
    from tailrace.agent.installation import manifest
    from tailrace.agent.installation.layout import SERVICE, Layout
    from tailrace.agent.installation.uninstall import uninstall as take_away
    from tailrace.agent.platform import service, users

    administration = None if destdir else users()
    _must_be_root(administration is None or administration.is_root)
    usual = Layout(__version__, destdir=_written_below(destdir))
    known = manifest.read(usual.at(usual.manifest))
    layout = known.layout(usual.destdir) if known else usual
    has_service = known is not None and administration is not None and any(Path(one).exists() for one in known.files if SERVICE in one)
    running = service(SERVICE, layout.init_script) if has_service else None
    if running:
        running.disable()
    removed, left = take_away(layout, administration, purge=purge)
    if running:
        running.forget()
    if not removed:
        raise StateError("no agent is installed here", hint="`tailrace agent install` does that")
    say(f"removed: {', '.join(removed)}")
    if left:
        say(f"kept: {', '.join(left)}")
        note(f"{_how_to_purge(layout)} removes that, too")
    return Exit.FINE


def _how_to_purge(layout: "Layout") -> str:
    """By a command that is still there."""
    here = Path(sys.argv[0])
    if not here.is_relative_to(layout.prefix) and here.exists():
        return f"`{here} agent uninstall --purge`"
    directories = f"`rm -r {layout.home} {layout.config} {layout.logs}`"
    return directories if layout.user == "root" else f"{directories}, then `userdel {layout.user}`,"


def _must_be_root(enough: bool) -> None:
    if not enough:
        raise UsageError(
            "only root can install or remove a service",
            hint="use `sudo`; without it `tailrace agent run --home DIR` runs an agent that needs no installation",
        )


def _written_below(destdir: Path | None) -> Path:
    return destdir.expanduser().absolute() if destdir else Path("/")


def _hide_arguments(token: str) -> None:
    """From `ps`: they may hold the token."""
    if token:
        from setproctitle import setproctitle

        setproctitle("tailrace agent install")


def _join(layout: "Layout", server: str, token: str) -> None:
    """By the program that was installed, which goes on as the agent's user: what it writes is that user's."""
    given = sys.stdin.readline() if token == STDIN else token or os.environ.get(VARIABLE, "")
    words = ["agent", "enroll", "--home", str(layout.home), "--token", STDIN, *(["--server", server] if server else [])]
    command = [str(layout.started / "bin" / "tailrace"), *words]
    done = subprocess.run(command, input=f"{given.strip()}\n", text=True, capture_output=True, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        error = UnreachableError if done.returncode == Exit.UNREACHABLE else StateError
        raise error(f"installed, but not joined: {done.stderr.strip().removeprefix('error: ')}")
    say(done.stdout.strip())


def _made_way(layout: "Layout") -> bool:
    """Stop an agent that runs as another user, whose files are to change hands; whether there was one."""
    from tailrace.agent.installation import manifest
    from tailrace.agent.installation.layout import SERVICE
    from tailrace.agent.platform import service

    before = manifest.read(layout.at(layout.manifest))
    if before is None or before.user == layout.user or not any(Path(one).exists() for one in before.files if SERVICE in one):
        return False
    running = service(SERVICE, layout.init_script)
    ran = running.is_running
    if ran:
        running.do("stop")
    return ran


def _tell_of_proxies(layout: "Layout") -> None:
    """A service does not have the environment of whoever installs it."""
    from tailrace.agent.settings import startup
    from tailrace.wire.proxy import Proxies

    try:
        own = startup.load(layout.config, environment={}).settings.proxies.shown()
    except ConfigError:
        return  # the mistake is told when the agent starts
    for scheme, proxy in Proxies.of_environment().shown().items():
        if own.get(scheme) != proxy:
            where = layout.config / "agent.yaml"
            note(f"this shell goes through the proxy {proxy}, the service does not: write `{scheme}_proxy` into {where} if it is to")


@contextmanager
def _running_again_if_it_fails(layout: "Layout", *, ran: bool) -> Generator[None]:
    """The agent that was stopped for an installation goes on when there is none."""
    from tailrace.agent.installation.layout import SERVICE
    from tailrace.agent.platform import service

    with ExitStack() as failed:
        if ran:
            failed.callback(lambda: service(SERVICE, layout.init_script).do("start"))
        yield
        failed.pop_all()


def _is_joined(layout: "Layout") -> bool:
    """To a server, which may give it pipelines."""
    from tailrace.agent.identity import identity

    return bool(identity.load(layout.config / "secret" / "agent.json").servers)


def _start(layout: "Layout", *, start: bool) -> int:
    from tailrace.agent.installation.layout import SERVICE
    from tailrace.agent.platform import service
    from tailrace.cli.agent.service import started

    running = service(SERVICE, layout.init_script)
    running.enable()
    if not start:
        return Exit.FINE
    if not any(path.is_file() for path in (layout.config / "pipelines").iterdir()) and not _is_joined(layout):
        where = layout.config / "pipelines"
        note(f"it is not started yet: put a pipeline into {where} or `tailrace agent enroll`, then `tailrace agent start`")
        return Exit.FINE
    return started(layout, "restart" if running.is_running else "start")
