"""Reading a shard from a cursor on, log group by log group as they were written (sls-api §2.5).

Groups of a shard are numbered without holes; what is written becomes readable in blocks, perhaps out of order. A pull therefore only hands
out groups before the store's frontier: what is not there then was set aside or has expired, and is passed.
"""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tailrace.errors import ApiError
from tailrace.server.query import encoding
from tailrace.server.query.portions import Portion
from tailrace.server.query.rows import CURSOR_BASE
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.spl.program import Program, Result
from tailrace.server.query.tailing import now_ms, number
from tailrace.server.store.port import EngineQuery, Frontier, Limits, Rows, TableSpec
from tailrace.server.store.schema import table_name
from tailrace.wire import protobuf

PULL = Limits("pull", seconds=30.0, memory=1 << 30, rows=1_000_000)
MAX_ROWS, MAX_BYTES = 20_000, 10 << 20
"""Of one answer; it has one group at least, however large that is."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a program has gone through: groups, events and their bytes, how many events it gave, and how many it could not take apart."""

    groups: int = 0
    lines: int = 0
    size: int = 0
    kept: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Pulled:
    """`groups` are encoded LogGroups; `next` is the cursor after them. `read` says what a program was given, None without one."""

    groups: list[bytes]
    next: str
    read: Read | None = None

    @property
    def body(self) -> bytes:
        """A LogGroupList."""
        return b"".join(protobuf.delimited(1, group) for group in self.groups)


