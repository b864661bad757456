"""What has arrived since: a cursor per shard over rows that are numbered without holes.

Blocks of one shard may become visible out of order. A cursor therefore only moves over rows that follow each other, and waits for a hole to
be filled; after `PATIENCE_MS` it goes on, because the block in between was set aside.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.query.rows import EVENT
from tailrace.server.query.search.predicate import Binder
from tailrace.server.store.port import TableSpec
from tailrace.server.store.schema import table_name

DAY_MS = 86_400_000
PATIENCE_MS = 30_000

COLUMNS = f"{EVENT}, toUnixTimestamp64Milli(recv), shard, seq"
"""What `Cursor.rows` selects; the last three are what `arrival` sorts by."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """`next` is the first row of each shard that was not seen; `floor` a receive time in ms before which there is nothing unseen."""

    floor: int
    next: Mapping[int, int]

    @property
    def text(self) -> str:
        """`<floor>;<shard>:<row>,…`"""
        return f"{self.floor};" + ",".join(f"{shard}:{seq}" for shard, seq in sorted(self.next.items()))

    @staticmethod
    def parse(text: str) -> "Cursor":
        """Raises ApiError(400, InvalidCursor)."""
        floor, separator, shards = text.partition(";")
        try:
            pairs = [pair.split(":") for pair in shards.split(",") if pair]
            found = Cursor(int(floor), {int(shard): int(seq) for shard, seq in pairs})
        except ValueError:
            found = Cursor(-1, {})
        if not separator or min(found.floor, *found.next.values(), 0) < 0 or len(text) > 10_000:
            raise ApiError(400, "InvalidCursor", f"`{text[:40]}` is not a cursor of tail")
        return found

    def progress(self, table: TableSpec, binder: Binder) -> str:
        """A statement that gives per shard: newest row, receive time of the oldest unseen one, place of the first hole (0 for none)."""
        begins = [f"shard = {binder.bind(shard, 'UInt16')}, {binder.bind(seq, 'UInt64')}" for shard, seq in self.next.items()]
        begin = f"multiIf({', '.join(begins)}, min(seq))" if begins else "min(seq)"
        numbers = "arraySort(groupArray(seq)) AS numbers, arrayEnumerate(numbers)"
        hole = f"arrayFirstIndex((number, place) -> number + 1 != {begin} + place, {numbers})"
        columns = f"shard, max(seq), toUnixTimestamp64Milli(min(recv)), {hole}, {begin}"
        return f"SELECT {columns} FROM {table_name(table.logstore)} WHERE {self._unseen(binder)} GROUP BY shard"  # noqa: S608 - numbers are bound

    def rows(self, table: TableSpec, matching: str, ends: Mapping[int, int], binder: Binder, limit: int) -> str:
        """A statement that gives the unseen rows before `ends` (per shard) that match, at most `limit` of each shard."""
        parts = [
            f"(shard = {binder.bind(shard, 'UInt16')} AND seq >= {binder.bind(self.next.get(shard, 0), 'UInt64')}"
            f" AND seq < {binder.bind(end, 'UInt64')})"
            for shard, end in ends.items()
        ]
        return (
            f"SELECT {COLUMNS} FROM {table_name(table.logstore)}"  # noqa: S608 - numbers are bound
            f" WHERE {self._recent(binder)} AND ({' OR '.join(parts)}) AND {matching}"
            f" ORDER BY shard, seq LIMIT {binder.bind(limit, 'UInt64')} BY shard"
        )

    def moved(self, ends: Mapping[int, int], found: Sequence[Sequence[object]], limit: int, oldest: int) -> "Cursor":
        """Past what was seen: to the end, or to the last row of a shard that had more than `limit`."""
        reached = dict(self.next) | dict(ends)
        for shard in ends:
            seen = [number(row[-1]) for row in found if number(row[-2]) == shard]
            if len(seen) >= limit:
                reached[shard] = max(seen) + 1
        return Cursor(max(self.floor, oldest - DAY_MS), reached)

    def _recent(self, binder: Binder) -> str:
        return f"recv >= fromUnixTimestamp64Milli({binder.bind(self.floor, 'Int64')}, 'UTC')"

    def _unseen(self, binder: Binder) -> str:
        known = ", ".join(binder.bind(shard, "UInt16") for shard in self.next)
        parts = [f"(shard = {binder.bind(shard, 'UInt16')} AND seq >= {binder.bind(seq, 'UInt64')})" for shard, seq in self.next.items()]
        parts += [f"shard NOT IN ({known})"] if known else ["1"]
        return f"{self._recent(binder)} AND ({' OR '.join(parts)})"


def newest(table: TableSpec, binder: Binder) -> str:
    """A statement that gives the newest row of each shard that had any within a day."""
    since = binder.bind(now_ms() - DAY_MS, "Int64")
    return (
        f"SELECT shard, max(seq) FROM {table_name(table.logstore)}"  # noqa: S608 - numbers are bound
        f" WHERE recv >= fromUnixTimestamp64Milli({since}, 'UTC') GROUP BY shard"
    )


def start(found: Iterable[Sequence[object]]) -> Cursor:
    """The cursor of this moment, from the rows of `newest`."""
    return Cursor(now_ms() - PATIENCE_MS, {number(shard): number(seq) + 1 for shard, seq in found})


def ends(found: Iterable[Sequence[object]]) -> dict[int, int]:
    """Per shard, the row before which there is no hole (or only one that is too old to be filled), from the rows of `progress`."""
    made: dict[int, int] = {}
    for shard, last, oldest, hole, begin in found:
        waited = now_ms() - number(oldest)
        made[number(shard)] = number(begin) + number(hole) - 1 if number(hole) and waited < PATIENCE_MS else number(last) + 1
    return made


def readable(found: Iterable[Sequence[object]], frontiers: Mapping[int, int]) -> dict[int, int]:
    """Per shard that has unseen rows, the end of what can be read, from the rows of `progress`."""
    unseen = {number(shard): number(begin) for shard, _, _, _, begin in found}
    return {shard: frontiers[shard] for shard, begin in unseen.items() if frontiers.get(shard, 0) > begin}


def arrival(row: Sequence[object]) -> tuple[int, int, int]:
    """(receive time, shard, place): sorts rows by arrival."""
    return number(row[-3]), number(row[-2]), number(row[-1])


def number(value: object) -> int:
    return int(str(value))


def now_ms() -> int:
    return time.time_ns() // 1_000_000
