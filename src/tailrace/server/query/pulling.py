"""Reading a shard from a cursor on, log group by log group as they were written (sls-api §2.5).

Groups of a shard are numbered without holes; what is written becomes readable in blocks, perhaps out of order. A pull therefore only hands
out groups that follow each other and waits for a hole to be filled; after `tailing.PATIENCE_MS` it goes on, because what was in between
was set aside or has expired.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.query.rows import CURSOR_BASE
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.tailing import PATIENCE_MS, now_ms, number
from tailrace.server.store.port import EngineQuery, Limits, Rows, TableSpec
from tailrace.server.store.schema import table_name
from tailrace.wire import protobuf

PULL = Limits("export", seconds=30.0, memory=1 << 30, rows=1_000_000)
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
    """One shard of one logstore; `run` asks the engine."""

    table: TableSpec
    shard: int
    run: Callable[[EngineQuery], Awaitable[Rows]]

    async def begin(self) -> str:
        first, _ = await self._bounds()
        return encode(first)

    async def end(self) -> str:
        _, end = await self._bounds()
        return encode(end)

    async def since(self, seconds: int) -> str:
        """Before the first group that was received at that time or later; the end when there is none."""
        binder = Binder()
        received = f"recv >= fromUnixTimestamp64Milli({binder.bind(seconds * 1000, 'Int64')}, 'UTC')"
        found = await self._ask("count(), min(group_cursor)", received, binder)
        count, first = (number(value) for value in found[0])
        return encode(first) if count else await self.end()

    async def received_at(self, cursor: str) -> int:
        """Seconds at which the group behind the cursor was received; of the end it is now. Raises ApiError(400, InvalidCursor)."""
        wanted, (first, end) = decode(cursor), await self._bounds()
        if wanted == end:
            return now_ms() // 1000
        if not first <= wanted < end:
            raise ApiError(400, "InvalidCursor", f"the cursor `{cursor.strip()}` is outside of shard {self.shard}")
        binder = Binder()
        at = f"group_cursor >= {binder.bind(wanted, 'UInt64')}"
        found = await self._ask("toUnixTimestamp64Milli(argMin(recv, group_cursor))", at, binder)
        return number(found[0][0]) // 1000

    async def pull(self, cursor: str, count: int, end_cursor: str = "") -> Pulled:
        """At most `count` groups; the cursor stays where it is when there is nothing new, and is `end_cursor` once that is reached."""
        begin, end = max(0, decode(cursor)), decode(end_cursor) if end_cursor else None
        if end is not None and begin >= end:
            return Pulled([], encode(end))
        groups, is_waiting = await self._following(begin, count, end)
        if not groups:
            return Pulled([], encode(begin if end is None or is_waiting else end))
        encoded = await self._encoded(groups)
        last = groups[len(encoded) - 1]
        return Pulled(encoded, encode(last + 1))

    async def _bounds(self) -> tuple[int, int]:
        """The first group that there is, and the number after the last one."""
        found = await self._ask("count(), min(group_cursor), max(group_cursor)", "1", Binder())
        count, first, last = (number(value) for value in found[0])
        return (first, last + 1) if count else (0, 0)

    async def _following(self, begin: int, count: int, end: int | None) -> tuple[list[int], bool]:
        """Numbers of the groups from `begin` on, up to a hole that may still be filled; and whether it is such a hole that ends them."""
        found = await self._present(begin, count, end)
        if not found:
            binder = Binder()
            ((some, first),) = await self._ask("count(), min(group_cursor)", f"group_cursor >= {binder.bind(begin, 'UInt64')}", binder)
            found = await self._present(number(first), count, end) if number(some) else []
        groups: list[int] = []
        expected, rows = begin, 0
        for group, size, received in found:
            if group != expected and now_ms() - received < PATIENCE_MS:
                return groups, True
            if groups and rows + size > MAX_ROWS:
                break
            groups.append(group)
            expected, rows = group + 1, rows + size
        return groups, False

    async def _present(self, begin: int, count: int, end: int | None) -> list[tuple[int, int, int]]:
        """(number, logs, receive time in ms) of the groups that there are among `count` numbers: the bound keeps a pull from reading on."""
        binder = Binder()
        last = begin + count if end is None else min(begin + count, end)
        between = f"group_cursor >= {binder.bind(begin, 'UInt64')} AND group_cursor < {binder.bind(last, 'UInt64')}"
        columns = "group_cursor, count(), toUnixTimestamp64Milli(min(recv))"
        found = await self._ask(columns, between, binder, " GROUP BY group_cursor ORDER BY group_cursor")
        return [(number(group), number(size), number(received)) for group, size, received in found]

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
    """Number of the group that a cursor stands before, negative before the first. Raises ApiError(400, InvalidCursor)."""
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
