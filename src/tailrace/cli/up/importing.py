"""How far the import of what stood in the files at the start has come, as the agent says (`run/agent.json`)."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tailrace.cli.home import Home, read_json
from tailrace.cli.up.collection import PIPELINE_FILE
from tailrace.cli.up.screen import files, size
from tailrace.cli.up.survey import Survey

LOOK_EVERY_SECS: Final = 0.5
SAY_EVERY_SECS: Final = 3.0
STANDSTILL_SECS: Final = 30.0
LAST_LINE_BYTES: Final = 65_536
PIPELINE: Final = Path(PIPELINE_FILE).stem


class Import:
    """Says how the import goes until it is done, then nothing more. To be made before the agent starts, which locks its checkpoint."""

    def __init__(self, home: Home, found: Survey, report: Callable[[str], None]) -> None:
        self._status = home.run / "agent.json"
        self._log = home.logs / "agent.log"
        self._report = report
        ends = dict(end for path in found.sizes if (end := _end_of_file(Path(path))) is not None)
        before = _read_before(home.directory / "agent" / "checkpoint.db")
        missing = [end - before.get(key, 0) for key, end in ends.items() if before.get(key, 0) < end]
        self._files, self._wanted = len(missing), sum(missing)
        self._done = 0
        self._started = self._looked = self._said = self._moved = time.monotonic()
        self.finished = not ends

    def watch(self, pid: int | None) -> None:
        """To be called often, with the process id of the agent's supervisor: what an earlier agent said does not count."""
        now = time.monotonic()
        if self.finished or now - self._looked < LOOK_EVERY_SECS:
            return
        self._looked = now
        status = read_json(self._status)
        if status.get("started_by") != pid:
            return
        done, queued = int(status["read_bytes"].get(PIPELINE, 0)), int(status["queued_bytes"])
        if done != self._done:
            self._done, self._moved = done, now
        if done >= self._wanted and not queued:
            self._finish(self._words(now))
        elif now - self._moved >= STANDSTILL_SECS:
            self._finish(f"the import stands still at {self._share()}; `{self._log}` says why. New lines are collected all the same")
        elif now - self._said >= SAY_EVERY_SECS:
            self._said = now
            self._report(f"importing: {self._share()}")

    def _share(self) -> str:
        return f"{size(min(self._done, self._wanted))} of {size(self._wanted)}"

    def _words(self, now: float) -> str:
        if not self._wanted:
            return "everything was imported before; new lines are collected as they come"
        return f"imported {files(self._files)}, {size(self._wanted)} in {now - self._started:.1f} s; new lines are collected as they come"

    def _finish(self, words: str) -> None:
        self.finished = True
        self._report(words)


def _read_before(checkpoint: Path) -> dict[str, int]:
    """`device:inode` → bytes that earlier runs have read, of every file that the checkpoint knows."""
    if not checkpoint.exists():
        return {}
    connection = sqlite3.connect(f"file:{checkpoint}?mode=ro", uri=True, timeout=1.0)
    try:
        rows = connection.execute("SELECT key, CASE next WHEN '' THEN committed ELSE next END FROM streams").fetchall()
    except sqlite3.DatabaseError:
        return {}  # damaged, or an agent of its own has it: the agent will say so
    finally:
        connection.close()
    ends: dict[str, int] = {}
    for key, position in rows:
        file = ":".join(str(key).split(":")[:2])
        ends[file] = max(ends.get(file, 0), _offset(position))
    return ends


def _offset(position: object) -> int:
    """0 for a damaged one: the agent will say so."""
    try:
        offset = json.loads(str(position))["offset"]
    except (ValueError, KeyError, TypeError):
        return 0
    return offset if isinstance(offset, int) else 0


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
