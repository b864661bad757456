"""From bytes to events: where a block is cut, and how the piece is split.

A record that is longer than the limit is cut, an unfinished one is sent after the flush time-out; what follows of either is an event of its
own. The field `__truncate_info__` says so: `cut` means that more follows because of the limit, `continued` that it goes on what was sent
before.
"""

import time
from dataclasses import dataclass

from tailrace.batch import EventBatch, Pattern, record_end
from tailrace.inputs.file.config import FileConfig

CONTENT = b"content"
TRUNCATE_INFO = b"__truncate_info__"
CUT = "cut"
CONTINUED = "continued"
CUT_AND_CONTINUED = "cut,continued"

BLOCK_SIZE = 1_048_576
WINDOW_SIZE = 65_536


@dataclass(frozen=True, slots=True)
class Piece:
    """The first `size` bytes of a block as one range."""

    size: int
    mark: str = ""
    """For `__truncate_info__`; a marked piece is one event."""
    unfinished: int = 0
    """When the record goes on behind it: what has to be known to go on; else 0."""


class Framing:
    """How one config forms records. `block_size` is how much one read takes: twice the longest record where that is small."""

    def __init__(self, config: FileConfig) -> None:
        self.limit = config.max_event_bytes
        self.block_size = max(self.limit, min(BLOCK_SIZE, 2 * self.limit))
        self.start = Pattern(config.multiline.start_pattern) if config.multiline.start_pattern else None
        self._discard_unmatched = config.multiline.unmatched_content_treatment == "discard"

    def boundary(self, window: bytes) -> int:
        """Where in a window from the middle of a file the last record begins; 0 when that does not show.

        Who reads up to there has whole records in one block, and saves copying them out of a larger one.
        """
        line = window.find(b"\n") + 1
        if self.start is None or not line:
            return window.rfind(b"\n") + 1
        end = record_end(window[line:], self.start)
        return line + end if end else 0

    def whole(self, block: bytes) -> Piece | None:
        """A block that ends at a boundary, as one piece; None when a line in it is too long."""
        if self.start is None and len(block) > self.limit and self._before_long_line(block, len(block)) < len(block):
            return None
        return Piece(len(block))

    def cut(self, block: bytes, *, continued: bool, at_line_start: bool, complete: bool) -> Piece | None:
        """How much of a block makes whole records; None when it must grow first. `complete`: nothing will follow, or not soon.

        `continued`: the block begins within a record whose beginning was sent; `at_line_start`: though at the beginning of a line.
        """
        if continued:
            rest = self._rest(block, at_line_start=at_line_start)
            if rest is None:
                return self._whole(block, CUT_AND_CONTINUED, CONTINUED, complete=complete)
            if rest > self.limit:
                return Piece(self.limit, CUT_AND_CONTINUED, unfinished=1)
            if rest:
                return Piece(rest, CONTINUED)
        end = self._end(block)
        return Piece(end) if end else self._whole(block, CUT, "", complete=complete)

    def _whole(self, block: bytes, cut: str, mark: str, *, complete: bool) -> Piece | None:
        """No record ends in the block."""
        if len(block) >= self.limit:
            return Piece(self.limit, cut, unfinished=1)
        return Piece(len(block), mark, unfinished=1) if complete else None

    def _end(self, block: bytes) -> int:
        """Whole records at the front of the block, in bytes, up to the first that is longer than the limit."""
        if self.start is None:
            end = record_end(block, None)
            return self._before_long_line(block, end) if end > self.limit else end
        end = record_end(block, self.start)
        if not end and not self.start.prefix_match(_first_line(block)):
            end = record_end(block, None)  # no record begins here: lines without one do not wait
        return end

    def _before_long_line(self, block: bytes, end: int) -> int:
        # A line longer than half of the block covers the byte at the limit; no other can be too long.
        begin, stop = block.rfind(b"\n", 0, self.limit) + 1, block.find(b"\n", self.limit, end)
        return begin if stop - begin > self.limit else end

    def _rest(self, block: bytes, *, at_line_start: bool) -> int | None:
        """Size of what still belongs to the record before the block; None when its end is not in it."""
        if self.start is None:
            return block.find(b"\n") + 1 or None
        position = 0 if at_line_start else block.find(b"\n") + 1
        if not at_line_start and not position:
            return None
        while position < len(block):
            end = block.find(b"\n", position)
            if self.start.prefix_match(block[position : end if end >= 0 else len(block)]):
                return position
            if end < 0:
                return None
            position = end + 1
        return None

    def split(self, block: bytes, *, offset: int, mark: str = "", now_ns: int | None = None) -> EventBatch:
        """The events of one piece."""
        now_ns = time.time_ns() if now_ns is None else now_ns
        if mark in (CONTINUED, CUT_AND_CONTINUED):
            batch = _one_event(block, now_ns)
        elif self.start is None:
            batch = EventBatch.split_lines(block, offset=offset, time_ns=now_ns)
        else:
            batch = EventBatch.split_records(block, self.start, offset=offset, time_ns=now_ns, discard_unmatched=self._discard_unmatched)
        if mark and len(batch):
            batch.add(TRUNCATE_INFO, mark.encode())
        return batch

    def long_record(self, batch: EventBatch, offset: int) -> int | None:
        """Where in a piece that began at `offset` a record of several lines is longer than the limit; None when none is."""
        lengths = batch.raw_lengths
        if not lengths or max(lengths) <= self.limit:
            return None
        return next(start - offset for start, length in zip(batch.raw_offsets, lengths, strict=True) if length > self.limit)


def _one_event(block: bytes, now_ns: int) -> EventBatch:
    """The rest of a record; none when it is but the end of the line."""
    value = block.removesuffix(b"\n").removesuffix(b"\r")
    return EventBatch.from_events([(now_ns, [(CONTENT, value)])] if value else [])


def _first_line(block: bytes) -> bytes:
    end = block.find(b"\n")
    return block if end < 0 else block[:end]
