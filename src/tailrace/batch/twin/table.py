"""The rows of a batch: per row a tuple of keys and a tuple of values, of equal length.

Rows of one shape share one tuple of keys, so that whole runs of rows can be treated at once. Where values lie in the input block is
asked for seldom; it is worked out only then, by `spans`, which every step extends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from operator import itemgetter
from typing import Any, TypeAlias

Keys: TypeAlias = tuple[bytes, ...]
Values: TypeAlias = tuple[bytes, ...]
Span: TypeAlias = tuple[int, int]
"""(offset, length) in the input block."""
Spans: TypeAlias = tuple[Span | None, ...]
Event: TypeAlias = tuple[int, list[tuple[bytes, bytes]]]


@dataclass(slots=True)
class Table:
    block: bytes
    keys: list[Keys]
    values: list[Values]
    times: list[int]
    offsets: list[int]
    lengths: list[int]
    spans: Callable[[], list[Spans]]

    def __len__(self) -> int:
        return len(self.values)

    def keep(self, kept: Sequence[bool]) -> None:
        """Drop the rows that `kept` denies."""
        if all(kept):
            return
        self.keys, self.values = list(compress(self.keys, kept)), list(compress(self.values, kept))
        self.times = list(compress(self.times, kept))
        self.offsets, self.lengths = list(compress(self.offsets, kept)), list(compress(self.lengths, kept))
        before = self.spans
        self.spans = lambda: list(compress(before(), kept))

    def reorder(self, order: Sequence[int]) -> None:
        """Row `i` becomes what row `order[i]` was. ValueError when `order` does not name every row once."""
        if sorted(order) != list(range(len(self))):
            raise ValueError("an order names every row once")
        self.keys, self.values = [self.keys[row] for row in order], [self.values[row] for row in order]
        self.times = [self.times[row] for row in order]
        self.offsets, self.lengths = [self.offsets[row] for row in order], [self.lengths[row] for row in order]
        before = self.spans

        def spans() -> list[Spans]:
            rows = before()
            return [rows[row] for row in order]

        self.spans = spans

    def is_uniform(self) -> bool:
        """Whether all rows have one shape."""
        return not self.keys or self.keys.count(self.keys[0]) == len(self.keys)

    def column(self, key: bytes) -> list[bytes | None]:
        """The first field of that name in each row."""
        if self.keys and self.is_uniform() and key in self.keys[0]:
            return list(map(itemgetter(self.keys[0].index(key)), self.values))
        return [values[keys.index(key)] if key in keys else None for keys, values in zip(self.keys, self.values, strict=True)]

    def column_spans(self, key: bytes) -> list[Span | None]:
        rows = self.spans()
        self.spans = lambda: rows
        return [spans[keys.index(key)] if key in keys else None for keys, spans in zip(self.keys, rows, strict=True)]

    def events(self) -> list[Event]:
        return [
            (time, list(zip(keys, values, strict=True)))
            for time, keys, values in zip(self.times, self.keys, self.values, strict=True)
        ]  # fmt: skip

    def move(self, moves: "Sequence[Move | None]", added: Sequence[Values]) -> None:
        """Make every row anew from its old fields followed by `added`, which lie nowhere in the block. None leaves a row as it is."""
        before = self.spans
        rows = zip(moves, self.keys, self.values, added, strict=True)
        made = [(keys, values) if move is None else (move.keys, move.take(values + more)) for move, keys, values, more in rows]
        self.keys, self.values = [keys for keys, _ in made], [values for _, values in made]
        self.spans = lambda: [
            spans if move is None else move.take(spans + (None,) * len(more))
            for move, spans, more in zip(moves, before(), added, strict=True)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """A new row from an old one: its keys, and what picks their values out of the old values followed by new ones."""

    keys: Keys
    take: Callable[[tuple[Any, ...]], tuple[Any, ...]]


def move_of(fields: Sequence[tuple[bytes, int]]) -> Move:
    """From (key, index into the old values followed by the new ones)."""
    return Move(tuple(key for key, _ in fields), _taker([index for _, index in fields]))


def _taker(indexes: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if not indexes:
        return lambda _: ()
    if len(indexes) == 1:
        return lambda values: (values[indexes[0]],)
    return itemgetter(*indexes)


def from_events(events: Sequence[Event]) -> Table:
    """A table without a block. Equal shapes share their keys."""
    shapes: dict[Keys, Keys] = {}
    keys: list[Keys] = []
    values: list[Values] = []
    for _, fields in events:
        names = tuple(key for key, _ in fields)
        keys.append(shapes.setdefault(names, names))
        values.append(tuple(value for _, value in fields))
    zeros = [0] * len(events)
    return Table(b"", keys, values, [time for time, _ in events], zeros, zeros.copy(), lambda: [(None,) * len(row) for row in values])


@dataclass(frozen=True, slots=True)
class Origin:
    """What all rows of a new block share."""

    offset: int
    """The block's position in its stream."""
    time_ns: int
    key: bytes


def one_column(block: bytes, origin: Origin, values: list[bytes], starts: list[int], lengths: list[int]) -> Table:
    """Rows of one field each, which begin at `starts` of the block and cover `lengths` bytes of it."""
    rows: list[Values] = [(value,) for value in values]
    offsets = [start + origin.offset for start in starts]
    sizes = list(map(len, values))
    return Table(
        block,
        list(repeat((origin.key,), len(rows))),
        rows,
        [origin.time_ns] * len(rows),
        offsets,
        lengths,
        lambda: [((start, size),) for start, size in zip(starts, sizes, strict=True)],
    )
