"""The rows of the checkpoint as Python values, each with the checksum that proves it."""

import json
import zlib
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from tailrace.errors import DamagedError
from tailrace.pipeline.contract import Position, Range

Values = tuple[Any, ...]

AS_COMMITTED = ""
"""In place of the position of the next range: it is the committed one, as of most streams most of the time."""


def sealed(values: Values) -> Values:
    """The values with their CRC-32 behind them."""
    return (*values, zlib.crc32(repr(values).encode("utf-8", "surrogatepass")))


def unsealed(table: str, row: Values) -> Values:
    """The values without their checksum. DamagedError when it does not fit."""
    if sealed(row[:-1]) != tuple(row):
        raise DamagedError(f"a row of table `{table}` does not hold what its checksum promises")
    return row[:-1]


_encode = json.JSONEncoder(separators=(",", ":")).encode  # `json.dumps` would build one per call


def dump(position: Position) -> str:
    """As JSON. Each range has one: pydantic's encoder takes a fifth of the time, but no path that is not UTF-8."""
    try:
        return to_json(position).decode()
    except ValueError:
        return _encode(position)


@dataclass(slots=True)
class StreamRow:
    """What is durable of one stream. `updated` is seconds since the Unix epoch.

    `next` and `next_sequence` may be older than the last prepared range of the stream: a load takes them from that (`goes_on_behind`).
    """

    id: str
    target: str
    input: str
    key: str
    committed: Position
    next: Position
    next_sequence: int
    updated: int = 0
    _text: tuple[Position, str] | None = field(default=None, init=False, repr=False, compare=False)
    """The position that was written last, and its text: most are written twice, as prepared and as acknowledged."""
    _remembered: tuple[int, Position] | None = field(default=None, init=False, repr=False, compare=False)
    """The position to go on at when all sequences below the number are prepared or acknowledged."""
    _reserved: tuple[tuple[int, int], ...] = field(default=(), init=False, repr=False, compare=False)
    """[first, behind the last) of the sequences that are used up, while ranges before them are still to be prepared."""

    @property
    def first_free(self) -> int:
        """No sequence from this one on is prepared, acknowledged or reserved: what a load goes on with."""
        return max(self.next_sequence, self._reserved[-1][1]) if self._reserved else self.next_sequence

    def values(self) -> Values:
        committed = self._text[1] if self._text is not None and self._text[0] is self.committed else dump(self.committed)
        following = AS_COMMITTED if self.next is self.committed or self.next == self.committed else dump(self.next)
        return sealed((self.id, self.target, self.input, self.key, committed, following, self.first_free, self.updated))

    @classmethod
    def of(cls, row: Values) -> "StreamRow":
        id_, target, input_, key, committed, following, next_sequence, updated = unsealed("streams", row)
        position = json.loads(committed)
        next_ = position if following == AS_COMMITTED else json.loads(following)
        return cls(id_, target, input_, key, position, next_, next_sequence, updated)

    def prepared(self, prepared: Range, parts: int) -> Values:
        """The row of a range of this stream, behind which the stream goes on: a replayed one does not move it back."""
        text = dump(prepared.position)
        self._text = (prepared.position, text)
        self.goes_on_behind(prepared)
        return _range_values(prepared, text, parts)

    def goes_on_behind(self, prepared: Range) -> None:
        if prepared.sequence >= self.next_sequence:
            self.goes_on(prepared.position, prepared.sequence + 1)

    def goes_on(self, position: Position, following: int) -> None:
        """All sequences below `following` are prepared or acknowledged: it goes on at `position`, or at what was remembered then."""
        self.next, self.next_sequence = position, following
        self._settle()

    def reserve(self, first: int, following: int) -> None:
        """Sequences from `first` to below `following` are used up. Ranges before them may still be queued: `next` stays before those."""
        self._reserved = (*self._reserved, (first, following))
        self._settle()

    def _settle(self) -> None:
        """What waited for the next sequence to be reached."""
        while True:
            if self._remembered is not None and self._remembered[0] <= self.next_sequence:
                (at, position), self._remembered = self._remembered, None
                if at == self.next_sequence:  # else a range behind it is prepared, and it would lead back
                    self.next = position
            if not self._reserved or self._reserved[0][0] > self.next_sequence:
                return
            self.next_sequence = max(self.next_sequence, self._reserved[0][1])
            self._reserved = self._reserved[1:]

    def remember(self, position: Position, below: int) -> bool:
        """The stream is to go on at `position` when all sequences `below` that number are prepared; whether they are."""
        if self.next_sequence < below:
            self._remembered = below, position
            return False
        acknowledged = self.committed is self.next or self.committed == self.next
        self.next = position
        if acknowledged:
            self.committed = position
        return True


def _range_values(prepared: Range, position: str, parts: int) -> Values:
    return sealed(
        (
            prepared.stream,
            prepared.sequence,
            prepared.start,
            prepared.end,
            position,
            prepared.fingerprint,
            prepared.config_version,
            parts,
            prepared.readable_at,
            _encode([one.hex() for one in prepared.decisions]) if prepared.decisions else "",
        )
    )


def range_of(row: Values) -> Range:
    stream, sequence, start, end, position, fingerprint, config_version, _, readable_at, decided = unsealed("ranges", row)
    decisions = tuple(bytes.fromhex(one) for one in json.loads(decided)) if decided else ()
    return Range(stream, sequence, start, end, json.loads(position), fingerprint, config_version, readable_at, decisions)


@dataclass(slots=True)
class Content:
    """All of a checkpoint, as it is loaded at the start."""

    epoch: bytes
    streams: dict[str, StreamRow] = field(default_factory=dict[str, StreamRow])
    ranges: dict[str, list[Range]] = field(default_factory=dict[str, list[Range]])
    """By stream, in sequence order."""
    configs: dict[str, str] = field(default_factory=dict[str, str])
    rolled_back: bool = False
    """It may be older than what the server has of our streams: the server must be asked."""
    caught_up: list[str] = field(default_factory=list[str])
    """Targets whose server has been asked since."""
    missing: dict[str, float] = field(default_factory=dict[str, float])
    """Targets that do not exist, and since when they did not (Unix seconds)."""
