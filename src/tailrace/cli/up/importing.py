"""How far the import of what stood in the files at the start has come, as the agent's checkpoint says."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tailrace.cli.home import Home
from tailrace.cli.up.collection import Survey
from tailrace.cli.up.screen import files, size

LOOK_EVERY_SECS: Final = 0.5
SAY_EVERY_SECS: Final = 3.0
STANDSTILL_SECS: Final = 30.0
LAST_LINE_BYTES: Final = 65_536


class Import:
    """Says how the import goes until it is done, then nothing more."""

    def __init__(self, home: Home, found: Survey, report: Callable[[str], None]) -> None:
        self._checkpoint = home.directory / "agent" / "checkpoint.db"
        self._logs = home.logs / "agent.log"
        self._report = report
        self._ends = dict(end for path in found.sizes if (end := _end_of_file(Path(path))) is not None)
        self._started = self._looked = self._said = self._moved = time.monotonic()
        before = self._acknowledged()
        self._wanted = sum(max(0, end - before.get(key, 0)) for key, end in self._ends.items())
        self._done = 0
        self.finished = not self._ends

    def watch(self) -> None:
        """To be called often."""
        now = time.monotonic()
        if self.finished or now - self._looked < LOOK_EVERY_SECS:
            return
        self._looked = now
        done = self._acknowledged()
        missing = {key: end - done.get(key, 0) for key, end in self._ends.items() if done.get(key, 0) < end}
        came = self._wanted - sum(missing.values())
        if came != self._done:
            self._done, self._moved = came, now
        if not missing:
            self._finish(self._words(now))
        elif now - self._moved >= STANDSTILL_SECS:
            self._finish(
                f"the import stands still with {files(len(missing))} to go; `{self._logs}` says why. New lines are collected all the same"
            )
        elif now - self._said >= SAY_EVERY_SECS:
            self._said = now
            self._report(f"importing: {size(came)} of {size(self._wanted)}, {files(len(missing))} to go")

    def _words(self, now: float) -> str:
        if not self._wanted:
            return "everything was imported before; new lines are collected as they come"
        return (
            f"imported {files(len(self._ends))}, {size(self._wanted)} in {now - self._started:.1f} s; new lines are collected as they come"
        )

    def _finish(self, words: str) -> None:
        self.finished = True
        self._report(words)

    def _acknowledged(self) -> dict[str, int]:
        """`device:inode` → bytes that the server has acknowledged, of every file that the agent knows."""
        if not self._checkpoint.exists():
            return {}
        connection = sqlite3.connect(f"file:{self._checkpoint}?mode=ro", uri=True, timeout=1.0)
        try:
            rows = connection.execute("SELECT key, committed FROM streams").fetchall()
        except sqlite3.OperationalError:
            return {}  # the agent is just making it, or holds it for a moment
        finally:
            connection.close()
        ends: dict[str, int] = {}
        for key, committed in rows:
            file = ":".join(str(key).split(":")[:2])
            ends[file] = max(ends.get(file, 0), int(json.loads(committed).get("offset", 0)))
        return ends


def _end_of_file(path: Path) -> tuple[str, int] | None:
    """(`device:inode`, end of the last whole line): an unfinished last line is sent only after a while, and nobody shall wait for it."""
    try:
        with path.open("rb") as file:
            status = path.stat()
            file.seek(max(0, status.st_size - LAST_LINE_BYTES))
            start = file.tell()
            newline = file.read(LAST_LINE_BYTES).rfind(b"\n")
    except OSError:
        return None  # gone since
    return f"{status.st_dev:x}:{status.st_ino:x}", start + newline + 1
