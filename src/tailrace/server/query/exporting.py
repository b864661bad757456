"""Everything that a query finds, page by page in the order of time, so that any number of events needs the memory of one page.

A page begins behind the last event of the one before, which is found by the table's own order, and weighs no more than a portion. What
arrives while an export runs may or may not be in it. Indexes may change meanwhile: each page is asked for by those of its moment.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from tailrace.errors import ApiError
from tailrace.server.query import rows
from tailrace.server.query.formats import TIME, Format, Row, writer
from tailrace.server.query.portions import Portion
from tailrace.server.query.search.lexer import split_statement
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.service import Page, Queries
from tailrace.server.query.tailing import number
from tailrace.server.query.window import Window
from tailrace.server.store.port import TAG_PREFIX, EngineQuery, Limits, Rows, TableSpec
from tailrace.server.store.schema import table_name

PAGE_ROWS = 20_000
EXPORT = Limits("export", seconds=300.0, memory=1 << 30, rows=1_000_000)
MAX_COLUMNS = 2_000
BASE = (TIME, "__source__", "__topic__")
_PLACE = "toUnixTimestamp64Nano(time), shard, seq"


@dataclass
class Export:
    """One export; `exported` counts as it goes on. `columns` are chosen ones, or none for all that there are."""

    queries: Queries
    now: Callable[[], TableSpec]
    """The logstore's table at this moment. Raises ApiError where it may no longer be read."""
    name: str
    statement: str
    window: Window
    kind: Format
    columns: Sequence[str] = ()
    exported: int = field(default=0, init=False)

    async def parts(self) -> AsyncIterator[bytes]:
        """The bytes of the file. Raises ApiError 400 before the first of them for what cannot be asked."""
        search, sql = split_statement(self.statement)
        if sql is not None:
            answer = await self.queries.ask(self.now(), self.name, self.statement, self.window, Page())
            if answer.partial:
                raise ApiError(400, "ParameterInvalid", "the query used up its time or its rows: narrow the time range or the search")
            file = writer(self.kind, self.columns or answer.keys)
            self.exported = len(answer.rows)
            yield await asyncio.to_thread(file.page, answer.rows)
        else:
            columns = self.columns or ([] if self.kind == "json" else await self._all_columns(search))
            file = writer(self.kind, columns, numbers=[TIME])
            async for page in self._pages(search):
                self.exported += len(page)
                yield await asyncio.to_thread(file.page, self._chosen(page))
        yield await asyncio.to_thread(file.end)

    def _chosen(self, page: Sequence[Row]) -> Sequence[Row]:
        """CSV and Parquet choose by themselves."""
        if self.kind != "json" or not self.columns:
            return page
        return [{key: row[key] for key in self.columns if key in row} for row in page]

    async def _pages(self, search: str) -> AsyncIterator[list[dict[str, str]]]:
        after: tuple[int, int, int] | None = None
        portion = Portion(PAGE_ROWS, EXPORT)
        while True:
            found, asked = await portion.ask(partial(self._page, search, after))
            if not found.rows:
                return
            yield await asyncio.to_thread(_events, found.rows)
            if len(found.rows) < asked:
                return
            time, shard, seq = (number(value) for value in found.rows[-1][-3:])
            after = time, shard, seq

    async def _page(self, search: str, after: tuple[int, int, int] | None, count: int, limits: Limits) -> Rows:
        binder, table = Binder(), self.now()
        conditions = self.window.conditions(table, search, binder)
        if after is not None:
            time, shard, seq = after
            at = f"fromUnixTimestamp64Nano({binder.bind(time, 'Int64')}, 'UTC')"
            behind = f"({at}, {binder.bind(shard, 'UInt16')}, {binder.bind(seq, 'UInt64')})"
            conditions += [f"time >= {at}", f"(time, shard, seq) > {behind}"]
        text = (
            f"SELECT {rows.EVENT}, {_PLACE} FROM {table_name(table.logstore)} WHERE {' AND '.join(conditions)}"  # noqa: S608
            f" ORDER BY time, shard, seq LIMIT {count}"
        )
        return await self.queries.run(EngineQuery(text, binder.parameters, limits=limits))

    async def _all_columns(self, search: str) -> list[str]:
        """What comes from us, then tags, then fields: those of the index first, as it has them."""
        names: list[list[str]] = []
        for column in ("tags", "fields"):
            binder, table = Binder(), self.now()
            where = " AND ".join(self.window.conditions(table, search, binder))
            text = (
                f"SELECT DISTINCT arrayJoin(mapKeys({column})) AS name FROM {table_name(table.logstore)}"  # noqa: S608
                f" WHERE {where} ORDER BY name LIMIT {MAX_COLUMNS + 1}"
            )
            found = await self.queries.run(EngineQuery(text, binder.parameters, limits=EXPORT))
            names.append([name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for (name,) in found.rows])
        tags, fields = names
        if len(tags) + len(fields) > MAX_COLUMNS:
            raise ApiError(
                400, "ParameterInvalid", f"the events have more than {MAX_COLUMNS} fields: name those that are wanted, or ask for json"
            )
        indexed = [index.key for index in self.now().fields if index.key in fields]
        return list(dict.fromkeys([*BASE, *(TAG_PREFIX + tag for tag in tags), *indexed, *fields]))


def _events(page: Sequence[Sequence[object]]) -> list[dict[str, str]]:
    return [rows.event(row) for row in page]
