"""What each kind of command does on this machine (`wire.commands`)."""

import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tailrace import telemetry
from tailrace.agent.control.commands import AtWork, Done
from tailrace.agent.control.ledger import Taken
from tailrace.agent.jobs.jobs import Jobs
from tailrace.agent.jobs.onetime import Runs
from tailrace.errors import StateError
from tailrace.pipeline.platform import Platform
from tailrace.wire.commands import Sample

if TYPE_CHECKING:
    from tailrace.agent.jobs.importing import Request

WINDOW_BYTES: Final = 262_144
"""As JSON it takes six times as much at the worst, which still fits into a result."""


class Restarting:
    """`restart` stops the worker in good order; None where nobody starts it again. A worker that ends before it `is_at_work` looks like one
    that crashed."""

    def __init__(self, restart: Callable[[], None] | None, is_at_work: Callable[[], bool] = lambda: True) -> None:
        self._restart = restart
        self._is_at_work = is_at_work

    def begin(self, _at: AtWork) -> Done | None:
        if self._restart is None:
            raise StateError("this agent runs without a supervisor, which would start it again")
        if not self._is_at_work():
            return Done("the worker has just started")
        self._restart()
        return None

    def follow(self, at: AtWork) -> Done | None:
        return None if at.here else Done("the worker was started anew")


class LogLevels:
    """The last command holds; after its time the level is what settings and flags say by then."""

    def __init__(self) -> None:
        self._holds = ""
        """Id of the command that holds."""

    def begin(self, at: AtWork) -> Done | None:
        telemetry.override_level(at.detail.level)
        self._holds = at.command.id

    def follow(self, at: AtWork) -> Done | None:
        command, detail = at.command, at.detail
        if self._holds and self._holds != command.id:
            return Done("another command has changed the level since")
        if time.time() < command.began_at + detail.secs:
            if not self._holds:
                self.begin(at)
            return None
        if self._holds:
            telemetry.override_level("")
            self._holds = ""
        return Done(f"logged from level {detail.level} on for {detail.secs} s")


class Sampling:
    """Lines of a file that the agent's own policy lets it read."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def begin(self, at: AtWork) -> Done | None:
        detail: Sample = at.detail
        descriptor = self._platform.open_file(detail.path)
        try:
            size = os.fstat(descriptor).st_size
            start = max(0, size - WINDOW_BYTES) if detail.of == "end" else 0
            window = os.pread(descriptor, WINDOW_BYTES, start)
        finally:
            os.close(descriptor)
        lines = _lines(window, whole=start == 0, ends=start + len(window) >= size, detail=detail)
        shown = [line.decode("utf-8", "backslashreplace") for line in lines]
        result = {"path": detail.path, "size": size, "of": detail.of, "lines": shown}
        return Done(f"{len(shown)} lines of {size:,} bytes", json.dumps(result, ensure_ascii=False).encode("utf-8", "replace"))

    def follow(self, _at: AtWork) -> Done | None:
        raise _interrupted()


def _lines(window: bytes, *, whole: bool, ends: bool, detail: Sample) -> list[bytes]:
    """`whole`: the window begins where a line does; `ends`: behind it there is nothing. A line that does not fit into it is cut."""
    lines = window.split(b"\n")
    if detail.of == "end":
        if not whole and len(lines) > 1:
            del lines[0]
        return lines[:-1][-detail.lines :] if not lines[-1] else lines[-detail.lines :]
    if (not ends or not lines[-1]) and len(lines) > 1:
        del lines[-1]
    return lines[: detail.lines]


class Diagnosing:
    """`bundle` makes the file."""

    def __init__(self, bundle: Callable[[], bytes]) -> None:
        self._bundle = bundle

    def begin(self, _at: AtWork) -> Done | None:
        data = self._bundle()
        return Done(f"{len(data):,} bytes", data)

    def follow(self, _at: AtWork) -> Done | None:
        raise _interrupted()


class Importing:
    """The run is named after the command: an agent that was killed while it took it on takes it on once. `runs`: of the session, if any."""

    def __init__(self, jobs: Jobs, runs: Callable[[], Runs | None]) -> None:
        self._jobs = jobs
        self._runs = runs

    def begin(self, at: AtWork) -> Done | None:
        return self.follow(at)

    def follow(self, at: AtWork) -> Done | None:
        from tailrace.agent.jobs.importing import Request  # noqa: PLC0415 - most agents never import

        command, detail = at.command, at.detail

        job = self._jobs.all.get(f"command-{command.id}")
        if job is None:
            runs = self._runs()
            if runs is not None and runs.is_ready:
                request = Request(detail.paths, f"{command.project}@{detail.config}", detail.since, f"command-{command.id}", is_ours=False)
                self._take_on(runs, request, command, again=detail.again)
            return None
        row: dict[str, Any] = job.row()
        if job.state == "running":
            return None
        told = f"{row['done']} of {row['files']} files, {row['bytes_done']:,} bytes"
        if job.state != "done":
            raise StateError(f"the import ended: {job.state}; {told}{'; ' if row['last_error'] else ''}{row['last_error']}")
        return Done(f"{told}, {row['missed']} could not be read to their end" if row["missed"] else told)

    def _take_on(self, runs: Runs, request: "Request", command: Taken, *, again: bool) -> None:
        try:
            runs.begin(request, again=again)
        except StateError:  # the session ends, or the disk is full: another look tries again
            if command.begin_before <= time.time():
                raise


def _interrupted() -> StateError:
    return StateError("the agent was started anew in the middle of it, and does not do it twice")
