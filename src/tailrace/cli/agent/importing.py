"""`tailrace agent import`: history on purpose, once, by the agent that runs, or here when none does."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME, become_owner
from tailrace.cli.output import Exit, note
from tailrace.cli.period import moment
from tailrace.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from tailrace.agent.worker import Worker

LOOK_SECS: Final = 0.5
SAY_SECS: Final = 5.0

Row = Mapping[str, Any]


def import_(
    *paths: Annotated[str, Parameter(help="Files, directories or quoted patterns; plain, .gz or .zst.")],
    home: Annotated[Path, Parameter(help="Home of the agent.")] = AGENT_HOME,
    pipeline: Annotated[str, Parameter(help="Whose processors and flushers are used; by default the one that names the files.")] = "",
    since: Annotated[str, Parameter(help="Only events from then on: `2026-11-01 12:00`, or `3d` for the last three days.")] = "",
    again: Annotated[bool, Parameter(help="Also files that this pipeline has collected already.", negative="")] = False,
    detach: Annotated[bool, Parameter(help="Hand it over and return at once.", negative="")] = False,
) -> int:
    """Read files from their beginning, once, whatever the age of their events.

    tailrace agent import /var/log/nginx/access.log.*.gz
    tailrace agent import /backup/logs --pipeline nginx --since 30d
    tailrace agent status imports

    The agent that runs on this home does it and goes on with it after a restart; without one it is done here.
    Ctrl-C leaves the agent at it.
    """
    if not paths:
        raise UsageError("nothing to import is named", hint="`tailrace agent import PATH…`")
    home = home.expanduser().absolute()
    named = [os.path.abspath(Path(path).expanduser()) for path in paths]  # noqa: PTH100  # a pattern may stand there: nothing is resolved
    asked = {"paths": named, "pipeline": pipeline, "since": moment(since, time.time(), "--since") if since else 0, "again": again}
    try:
        begun = _ask(home, {"ask": "import", **asked})[0]
    except UnreachableError:
        return _here(home, asked)
    _say_begun(begun)
    return Exit.FINE if detach else _follow(home, str(begun["name"]))


def _ask(home: Path, question: Mapping[str, Any]) -> list[dict[str, Any]]:
    from tailrace.agent.control.socket import ask

    return ask(home / "run", question, timeout=120.0)


def _follow(home: Path, name: str) -> int:
    said_at = 0.0
    while True:
        row = next((row for row in _ask(home, {"ask": "imports"}) if row["name"] == name), None)
        if row is None or row["state"] != "running":
            return _say_end(row)
        if time.monotonic() - said_at > SAY_SECS:
            said_at = time.monotonic()
            _say_progress(row)
        time.sleep(LOOK_SECS)


def _here(home: Path, asked: Mapping[str, Any]) -> int:
    """No agent runs: a worker of our own does the import, and nothing else, and ends."""
    from tailrace import telemetry
    from tailrace.agent.jobs.onetime import First
    from tailrace.agent.worker import Worker
    from tailrace.pipeline.loading import load_directory

    become_owner(home)
    telemetry.setup("agent", level="warning", directory=home / "logs")
    note("no agent runs on this home: the import is done here")
    begun: list[Row] = []
    first = First(asked, lambda row: (_say_begun(row), begun.append(row)))
    own = home / "pipelines"
    worker = Worker(home, load_directory(own) if own.is_dir() else [], finite=True, first=first)
    over = threading.Event()
    watching = threading.Thread(target=_watch, args=(worker, over), daemon=True)
    watching.start()
    try:
        code = worker.run()
    finally:
        over.set()
        watching.join()
    ended = next((row for row in worker.imports() if begun and row["name"] == begun[0]["name"]), None)
    return code or _say_end(ended)


def _watch(worker: "Worker", over: threading.Event) -> None:
    while not over.wait(SAY_SECS):
        for row in worker.imports():
            if row["state"] == "running":
                _say_progress(row)


def _say_begun(row: Row) -> None:
    from tailrace.pipeline.explain import counted

    note(f"import `{row['name']}` of {counted(row['files'], 'file')} begins, by the pipeline `{row['pipeline']}`")
    if left_out := len(row["skipped"]):
        were = "was collected already and is" if left_out == 1 else "were collected already and are"
        note(f"{counted(left_out, 'file')} {were} left out; `--again` imports {'it' if left_out == 1 else 'them'}, too")


def _say_progress(row: Row) -> None:
    from tailrace.pipeline.explain import counted

    note(f"{row['progress']}: {row['done']} of {counted(row['files'], 'file')}, {row['bytes_done']:,} of {row['bytes']:,} bytes")


def _say_end(row: Row | None) -> int:
    from tailrace.pipeline.explain import counted

    if row is None:
        note("the agent does not know this import any more")
        return Exit.FAILED
    took = max(0.0, row["finished_at"] - row["created_at"])
    note(f"import {row['state']}: {row['done']} of {counted(row['files'], 'file')}, {row['bytes_done']:,} bytes in {took:.1f} s")
    if row["missed"]:
        note(f"{counted(row['missed'], 'file')} could not be read to the end; the last: {row['last_error']}")
    return Exit.PARTIAL if row["missed"] or row["state"] != "done" else Exit.FINE
