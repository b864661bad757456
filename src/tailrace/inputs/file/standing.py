"""The first-read rule: only what is written after a config reached the agent is collected (DESIGN §4.4).

A file that stood there before is noted with its size and opened when it first changes: at its last `TailSizeKB`, at a line start. Nothing
that was written after the note is ever left out. Notes are streams without ranges; a mark per path pattern says that its files were noted.
"""

import hashlib
import os
import time
from collections.abc import Iterable

from tailrace.inputs.file.config import KIB, FileConfig
from tailrace.inputs.file.generation import LAYOUT
from tailrace.inputs.file.walk import Look
from tailrace.pipeline.contract import Position, StreamState

MARK_PREFIX = "scanned:"
SEARCH_SIZE = 65_536


def noted(status: Look, path: str) -> Position:
    """The position of a file that stood there."""
    return {"v": LAYOUT, "standing": [status.st_size, status.st_mtime_ns], "path": path}


def is_noted(position: Position) -> bool:
    return "standing" in position


def changed(position: Position, status: Look) -> bool:
    """Whether a noted file has changed since."""
    return list(position["standing"]) != [status.st_size, status.st_mtime_ns]


def first_offset(descriptor: int, position: Position, tail_bytes: int, limit: int) -> int:
    """Where reading of a noted file begins now that it has changed. `limit` is the longest record, in bytes."""
    stood = int(position["standing"][0])
    size = os.fstat(descriptor).st_size
    if size < stood:
        return 0  # written anew
    wanted = min(max(0, size - tail_bytes), stood)
    if not wanted:
        return 0
    return _line_start_from(descriptor, wanted, stood) or _line_start_before(descriptor, wanted, limit)


def _line_start_from(descriptor: int, wanted: int, stop: int) -> int:
    """The first line start in [wanted, stop]; 0 when there is none."""
    position = wanted - 1
    while position < stop:
        block = os.pread(descriptor, min(SEARCH_SIZE, stop - position), position)
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        if not block:
            break
        position += len(block)
    return 0


def _line_start_before(descriptor: int, wanted: int, limit: int) -> int:
    """The start of the line that `wanted` lies in, at most `limit` bytes back."""
    position = wanted
    lowest = max(0, wanted - limit)
    while position > lowest:
        begin = max(lowest, position - SEARCH_SIZE)
        found = os.pread(descriptor, position - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        position = begin
    return lowest


class Marks:
    """Which path patterns have been scanned before, under which rules: files that turn up under them later are new."""

    def __init__(self, config: FileConfig, states: Iterable[StreamState]) -> None:
        known = {state.key for state in states if state.key.startswith(MARK_PREFIX)}
        self._keys = {text: _mark_key(text, config) for text in config.file_paths}
        self._new = {text for text, key in self._keys.items() if key not in known}

    def is_new(self, pattern: str) -> bool:
        """Whether this config is the first to name this pattern, so that what it finds has stood there."""
        return pattern in self._new

    def settle(self) -> list[tuple[str, Position, bool]]:
        """Once all standing files are noted: key, position and newness of each mark. From then on no pattern is new."""
        position: Position = {"v": LAYOUT, "since": int(time.time())}
        marks = [(key, position, text in self._new) for text, key in self._keys.items()]
        self._new.clear()
        return marks


def _mark_key(text: str, config: FileConfig) -> str:
    rules = [text, str(config.max_dir_search_depth), *config.exclude_dirs, *config.exclude_files, *config.exclude_file_paths]
    return MARK_PREFIX + hashlib.sha256("\0".join(rules).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def tail_bytes(config: FileConfig) -> int:
    return config.tail_size_kb * KIB
