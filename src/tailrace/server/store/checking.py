"""Looks for numbers that are not there: rows of shards, sequences of streams. Writing and reading go on meanwhile.

The engine counts rows in buckets of numbers and sequences in slices of streams; only what does not add up is looked at one by one, so that
memory does not grow with the logstore. The limits are those of an export.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from tailrace.server.store.engine import Engine
from tailrace.server.store.gaps import CAUSES, Check, Hole, Neighbour, StreamGap, explained, judged
from tailrace.server.store.port import EngineQuery, Limits, TableSpec
from tailrace.server.store.records import StreamKey
from tailrace.server.store.schema import FOREVER_DAYS, table_name

BUCKET_ROWS = 1_000_000
SLICE_SEQUENCES = 1_000_000
MOST = 1000
"""Holes of a shard, and gaps, that are told one by one."""
MOST_OF_A_SLICE = 10_000
DAY_MS = 86_400_000
LIMITS = Limits(pool="export", seconds=75.0, memory=1 << 30)

T = TypeVar("T")
_MS = "toUnixTimestamp64Milli"
_FIRST_EVENTS = "agent != '' AND pack_part = 0 AND pack_index = 0"


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What there is of a bucket of row numbers."""

    shard: int
    rows: int
    offsets: int
    """Sum of how far each number is from the bucket's first."""
    first: int
    last: int
    first_ms: int
    last_ms: int

    @property
    def is_whole(self) -> bool:
        """Whether each number from the first to the last is there once."""
        begin = self.first - self.first % BUCKET_ROWS
        return self.rows == self.last - self.first + 1 and 2 * self.offsets == (self.first + self.last - 2 * begin) * self.rows


