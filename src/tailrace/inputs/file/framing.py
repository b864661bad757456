"""From bytes to events: where a block is cut, and how the piece is split.

A record that is longer than the limit is cut, an unfinished one is sent after the flush time-out; what follows of either is an event of its
own. The field `__truncate_info__` says so: `cut` means that more follows because of the limit, `continued` that it goes on what was sent
before.
"""

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from tailrace.batch import EventBatch, Pattern, RecordRule, record_end
from tailrace.inputs.file.config import FileConfig, Multiline
from tailrace.inputs.file.encoding import UNIT, Encoding, Gbk, Invalid, Text, Utf8, Utf16, whole_utf8

CONTENT = b"content"
TRUNCATE_INFO = b"__truncate_info__"
CUT = "cut"
CONTINUED = "continued"
CUT_AND_CONTINUED = "cut,continued"
UNMATCHED = "unmatched"
"""The piece holds lines that what follows them shows to be no record. For ourselves, not for `__truncate_info__`."""
TRUNCATIONS = (CUT, CONTINUED, CUT_AND_CONTINUED)

NO_LINE = r"\n"
"""A pattern that no line matches, since its end is no part of it: a record that this ends never ends within its file."""

BLOCK_SIZE = 2_097_152
"""Half as much costs a tenth more CPU, in hand-overs between threads and requests; a log group of 4096 events holds about as much."""
WINDOW_SIZE = 65_536
MOST_TEXT = 3
"""One byte of another encoding becomes at most so many of text."""

UNFINISHED_LINE = 1
"""What has to be known of a line that goes on, where every line is a record."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The first `size` bytes of a block as one range."""

    size: int
    mark: str = ""
    """For `__truncate_info__`: the piece is one event. Or UNMATCHED."""
    unfinished: int = 0
    """When the record goes on behind it: what has to be known to go on; else 0."""
    is_all: bool = False
    """No other piece can be cut from the block before more of the file is there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its file a block stands."""

    offset: int = 0
    state: int = 0
    """0, or `Piece.unfinished` of the piece before."""
    before: bytes = b""
    """Some of the bytes before the block."""
    big_endian: bool = False
    """The byte order of UTF-16."""


class Records(NamedTuple):
    """What a piece holds."""

    batch: EventBatch
    nuls: int
    """Bytes of NULs at line beginnings, which are no part of the events."""
    has_invalid_bytes: bool = False
    """Some were no characters of the encoding. Of UTF-8 that is kept as it is nobody looks."""


