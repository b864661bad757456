"""The first-read rule: only what is written after a config reached the agent is collected (DESIGN §4.4).

A file that stood there before is noted with its size and opened when it first changes: at its last `TailSizeKB`, at a line start. Nothing
that was written after the note (`notes`) is ever left out. A mark per path pattern says that its files were noted.
"""

import hashlib
import os
import time
from collections.abc import Iterable

from tailrace.inputs.file.config import KIB, FileConfig
from tailrace.inputs.file.encoding import UNIT, LineEnds, line_ends
from tailrace.inputs.file.generation import LAYOUT
from tailrace.pipeline.contract import InputContext, Position, StreamState

MARK_PREFIX = "scanned:"
SEARCH_SIZE = 65_536
SAVE_NS = 30 * 1_000_000_000
"""More often than this the moment of the last scan is not written: it may be too early by so much."""


def first_offset(descriptor: int, stood: int, tail_bytes: int, limit: int, encoding: str) -> int:
    """Where reading of a file begins that had `stood` bytes when it was noted. `limit` is the longest record, in bytes."""
    size = os.fstat(descriptor).st_size
    if size < stood:
        return 0  # written anew
    wanted = min(max(0, size - tail_bytes), stood)
    wanted -= wanted % UNIT[encoding]
    if not wanted:
        return 0
    ends = line_ends(encoding, os.pread(descriptor, 2, 0))
    return _line_start_from(descriptor, wanted, stood, ends, UNIT[encoding]) or _line_start_before(descriptor, wanted, limit, ends)


def _line_start_from(descriptor: int, wanted: int, stop: int, ends: LineEnds, unit: int) -> int:
    """The first line start in [wanted, stop]; 0 when there is none."""
    position = wanted - unit
    while position < stop:
        block = os.pread(descriptor, min(SEARCH_SIZE, stop - position), position)
        if found := ends(block):
            return position + found[0]
        if not block:
            break
        position += len(block)
    return 0


def _line_start_before(descriptor: int, wanted: int, limit: int, ends: LineEnds) -> int:
    """The start of the line that `wanted` lies in, at most `limit` bytes back."""
    position = wanted
    lowest = max(0, wanted - limit)
    while position > lowest:
        begin = max(lowest, position - SEARCH_SIZE)
        if found := ends(os.pread(descriptor, position - begin, begin)):
            return begin + found[-1]
        position = begin
    return lowest


class Marks:
    """Which path patterns have been scanned before, under which rules: files that turn up under them later are new."""

    def __init__(self, config: FileConfig, states: Iterable[StreamState]) -> None:
        known = {state.key: state.next for state in states if state.key.startswith(MARK_PREFIX)}
        self._keys = {text: mark_key(text, config) for text in config.file_paths}
        self._new = {text for text, key in self._keys.items() if key not in known}
        self._positions: dict[str, Position] = {key: known.get(key, {}) for key in self._keys.values()}
        self._streams: dict[str, str] = {}
        """Ids of the marks' streams by key; another lane of the same target may keep a mark."""
        self._saved_at = 0
        self.scanned_at = min((int(position.get("scanned_at", 0)) for position in self._positions.values() if position), default=0)
        """When the last completed scan of a former process began (wall clock, ns); 0 when that is not known."""

    def is_new(self, pattern: str) -> bool:
        """Whether this config is the first to name this pattern, so that what it finds has stood there."""
        return pattern in self._new

    def name(self, pattern: str) -> str:
        """Of the mark of a pattern; of the first one's when there is no such pattern."""
        return self._keys.get(pattern, next(iter(self._keys.values()))).removeprefix(MARK_PREFIX)

    def settle(self, context: InputContext) -> None:
        """All standing files are noted: from now on, and durably, no pattern is new."""
        since: Position = {"v": LAYOUT, "since": int(time.time())}
        for key, position in self._positions.items():
            if stream := context.open_stream(key, position or since):
                self._streams[key] = stream
            self._positions[key] = position or since
        self._new.clear()

    def scanned(self, context: InputContext, began_at: int) -> None:
        """A scan that began then (wall clock, ns) is complete: what it has not found came later. Kept durably, now and then: a new file's
        events are discarded by their age at that moment, also after a restart."""
        if began_at - self._saved_at < SAVE_NS:
            return
        self._saved_at = began_at
        for key, stream in self._streams.items():
            self._positions[key] = {**self._positions[key], "scanned_at": began_at}
            context.remember(stream, self._positions[key])


def mark_key(text: str, config: FileConfig) -> str:
    """Key of the stream that says: the files that this pattern finds have been noted."""
    rules = [text, str(config.max_dir_search_depth), *config.exclude_dirs, *config.exclude_files, *config.exclude_file_paths]
    return MARK_PREFIX + hashlib.sha256("\0".join(rules).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def tail_bytes(config: FileConfig) -> int:
    return config.tail_size_kb * KIB
