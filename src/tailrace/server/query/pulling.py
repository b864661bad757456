"""Reading a shard from a cursor on, log group by log group as they were written (sls-api §2.5).

Groups of a shard are numbered without holes; what is written becomes readable in blocks, perhaps out of order. A pull therefore only hands
out groups before the store's frontier: what is not there then was set aside or has expired, and is passed.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.query.rows import CURSOR_BASE
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.tailing import now_ms, number
from tailrace.server.store.port import EngineQuery, Frontier, Limits, Rows, TableSpec
from tailrace.server.store.schema import table_name
from tailrace.wire import protobuf

PULL = Limits("pull", seconds=30.0, memory=1 << 30, rows=1_000_000)
MAX_ROWS, MAX_BYTES = 20_000, 10 << 20
"""Of one answer; it has one group at least, however large that is."""
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pulled:
    """`groups` are encoded LogGroups; `next` is the cursor after them."""

    groups: list[bytes]
    next: str

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

    async def pull(self, cursor: str, count: int, end_cursor: str = "") -> Pulled:
        """At most `count` groups; the cursor stays where it is when there is nothing new, and is `end_cursor` once that is reached."""
        frontier = await self.frontier()
        begin, end = max(0, min(decode(cursor), frontier.end)), decode(end_cursor) if end_cursor else frontier.end
        if end_cursor and begin >= end:
            return Pulled([], encode(end))
        bound = min(frontier.group, end)
        groups = await self._present(begin, min(begin + count, bound))
        if not groups:
            first = await self._first_from(begin, bound)
            groups = await self._present(first, min(first + count, bound))
        if not groups:
            return Pulled([], encode(max(begin, bound)))
        encoded = await self._encoded(groups)
        return Pulled(encoded, encode(groups[len(encoded) - 1] + 1))

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

    async def _encoded(self, groups: Sequence[int]) -> list[bytes]:
        binder = Binder()
        between = f"group_cursor >= {binder.bind(groups[0], 'UInt64')} AND group_cursor <= {binder.bind(groups[-1], 'UInt64')}"
        columns = (
            "group_cursor, toUnixTimestamp64Nano(time), source, topic, mapKeys(tags), mapValues(tags), mapKeys(fields), mapValues(fields)"
        )
        found = await self._ask(columns, between, binder, " ORDER BY seq")
        encoded: list[bytes] = []
        size = 0
        for group in _grouped(found):
            made = _log_group(group)
            size += len(made)
            if encoded and size > MAX_BYTES:
                break
            encoded.append(made)
        return encoded

    async def _ask(self, columns: str, condition: str, binder: Binder, rest: str = "") -> Sequence[Sequence[object]]:
        text = (
            f"SELECT {columns} FROM {table_name(self.table.logstore)}"  # noqa: S608 - numbers are bound
            f" WHERE shard = {binder.bind(self.shard, 'UInt16')} AND {condition}{rest}"
        )
        return (await self.run(EngineQuery(text, binder.parameters, limits=PULL))).rows


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


def _grouped(rows: Sequence[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    group: list[Sequence[object]] = []
    for row in rows:
        if group and row[0] != group[0][0]:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _log_group(rows: Sequence[Sequence[object]]) -> bytes:
    """The wire form (sls-api §2.1)."""
    _, _, source, topic, tag_names, tag_values, *_ = rows[0]
    tags = [_pair(name, value) for name, value in zip(_list(tag_names), _list(tag_values), strict=True)]
    return b"".join(
        [
            *(protobuf.delimited(1, _log(row)) for row in rows),
            protobuf.delimited(3, _bytes(topic)),
            protobuf.delimited(4, _bytes(source)),
            *(protobuf.delimited(6, tag) for tag in tags),
        ]
    )


def _log(row: Sequence[object]) -> bytes:
    seconds, nanoseconds = divmod(number(row[1]), NS)
    contents = [protobuf.delimited(2, _pair(key, value)) for key, value in zip(_list(row[6]), _list(row[7]), strict=True)]
    return b"".join([protobuf.number(1, max(0, seconds)), *contents, protobuf.fixed32(4, nanoseconds) if nanoseconds else b""])


def _pair(key: object, value: object) -> bytes:
    return protobuf.delimited(1, _bytes(key)) + protobuf.delimited(2, _bytes(value))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