class Framing:
    """How one config forms records.

    `block_size` is how much one read takes. A block of `most` bytes always decides where its first record ends, however long it is.
    """

    def __init__(self, config: FileConfig) -> None:
        self.limit = config.max_event_bytes
        self._invalid: Invalid = config.invalid_bytes
        self._encoding = config.file_encoding
        self.unit = UNIT[self._encoding]
        """Bytes of the smallest character."""
        # Two records of the longest kind: UTF-16 takes up to two bytes for one of UTF-8, and line ends come on top.
        self.most = (2 * self.limit + 4) * self.unit
        self.block_size = min(BLOCK_SIZE + 4, 2 * self.most)
        self._rule = rule_of(config.multiline, self.limit)
        self._starts_records = bool(config.multiline.start_pattern) and not (
            config.multiline.continue_pattern or config.multiline.end_pattern
        )
        self._may_abort = bool(config.multiline.continue_pattern and config.multiline.end_pattern)
        self._discard_unmatched = config.multiline.unmatched_content_treatment == "discard"
        self._encodings: dict[bool, Encoding] = {}

    # --- where to cut -----------------------------------------------------------------------------------------------------------
    def boundary(self, window: bytes) -> int:
        """Where in a window from the middle of a file the last record begins; 0 when that does not show.

        Who reads up to there has whole records in one block, and saves copying them out of a larger one.
        """
        line = window.find(b"\n") + 1
        if self._encoding != "utf8" or not line or not (self._rule is None or self._starts_records):
            return 0
        if self._rule is None:
            return window.rfind(b"\n") + 1
        end = record_end(window[line:], self._rule)
        return line + end if line + end < window.rfind(b"\n") + 1 else 0

    def whole(self, block: bytes) -> Piece | None:
        """A block that ends at a boundary, as one piece; None when a line in it is too long."""
        if self._rule is None and len(block) > self.limit and self._before_long_line(block, len(block)) < len(block):
            return None
        return Piece(len(block))

    def cut(self, block: bytes, place: Place, *, complete: bool) -> Piece | None:
        """How much of a block makes whole records; None when it must grow first. `complete`: nothing will follow, or not soon."""
        if not block:
            return None
        complete = complete or len(block) >= self.most
        if self._encoding == "gbk" and self._rule is None and not place.state and (end := self._end_of_short_lines(block)):
            return Piece(end, is_all=not complete)
        text = self._text(block, place)
        if not text.data and complete:
            text = self._text(block, place, to_its_end=True)
        if not text.data:
            return _skip(text)
        if place.state:
            piece = self._cut_within(text, place, complete=complete)
            if piece is None or piece.size:
                return piece
        return self._cut_between(text, complete=complete)

    def _end_of_short_lines(self, block: bytes) -> int:
        """Behind the last newline of a block of GBK, where a newline is one in the text as well: to cut it, it need not be decoded. 0 when
        a line may be too long, as text, and when NULs may be in between."""
        end, short = block.rfind(b"\n") + 1, self.limit // MOST_TEXT
        is_sure = len(block) - end < short and b"\0" not in block and self._before_long_line(block, end, short) == end
        return end if is_sure else 0

    def _cut_within(self, text: Text, place: Place, *, complete: bool) -> Piece | None:
        """The rest of a record; of size 0 when that ended before the block."""
        data, begun = text.data, self._begun(place)
        known = data.rfind(b"\n") + 1
        rest = self._rest(data, place.state, begun, last=complete)
        if rest is None and _value_size(data, known) <= self.limit:
            if len(data) - known <= self.limit + 1:
                unfinished = self._state(data, place.state, begun)
                return self._limited(text, Piece(len(data), CONTINUED, unfinished), place, begun) if complete else None
            # The last line is too long by itself. What its first part says holds for all of it.
            rest = self._rest(data[: known + self.limit], place.state, begun, last=True)
        if rest is None:
            return self._cut_at_limit(text, CUT_AND_CONTINUED, place.state, begun)
        return self._limited(text, Piece(rest, CONTINUED), place, begun)

    def _limited(self, text: Text, piece: Piece, place: Place, begun: bytes) -> Piece:
        """A piece of the text as one of the block, or if it is too long its first part."""
        if _value_size(text.data, piece.size) > self.limit:
            return self._cut_at_limit(text, CUT_AND_CONTINUED, place.state, begun)
        return replace(piece, size=text.raw(piece.size) if piece.size else 0)

    def _cut_between(self, text: Text, *, complete: bool) -> Piece | None:
        """The block begins where a record may."""
        whole = record_end(text.data, self._rule)
        end = self._before_long_line(text.data, whole) if self._rule is None else whole
        if end:
            waits = not complete and end == whole and len(text.data) - end <= self.limit
            return Piece(text.raw(end), is_all=waits)
        if whole:
            return self._cut_at_limit(text, CUT, 0, b"")
        return _skip(text) or self._cut_open(text, complete=complete)

    def _cut_open(self, text: Text, *, complete: bool) -> Piece | None:
        """The block begins with a record that does not end in it."""
        data = text.data
        known = data.rfind(b"\n") + 1
        if _value_size(data, known) <= self.limit:
            if len(data) - known <= self.limit + 1:
                return Piece(text.raw(len(data)), unfinished=self._state(data, 0, b"")) if complete else None
            # The last line is too long by itself. What its first part says holds for all of it.
            if known and self._rule is not None:
                records = EventBatch.split_records(data[: known + self.limit], self._rule, discard_unmatched=True).raw_lengths
                if not records or records[0] == known:
                    return Piece(text.raw(known), "" if records else UNMATCHED)
        return self._cut_at_limit(text, CUT, 0, b"")

    def _cut_at_limit(self, text: Text, mark: str, state: int, begun: bytes) -> Piece:
        size = whole_utf8(text.data[: self.limit]) or self.limit
        return Piece(text.raw_end(size), mark, unfinished=self._state(text.data[:size], state, begun))

    def _before_long_line(self, data: bytes, end: int, limit: int = 0) -> int:
        limit = limit or self.limit
        # A line that is too long covers one of these places.
        for place in range(limit, end, limit):
            begin, stop = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place, end) + 1
            if _value_size(data, stop) - begin > limit:
                return begin
        return end

    def _rest(self, data: bytes, state: int, begun: bytes, *, last: bool) -> int | None:
        if self._rule is None:
            return data.find(b"\n") + 1 or None
        return self._rule.rest(data, state, begun=begun, last=last)

    def _state(self, data: bytes, state: int, begun: bytes) -> int:
        if self._rule is None:
            return 0 if data.endswith(b"\n") else UNFINISHED_LINE
        return self._rule.state(data, state, begun=begun)

    def long_record(self, batch: EventBatch, offset: int) -> int | None:
        """Where in a piece that began at `offset` a record of several lines is longer than the limit; None when none is."""
        if self._rule is None:
            return None
        if max(batch.raw_lengths, default=0) * (1 if self._encoding == "utf8" else MOST_TEXT) <= self.limit:
            return None
        rows = zip(batch.raw_offsets, batch.column(CONTENT), strict=True)
        return next((start - offset for start, value in rows if value is not None and len(value) > self.limit), None)

    def shortened(self, block: bytes, at: int, place: Place) -> Piece:
        """The piece before a record at `at` that is too long; the first part of that record where nothing is before it."""
        if not at:
            return self._cut_at_limit(self._text(block, place), CUT, 0, b"")
        text = self._text(block[:at], place, to_its_end=True)
        if self._may_abort and text.data:
            # Lines at work there are no record, as the line behind them shows: they are a piece of their own that says so.
            whole = record_end(text.data, self._rule)
            return Piece(text.raw(whole)) if whole else Piece(at, UNMATCHED)
        return Piece(at)

    # --- what a piece holds -----------------------------------------------------------------------------------------------------
    def split(self, block: bytes, *, offset: int, mark: str = "", now_ns: int | None = None, big_endian: bool = False) -> Records:
        """The events of one piece."""
        now_ns = time.time_ns() if now_ns is None else now_ns
        text = self._text(block, Place(offset, int(CONTINUED in mark), big_endian=big_endian), to_its_end=True)
        base = offset if text.is_block else 0
        if mark in TRUNCATIONS:
            batch = _one_event(text.data, mark, base, now_ns)
        elif self._rule is None or mark == UNMATCHED:
            batch = EventBatch.split_lines(text.data, offset=base, time_ns=now_ns)
            if mark and self._discard_unmatched:
                batch.keep_rows([False] * len(batch))
        else:
            batch = EventBatch.split_records(text.data, self._rule, offset=base, time_ns=now_ns, discard_unmatched=self._discard_unmatched)
        if not text.is_block:
            _place(batch, text, offset)
        invalid = self._has_invalid_bytes(text)
        if invalid and self._invalid == "replace" and self._encoding == "utf8":
            column = batch.column(CONTENT)
            batch.set_column(CONTENT, [value and value.decode(errors="replace").encode() for value in column])
        if mark in TRUNCATIONS:
            batch.add(TRUNCATE_INFO, mark.encode())
        return Records(batch, text.nuls, invalid)

    def _has_invalid_bytes(self, text: Text) -> bool:
        if text.is_valid is not None:
            return not text.is_valid
        if self._invalid == "keep":
            return False
        try:
            text.data.decode()
        except UnicodeDecodeError:
            return True
        return False

    def _text(self, block: bytes, place: Place, *, to_its_end: bool = False) -> Text:
        encoding = self._encodings.get(place.big_endian) or self._encodings.setdefault(place.big_endian, self._new(place.big_endian))
        return encoding.text(block, at_head=not place.offset, mid_line=bool(place.state), to_its_end=to_its_end)

    def _new(self, big_endian: bool) -> Encoding:
        match self._encoding:
            case "gbk":
                return Gbk(self._invalid)
            case "utf16":
                return Utf16(self._invalid, big_endian=big_endian)
            case _:
                return Utf8()

    def _begun(self, place: Place) -> bytes:
        """What of the block's first line lies before it."""
        if not place.state or self._rule is None or not place.before:
            return b""
        return self._text(place.before[len(place.before) % self.unit :], place).data.rpartition(b"\n")[2]


