"""The events around one event of a stream, in the order in which the stream was written (sls-api §2.4)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tailrace.errors import ApiError
from tailrace.server.query import rows
from tailrace.server.query.portions import Portion
from tailrace.server.query.pulling import decode
from tailrace.server.query.search.predicate import Binder
from tailrace.server.store.port import EngineQuery, Limits, Rows, TableSpec
from tailrace.server.store.schema import table_name

MAX_LINES = 100
_LIMITS = Limits("light", seconds=30.0, memory=1 << 30, rows=1000)
_PACK_ID = re.compile(r"[0-9A-Fa-f]{1,16}-[0-9A-Fa-f]{1,16}")
_PACK_META = re.compile(r"(\d{1,5})\|([A-Za-z0-9+/=]+)\|\d+\|(\d{1,9})")
Run: TypeAlias = Callable[[EngineQuery], Awaitable[Rows]]
_PLACE = "(pack_seq, pack_part, pack_index)"


@dataclass(frozen=True, slots=True)
class Context:
    """`events` in order, each with its number (`__index_number__`, 0 for the one asked about); how many stand before and after it."""

    events: list[dict[str, str]]
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the event is: read from what a search `| with_pack_meta` gave."""

    shard: int
    group: int
    index: int

    @staticmethod
    def parse(pack_id: str, pack_meta: str) -> "Place":
        """Raises ApiError(400, ParameterInvalid)."""
        meta = _PACK_META.fullmatch(pack_meta)
        if meta is None or not _PACK_ID.fullmatch(pack_id):
            raise ApiError(400, "ParameterInvalid", "`pack_id` and `pack_meta` are those of an event that `| with_pack_meta` found")
        return Place(int(meta[1]), decode(meta[2]), int(meta[3]))


async def around(run: Run, table: TableSpec, place: Place, back: int, forward: int) -> Context:
    """At most `back` events before and `forward` after. Raises ApiError(400, ParameterInvalid) without such an event or a stream."""
    if not (0 <= back <= MAX_LINES and 0 <= forward <= MAX_LINES):
        raise ApiError(400, "ParameterInvalid", f"`back_lines` and `forward_lines` are from 0 to {MAX_LINES}")
    start = await _start(run, table, place)
    before = await _neighbours(run, table, start, "<", back)
    after = await _neighbours(run, table, start, ">", forward)
    made = await asyncio.to_thread(_made, [*reversed(before), start[:-6], *after], -len(before))
    return Context(made, len(before), len(after))


def _made(found: Sequence[Sequence[object]], first: int) -> list[dict[str, str]]:
    """Numbered from `first` on. Up to two portions."""
    return [
        rows.event(row) | {"__index_number__": str(number), "__pack_meta__": rows.pack_meta(row)} for number, row in enumerate(found, first)
    ]


async def _start(run: Run, table: TableSpec, place: Place) -> Sequence[object]:
    binder = Binder()
    bounds = {"shard": (place.shard, "UInt16"), "group_cursor": (max(0, place.group), "UInt64"), "pack_index": (place.index, "UInt32")}
    where = " AND ".join(f"{column} = {binder.bind(value, kind)}" for column, (value, kind) in bounds.items())
    stream = "stream, hex(agent), hex(epoch), pack_seq, pack_part, pack_index"
    columns = f"{rows.EVENT}, {rows.PACK}, {stream}"
    found = (await _select(run, table, columns, where=where, rest=" LIMIT 1", binder=binder, limits=_LIMITS)).rows
    if not found:
        raise ApiError(400, "ParameterInvalid", "there is no such event (any more)")
    if not int(str(found[0][-6])):
        raise ApiError(400, "ParameterInvalid", "the event belongs to no stream: its writer gave it no `__pack_id__`")
    return found[0]


async def _neighbours(run: Run, table: TableSpec, start: Sequence[object], sign: str, count: int) -> Sequence[Sequence[object]]:
    """Nearest first; fewer where they would weigh more than one answer may."""
    binder = Binder()
    stream, agent, epoch, *at = start[-6:]
    same = (
        f"stream = {binder.bind(int(str(stream)), 'UInt64')} AND agent = unhex({binder.bind(str(agent))})"
        f" AND epoch = unhex({binder.bind(str(epoch))})"
    )
    kinds = ("UInt64", "UInt16", "UInt32")
    bound = ", ".join(binder.bind(int(str(value)), kind) for value, kind in zip(at, kinds, strict=True))
    direction = " DESC" if sign == "<" else ""
    order = ", ".join(f"{column}{direction}" for column in ("pack_seq", "pack_part", "pack_index"))
    where = f"{same} AND {_PLACE} {sign} ({bound})"

    def nearest(some: int, limits: Limits) -> Awaitable[Rows]:
        rest = f" ORDER BY {order} LIMIT {some}"
        return _select(run, table, f"{rows.EVENT}, {rows.PACK}", where=where, rest=rest, binder=binder, limits=limits)

    found, _ = await Portion(count, _LIMITS).ask(nearest)
    return found.rows


def _select(run: Run, table: TableSpec, columns: str, *, where: str, rest: str, binder: Binder, limits: Limits) -> Awaitable[Rows]:
    text = f"SELECT {columns} FROM {table_name(table.logstore)} WHERE {where}{rest}"  # noqa: S608 - all values are bound
    return run(EngineQuery(text, binder.parameters, limits=limits))