@dataclass(frozen=True, slots=True)
class ShardReader:
    """One shard of one logstore; `run` asks the engine, `frontier` the store."""

    table: TableSpec
    shard: int
    run: Callable[[EngineQuery], Awaitable[Rows]]
    frontier: Callable[[], Awaitable[Frontier]]

    async def begin(self) -> str:
        return encode(await self._first_from(0, (await self.frontier()).group))

    async def end(self) -> str:
        return encode((await self.frontier()).group)

    async def since(self, seconds: int) -> str:
        """Before the first group that was received at that time or later; the end when there is none."""
        end = (await self.frontier()).group
        binder = Binder()
        received = f"recv >= fromUnixTimestamp64Milli({binder.bind(seconds * 1000, 'Int64')}, 'UTC')"
        ((count, first),) = await self._ask("count(), min(group_cursor)", received, binder)
        return encode(min(number(first), end) if number(count) else end)

    async def received_at(self, cursor: str) -> int:
        """Seconds at which the group behind the cursor was received; of the end it is now. Raises ApiError(400, InvalidCursor)."""
        wanted, frontier = decode(cursor), await self.frontier()
        if not await self._first_from(0, frontier.group) <= wanted <= frontier.end:
            raise ApiError(400, "InvalidCursor", f"the cursor `{cursor.strip()}` is outside of shard {self.shard}")
        binder = Binder()
        at = f"group_cursor >= {binder.bind(wanted, 'UInt64')}"
        ((count, received),) = await self._ask("count(), toUnixTimestamp64Milli(argMin(recv, group_cursor))", at, binder)
        return (number(received) if number(count) else now_ms()) // 1000

    async def is_read(self, cursor: str) -> bool:
        """Whether nothing lies behind the cursor, "" being the begin, nor is on its way."""
        frontier = await self.frontier()
        return frontier.final and await self._first_from(decode(cursor) if cursor else 0, frontier.group) == frontier.group

    async def pull(self, cursor: str, count: int, end_cursor: str = "", program: Program | None = None) -> Pulled:
        """At most `count` groups; the cursor stays where it is when there is nothing new, and is `end_cursor` once that is reached. With a
        program, of so many groups what it gives."""
        frontier = await self.frontier()
        begin, end = max(0, min(decode(cursor), frontier.end)), decode(end_cursor) if end_cursor else frontier.end
        read = None if program is None else Read()
        if end_cursor and begin >= end:
            return Pulled([], encode(end), read)
        bound = min(frontier.group, end)
        groups = await self._present(begin, min(begin + count, bound))
        if not groups:
            first = await self._first_from(begin, bound)
            groups = await self._present(first, min(first + count, bound))
        if not groups:
            return Pulled([], encode(max(begin, bound)), read)
        return await (self._whole(groups) if program is None else self._through(program, groups))

    async def _whole(self, groups: Sequence[int]) -> Pulled:
        found, asked = await Portion(len(groups), PULL).ask(partial(self._rows, groups))
        encoded = await asyncio.to_thread(encoding.encode_groups, found.rows, MAX_BYTES)
        return Pulled([group.message for group in encoded], encode((encoded[-1].cursor if encoded else groups[asked - 1]) + 1))

    async def _through(self, program: Program, groups: Sequence[int]) -> Pulled:
        found, asked = await Portion(len(groups), PULL).ask(partial(self._results, program, groups))
        given = await asyncio.to_thread(program.given, found)
        encoded = await asyncio.to_thread(encoding.encode_groups, [each.row for each in given if each.kept], MAX_BYTES)
        messages = {group.cursor: group for group in encoded}
        last = groups[asked - 1] if len(messages) == len({each.group for each in given if each.kept}) else encoded[-1].cursor
        return Pulled([group.message for group in encoded], encode(last + 1), _read([each for each in given if each.group <= last]))

    async def _first_from(self, begin: int, end: int) -> int:
        """Number of the first group that there is from `begin` on, `end` when there is none before that."""
        if begin >= end:
            return end
        binder = Binder()
        ((count, first),) = await self._ask("count(), min(group_cursor)", f"group_cursor >= {binder.bind(begin, 'UInt64')}", binder)
        return min(number(first), end) if number(count) else end

    async def _present(self, begin: int, end: int) -> list[int]:
        """Numbers of the groups that there are in `[begin, end)`, as many as an answer may have: the bounds keep a pull from reading on."""
        if begin >= end:
            return []
        binder = Binder()
        between = f"group_cursor >= {binder.bind(begin, 'UInt64')} AND group_cursor < {binder.bind(end, 'UInt64')}"
        found = await self._ask("group_cursor, count()", between, binder, " GROUP BY group_cursor ORDER BY group_cursor")
        groups: list[int] = []
        rows = 0
        for group, size in found:
            rows += number(size)
            if groups and rows > MAX_ROWS:
                break
            groups.append(number(group))
        return groups

    def _rows(self, groups: Sequence[int], count: int, limits: Limits) -> Awaitable[Rows]:
        binder = Binder()
        return self._run(encoding.COLUMNS, _between(groups[:count], binder), binder, limits=limits)

    async def _results(self, program: Program, groups: Sequence[int], count: int, limits: Limits) -> Rows:
        binder = Binder()
        where = f"shard = {binder.bind(self.shard, 'UInt16')} AND {_between(groups[:count], binder)}"
        statement = await asyncio.to_thread(program.statement, self.table, where, binder)
        return await self.run(EngineQuery(statement, binder.parameters, "trino", limits))

    async def _ask(self, columns: str, condition: str, binder: Binder, rest: str = "") -> Sequence[Sequence[object]]:
        return (await self._run(columns, condition, binder, rest)).rows

    def _run(self, columns: str, condition: str, binder: Binder, rest: str = "", *, limits: Limits = PULL) -> Awaitable[Rows]:
        text = (
            f"SELECT {columns} FROM {table_name(self.table.logstore)}"  # noqa: S608 - numbers are bound
            f" WHERE shard = {binder.bind(self.shard, 'UInt16')} AND {condition}{rest}"
        )
        return self.run(EngineQuery(text, binder.parameters, limits=limits))


def _between(groups: Sequence[int], binder: Binder) -> str:
    return f"group_cursor >= {binder.bind(groups[0], 'UInt64')} AND group_cursor <= {binder.bind(groups[-1], 'UInt64')}"


def _read(given: Sequence[Result]) -> Read:
    return Read(
        len({each.group for each in given}),
        len(given),
        sum(each.size for each in given),
        sum(each.kept for each in given),
        sum(each.failed for each in given),
    )


def encode(group: int) -> str:
    """Base64 of a decimal number: clients subtract 1 from it."""
    return base64.b64encode(str(CURSOR_BASE + group).encode()).decode()


def decode(cursor: str) -> int:
    """Number of the group that a cursor stands before, negative before the first one. Raises ApiError(400, InvalidCursor)."""
    try:
        text = base64.b64decode(cursor.strip().encode(), validate=True).decode().strip()
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    except (binascii.Error, ValueError):
        value = None
    if value is None:
        raise ApiError(400, "InvalidCursor", f"`{cursor[:40]}` is no cursor")
    return value - CURSOR_BASE