def rule_of(options: Multiline, limit: int) -> RecordRule | None:
    """What a record is; None when each line is one."""
    if options.mode == "JSON":
        return RecordRule.objects()
    if options.mode == "whole_file":
        return RecordRule(end=Pattern(NO_LINE), limit=limit)
    patterns = {"start": options.start_pattern, "more": options.continue_pattern, "end": options.end_pattern}
    given = {name: Pattern(text) for name, text in patterns.items() if text}
    return RecordRule(**given, limit=limit) if given else None


def _skip(text: Text) -> Piece | None:
    """The bytes before a text: NULs, or the mark of the byte order."""
    skipped = text.raw(0)
    return Piece(skipped) if skipped else None


def _value_size(data: bytes, end: int) -> int:
    """The length of a value that ends at `end`, without the end of its last line."""
    return end - (2 if data.endswith(b"\r\n", 0, end) else 1 if data.endswith(b"\n", 0, end) else 0)


def _one_event(data: bytes, mark: str, offset: int, now_ns: int) -> EventBatch:
    """A part of a record; none when it is but the end of the line."""
    value = data if mark.startswith(CUT) else data[: _value_size(data, len(data))]
    batch = EventBatch.from_events([(now_ns, [(CONTENT, value)])] if value else [])
    if value:
        batch.set_raw([offset], [len(data)])
    return batch


def _place(batch: EventBatch, text: Text, offset: int) -> None:
    """Say where in the file the events of a text stood."""
    begins, lengths = text.raw_spans(batch.raw_offsets, batch.raw_lengths)
    batch.set_raw([offset + begin for begin in begins], lengths)