class Checking:
    """Of one logstore, up to the numbers that the engine is promised to have: `ends` per shard."""

    def __init__(self, engine: Engine, table: TableSpec, ends: Mapping[int, int], now_ms: int) -> None:
        self._engine = engine
        self._name = table_name(table.logstore)
        self._logstore = table.logstore
        self._ends = {shard: end for shard, end in sorted(ends.items()) if end}
        self._now_ms = now_ms
        forever = table.ttl_days >= FOREVER_DAYS
        self._kept_from_ms = 0 if forever else now_ms - table.ttl_days * DAY_MS
        self._cut = False

    async def run(self, acknowledged: Callable[[StreamKey], int | None]) -> Check:
        """`acknowledged`: the sequence below which an agent calls all of a stream so. Raises EngineError and BusyError."""
        if not self._ends:
            return Check()
        buckets = await self._buckets()
        of_shard = {shard: list(own) for shard, own in groupby(buckets, lambda bucket: bucket.shard)}
        holes = [hole for shard in self._ends for hole in await self._holes(shard, of_shard.get(shard, []))]
        gaps: list[StreamGap] = []
        for number, slices in await self._slices():
            found = await self._gaps(number, slices)
            gaps += [explained(gap, holes, acknowledged((self._logstore, gap.agent, gap.epoch, gap.stream))) for gap in found]
            gaps = self._first(sorted(gaps, key=_worst_first), MOST)
        missing = sum(hole.rows for hole in holes if hole.judged == "missing")
        return Check(sum(bucket.rows for bucket in buckets), missing, tuple(self._first(holes, MOST)), tuple(gaps), cut=self._cut)

    # --- shards -----------------------------------------------------------------------------------------------------------------
    async def _buckets(self) -> list[_Bucket]:
        rows = await self._ask(
            f"SELECT shard, count(), sum(seq % {BUCKET_ROWS}), min(seq), max(seq), {_MS}(min(recv)), {_MS}(max(recv))"  # noqa: S608 - numbers
            f" FROM {self._name} WHERE {self._within} GROUP BY shard, intDiv(seq, {BUCKET_ROWS}) AS bucket ORDER BY shard, bucket"
        )
        return [_Bucket(*map(_number, row)) for row in rows]

    async def _holes(self, shard: int, buckets: Sequence[_Bucket]) -> list[Hole]:
        """Of one shard, up to the last row that has to be there."""
        found: list[Hole] = []
        begin = before_ms = 0
        for bucket in buckets:
            if bucket.first > begin:
                found.append(Hole(shard, begin, bucket.first - 1, before_ms, bucket.first_ms))
            if not bucket.is_whole and len(found) <= MOST:
                found += await self._within_bucket(bucket)
            begin, before_ms = bucket.last + 1, bucket.last_ms
        if begin < self._ends[shard]:
            found.append(Hole(shard, begin, self._ends[shard] - 1, before_ms, self._now_ms))
        # Of a shard that is empty nobody knows how old its rows were.
        begins_at, begins_ms = (buckets[0].first, buckets[0].first_ms) if buckets else (self._ends[shard], self._now_ms)
        return [judged(hole, begins_at=begins_at, begins_ms=begins_ms, kept_from_ms=self._kept_from_ms) for hole in found]

    async def _within_bucket(self, bucket: _Bucket) -> list[Hole]:
        rows = await self._ask(
            f"SELECT shard, previous + 1, seq - 1, {_MS}(before), {_MS}(recv) FROM ("  # noqa: S608 - numbers
            f"SELECT shard, seq, recv, lagInFrame(seq) OVER numbers AS previous, lagInFrame(recv) OVER numbers AS before"
            f" FROM {self._name}"
            f" WHERE shard = {bucket.shard} AND seq BETWEEN {bucket.first} AND {bucket.last}"
            " WINDOW numbers AS (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))"
            f" WHERE seq > previous + 1 AND seq > {bucket.first} ORDER BY seq LIMIT {MOST + 1}"
        )
        found = [[_number(value) for value in row] for row in self._first(rows, MOST)]
        return [Hole(shard, first, last, before_ms, after_ms) for shard, first, last, before_ms, after_ms in found]

    # --- streams ----------------------------------------------------------------------------------------------------------------
    async def _slices(self) -> list[tuple[int, int]]:
        """(number, of how many); none when the sequences of each stream are all there."""
        ((sequences, streams),) = await self._ask(
            "SELECT sum(sequences), countIf(sequences != width)"  # noqa: S608 - numbers
            " FROM (SELECT count() AS sequences, max(pack_seq) - min(pack_seq) + 1 AS width"
            f" FROM {self._name} WHERE {_FIRST_EVENTS} AND {self._within} GROUP BY agent, epoch, stream)"
        )
        slices = _number(sequences) // SLICE_SEQUENCES + 1 if _number(streams) else 0
        return [(number, slices) for number in range(slices)]

    async def _gaps(self, number: int, slices: int) -> list[StreamGap]:
        previous = ", ".join(f"lagInFrame({column}) OVER sequences AS before_{column}" for column in ("pack_seq", "shard", "seq", "recv"))
        rows = await self._ask(
            f"SELECT agent, epoch, stream, before_pack_seq + 1, pack_seq - 1, before_shard, before_seq, {_MS}(before_recv),"  # noqa: S608 - numbers
            f" shard, seq, {_MS}(recv) FROM (SELECT agent, epoch, stream, pack_seq, shard, seq, recv, {previous},"
            " row_number() OVER sequences AS place"
            f" FROM {self._name} WHERE {_FIRST_EVENTS} AND {self._within} AND cityHash64(agent, epoch, stream) % {slices} = {number}"
            " WINDOW sequences AS (PARTITION BY agent, epoch, stream ORDER BY pack_seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW))"
            f" WHERE place > 1 AND pack_seq > before_pack_seq + 1 LIMIT {MOST_OF_A_SLICE + 1}"
        )
        return [_gap(row) for row in self._first(rows, MOST_OF_A_SLICE)]

    # --- inside -----------------------------------------------------------------------------------------------------------------
    @property
    def _within(self) -> str:
        return "(" + " OR ".join(f"shard = {shard} AND seq < {end}" for shard, end in self._ends.items()) + ")"

    async def _ask(self, statement: str) -> Sequence[Sequence[object]]:
        return (await self._engine.query(EngineQuery(statement, limits=LIMITS))).rows

    def _first(self, found: Sequence[T], most: int) -> list[T]:
        self._cut |= len(found) > most
        return list(found[:most])


def _gap(row: Sequence[object]) -> StreamGap:
    agent, epoch, *rest = row
    stream, first, last, *around = map(_number, rest)
    return StreamGap(str(agent), bytes.fromhex(str(epoch)), stream, first, last, Neighbour(*around[:3]), Neighbour(*around[3:]))


def _worst_first(gap: StreamGap) -> tuple[object, ...]:
    return CAUSES.index(gap.cause), gap.agent, gap.epoch, gap.stream, gap.first


def _number(value: object) -> int:
    return int(str(value))
