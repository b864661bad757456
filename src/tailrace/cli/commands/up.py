"""`tailrace up`: server and agent on this machine, with a first run that sets everything up and collects the machine's logs."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

from cyclopts import App, Parameter

from tailrace.cli import output
from tailrace.cli.home import DEFAULT, Home, open_home
from tailrace.cli.up.collection import as_pattern, check, own_pipelines, pipeline, write_pipeline
from tailrace.cli.up.first_run import LOGSTORE, PROJECT, set_up
from tailrace.cli.up.importing import Import
from tailrace.cli.up.installation import Installation
from tailrace.cli.up.screen import screen
from tailrace.cli.up.survey import survey

app = App(name="up", help="Start everything on this machine and collect its logs.")

PORT: Final = 9480
WATCH_EVERY_SECS: Final = 0.25


@app.default
def up(
    *,
    home: Annotated[Path, Parameter(help="Directory that holds everything; made at the first run.")] = DEFAULT,
    collect: Annotated[
        tuple[str, ...],
        Parameter(help="File, directory or glob to collect too; may be given several times.", negative="", show_default=False),
    ] = (),
    port: Annotated[
        int | None, Parameter(help="Port of the API; 0 takes a free one. A home keeps its port until another one is named.")
    ] = None,
    machine_logs: Annotated[bool | None, Parameter(help="Collect /var/log/**/*.log. A home remembers the choice.")] = None,
) -> None:
    """Start server and agent, import what stands in the logs, follow them, until Ctrl-C.

    The first run makes the home, a key, a project, a logstore and a pipeline; later runs go on where the last one stopped.
    """
    opened = open_home(home)
    _remember(opened, collect, machine_logs)
    check(opened)
    with _stopped_by_signal() as stop:
        installation = Installation(opened, stop, output.note)
        try:
            _run(opened, installation, stop, port)
        finally:
            installation.stop()
    output.note("stopped; nothing is lost")


def _run(home: Home, installation: Installation, stop: threading.Event, port: int | None) -> None:
    output.note(f"starting in `{home.directory}`" + (", which is new" if home.fresh else ""))
    installation.start_server(_port(home, port))
    if stop.is_set():
        return
    key_id = set_up(home, installation.endpoint)
    home.save()
    write_pipeline(home, pipeline(home, installation.endpoint, PROJECT, LOGSTORE))
    found = survey(home)
    importing = Import(home, found, output.note)
    installation.start_agent()
    output.say(screen(home, found, own_pipelines(home), endpoint=installation.endpoint, key_id=key_id, project=PROJECT, logstore=LOGSTORE))
    while not stop.wait(WATCH_EVERY_SECS):
        installation.watch()
        importing.watch(installation.agent_pid)


def _port(home: Home, wanted: int | None) -> int:
    """A home keeps its port until another one is named."""
    if wanted is None:
        return home.port or PORT
    return wanted or home.port


def _remember(home: Home, collect: tuple[str, ...], machine_logs: bool | None) -> None:
    """What is named now is collected from now on, by later runs too."""
    for pattern in map(as_pattern, collect):
        if pattern not in home.collect:
            home.collect.append(pattern)
    if machine_logs is not None:
        home.machine_logs = machine_logs


@contextmanager
def _stopped_by_signal() -> Generator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, instead of ending the process in the middle of something."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
