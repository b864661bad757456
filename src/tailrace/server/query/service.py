"""Answers what is asked of a logstore: events, SQL, counts over time, and what has just arrived."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tailrace.errors import ApiError, EngineError
from tailrace.server.query import histogram, rows, tailing
from tailrace.server.query.allowance import UNBOUNDED, Allowance
from tailrace.server.query.portions import Portion
from tailrace.server.query.refusals import explain
from tailrace.server.query.search.lexer import split_statement
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.query.sql.compiling import Visible, compile_sql
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.series import Series
from tailrace.server.query.sql.values import as_sls, as_text
from tailrace.server.query.walking import Unfinished, Walk
from tailrace.server.query.window import ALL_TIME, NS, Window
from tailrace.server.store.port import EngineQuery, Limits, Partial, Rows, Store, TableSpec
from tailrace.server.store.schema import table_name

LIGHT = Limits("light", seconds=30.0, memory=1 << 30, rows=100_000)
SCAN = Limits("scan", seconds=60.0, memory=1 << 30, rows=100_000)
ANALYTICS = Limits("analytics", seconds=60.0, memory=2 << 30, rows=1_000_000, bytes=128 << 20)

MAX_LINES = 100
_IN_ONE = 0.75
"""Part of its time in which a search may end in one look; the rest is for what it finds first (`walking`)."""
_WITH_PACK_META = re.compile(r"\s*with_pack_meta\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the matching events: at most `line` after the first `offset`; ascending by time unless `reverse`."""

    line: int = 100
    offset: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """`keys` are the columns in order for SQL, empty for events."""

    rows: list[dict[str, str]]
    keys: list[str] = field(default_factory=list[str])
    types: list[str] = field(default_factory=list[str])
    search: str = ""
    sql: str | None = None
    read_rows: int = 0
    read_bytes: int = 0
    elapsed: float = 0.0
    partial: bool = False
    """Whether rows, or the time of a search for events, were used up before everything was read."""
    unindexed: tuple[str, ...] = ()
    """Fields that the search asks for without an index, `*` for all: their events were read one by one."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a histogram; the rest as in `Answer`."""

    intervals: list[histogram.Interval]
    partial: bool = False
    unindexed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is new. `behind`: how many events after the cursor can be read, whether they match or not; `newest` is the cursor after them."""

    rows: list[dict[str, str]]
    cursor: str
    behind: int = 0
    newest: str = ""


class Queries:
    """Over one store. `time_zone` is that of SQL's functions and literals, an IANA name; `allowance` is that of the project that asks;
    `unfinished` is where searches stand that used up their time."""

    def __init__(
        self, store: Store, time_zone: str = "UTC", allowance: Allowance = UNBOUNDED, unfinished: Unfinished | None = None
    ) -> None:
        self._store = store
        self._unfinished = unfinished or Unfinished()
        self._time_zone = time_zone
        self._allowance = allowance

    async def ask(
        self, table: TableSpec, name: str, statement: str, window: Window, page: Page, *, others: Mapping[str, TableSpec] | None = None
    ) -> Answer:
        """`search`, or `search | SQL`, of the logstore `name`; SQL may join `others`, by name. Raises ApiError 400."""
        search, sql = split_statement(statement)
        if sql is None or _WITH_PACK_META.fullmatch(sql):
            return await self.events(table, search, window, page, pack_meta=sql is not None)
        return await self.analyse(table, name, search, sql, window, others=others)

    async def events(self, table: TableSpec, search: str, window: Window, page: Page, *, pack_meta: bool = False) -> Answer:
        """Ties in time are broken by shard and place in it, which is also the table's order: paging never repeats or loses a row. There are
        fewer than `page.line` where they would weigh more than one answer may."""
        if not 0 <= page.line <= MAX_LINES:
            raise ApiError(400, "InvalidLine", f"`line` is {page.line}: it has to be from 0 to {MAX_LINES}")
        if page.offset < 0:
            raise ApiError(400, "InvalidOffset", f"`offset` is {page.offset}: it cannot be negative")
        asked = _Events(self, table, search, page.reverse, pack_meta)
        binder = asked.binder(window)
        limits = self.searching(binder, "rows and time")
        key = (self._allowance.tenant, table, search, window, page, pack_meta)
        walk, seconds = self._unfinished.take(key), limits.seconds
        if walk is None:
            whole = replace(limits, seconds=seconds * _IN_ONE)
            found, _ = await asked.events_within(window, page.offset, page.line, whole)
            if not found.partial or 0 < limits.read_rows <= found.read_rows:
                return _answer(await asyncio.to_thread(_made_events, found.rows, pack_meta=pack_meta), found, binder, search)
            walk, seconds = Walk(window, page.offset, page.line, page.reverse), seconds - whole.seconds
        try:
            await walk.go_on(asked, seconds, limits.read_rows)
        finally:
            self._unfinished.keep(key, walk)
        return _answer(await asyncio.to_thread(_made_events, walk.found.rows, pack_meta=pack_meta), walk.found, binder, search)

    async def analyse(
        self, table: TableSpec, name: str, search: str, sql: str, window: Window, *, others: Mapping[str, TableSpec] | None = None
    ) -> Answer:
        """SQL over what the search finds; the logstore is `log` and its own name. Of `others` it sees all within the same times."""
        binder = Binder()
        own = _visible(table, window, search, binder)
        times = replace(window, topic="")
        visible = {other: _visible(spec, times, "", binder) for other, spec in (others or {}).items() if other != name}
        return await self._select(sql, {**visible, "log": own, name: own}, binder, search, window)

    async def analyse_project(self, tables: Mapping[str, TableSpec], sql: str) -> Answer:
        """SQL over logstores by name; it says itself which times it wants."""
        binder = Binder()
        visible = {name: _visible(spec, ALL_TIME, "", binder) for name, spec in tables.items()}
        return await self._select(sql, visible, binder, "", None)

    async def _select(self, sql: str, visible: Mapping[str, Visible], binder: Binder, search: str, window: Window | None) -> Answer:
        """`window` is where gaps of a time series are filled."""
        statement = await asyncio.to_thread(compile_sql, sql, visible, binder)
        found = await self.run(
            EngineQuery(statement.text, binder.parameters, "trino", self.limits(ANALYTICS, "rows"), time_zone=self._time_zone),
            statement.inner_names,
        )
        cells = [(key, engine_type, kind) for (key, kind), engine_type in zip(statement.columns, found.types, strict=False)]
        made = await asyncio.to_thread(_made_rows, cells, found.rows)
        if statement.series is not None and window is not None:
            made = statement.series.filled(made, await self._moments(statement.series, window))
        return _answer(made, found, binder, search, sql=sql.strip(), columns=statement.columns)

    async def _moments(self, series: Series, window: Window) -> list[str]:
        """How each window of the series is written, in order of time."""
        binder = Binder()
        text = series.moments(window.start // NS, -(-window.end // NS), binder)
        found = await self.run(EngineQuery(text, binder.parameters, "trino", LIGHT, time_zone=self._time_zone))
        return [as_text(moment) for (moment,) in found.rows]

    async def histogram(self, table: TableSpec, search: str, window: Window) -> Counts:
        """Of the search only: an SQL part is ignored."""
        binder = Binder()
        conditions = window.conditions(table, split_statement(search)[0], binder)
        text = (
            f"SELECT {histogram.number_of(window)} AS number, count() FROM {table_name(table.logstore)}"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} GROUP BY number"
        )
        found = await self.run(EngineQuery(text, binder.parameters, limits=self.searching(binder, "rows")))
        counts = [(int(str(number)), int(str(count))) for number, count in found.rows]
        return Counts(histogram.intervals(window, counts), found.partial, tuple(binder.unindexed))

    def searching(self, binder: Binder, partial: Partial) -> Limits:
        """Searches that no index helps have handles of their own: others do not wait for them. Only events come out one by one: what counts
        or sorts has nothing to show before its end, and fails when its time is over."""
        return self.limits(SCAN if binder.scans else LIGHT, partial)

    def limits(self, base: Limits, partial: Partial = "never") -> Limits:
        """Those of a limit class as the project that asks may use them (`Allowance.limits`)."""
        return self._allowance.limits(base, partial)

    async def topics(self, table: TableSpec, after: str, count: int) -> list[str]:
        """Names of topics in order, those that come after `after`."""
        binder = Binder()
        text = (
            f"SELECT DISTINCT topic FROM {table_name(table.logstore)} WHERE topic > {binder.bind(after)}"  # noqa: S608
            f" ORDER BY topic LIMIT {binder.bind(count, 'UInt64')}"
        )
        return [as_text(topic) for (topic,) in (await self.run(EngineQuery(text, binder.parameters, limits=LIGHT))).rows]

    async def tail(
        self, table: TableSpec, search: str, after: str, limit: int, frontiers: Mapping[int, int] | None = None
    ) -> tuple[list[dict[str, str]], str]:
        """Events that arrived after the cursor `after`, in the order of arrival, and the next cursor. "" is now: it gives no events."""
        arrivals = await self.arrivals(table, search, after, limit, frontiers)
        return arrivals.rows, arrivals.cursor

    async def arrivals(self, table: TableSpec, search: str, after: str, limit: int, frontiers: Mapping[int, int] | None = None) -> Arrivals:
        """As `tail`. `frontiers`: the row up to which each shard can be read (`Frontier.row`), asked before; without them a hole is waited
        for as long as it may still be filled."""
        binder = Binder()
        matching = Predicates(table, binder).write(parse_search(search))
        if not after:
            found = await self.run(EngineQuery(tailing.newest(table, binder), binder.parameters, limits=LIGHT))
            return Arrivals([], tailing.start(found.rows).text)
        cursor = tailing.Cursor.parse(after)
        progress = await self.run(EngineQuery(cursor.progress(table, binder), binder.parameters, limits=LIGHT))
        ends = tailing.ends(progress.rows) if frontiers is None else tailing.readable(progress.rows, frontiers)
        if not ends:
            return Arrivals([], after)

        def unseen(count: int, limits: Limits) -> Awaitable[Rows]:
            statement = cursor.rows(table, matching, ends, binder, count)
            return self.run(EngineQuery(statement, binder.parameters, limits=limits))

        found, asked = await Portion(limit, LIGHT).ask(unseen)
        oldest = min(tailing.number(row[2]) for row in progress.rows)
        moved = cursor.moved(ends, found.rows, asked, oldest)
        behind = sum(end - moved.next[shard] for shard, end in ends.items())
        rest = replace(moved, next={**moved.next, **ends}).text if behind else moved.text
        return Arrivals(await asyncio.to_thread(_arrived, found.rows), moved.text, behind, rest)

    async def run(self, query: EngineQuery, names: Mapping[str, str] | None = None) -> Rows:
        """One statement under an id of its own; cancelled in the engine when the caller goes away."""
        query_id = secrets.token_hex(12)
        limits = self._allowance.in_turn(query.limits)
        try:
            return await self._store.query(replace(query, query_id=query_id, tenant=self._allowance.tenant, limits=limits))
        except asyncio.CancelledError:
            await self._store.cancel(query_id)
            raise
        except EngineError as error:
            alone = not any(use.running for uses in self._store.use().values() for use in uses.values())
            raise explain(error, query, names or {}, alone=alone) from error


@dataclass(frozen=True, slots=True)
class _Events:
    """What a search finds, one event after the other (`walking.Question`)."""

    queries: Queries
    table: TableSpec
    search: str
    reverse: bool
    pack_meta: bool

    def binder(self, window: Window) -> Binder:
        """What the search makes use of."""
        binder = Binder()
        window.conditions(self.table, self.search, binder)
        return binder

    async def count(self, window: Window, seconds: float) -> Rows:
        binder = Binder()
        conditions = window.conditions(self.table, self.search, binder)
        text = f"SELECT count() FROM {table_name(self.table.logstore)} WHERE {' AND '.join(conditions)}"  # noqa: S608 - all user text is bound
        limits = replace(self.queries.searching(binder, "rows and time"), seconds=seconds)
        return await self.queries.run(EngineQuery(text, binder.parameters, limits=limits))

    async def events(self, window: Window, offset: int, line: int, seconds: float) -> tuple[Rows, int]:
        limits = self.queries.searching(self.binder(window), "rows and time")
        return await self.events_within(window, offset, line, replace(limits, seconds=seconds))

    async def events_within(self, window: Window, offset: int, line: int, limits: Limits) -> tuple[Rows, int]:
        binder = Binder()
        conditions = window.conditions(self.table, self.search, binder)
        direction = " DESC" if self.reverse else ""
        columns = f"{rows.EVENT}, {rows.PACK}" if self.pack_meta else rows.EVENT
        text = (
            f"SELECT {columns} FROM {table_name(self.table.logstore)} WHERE {' AND '.join(conditions)}"  # noqa: S608 - all user text is bound
            f" ORDER BY time{direction}, shard{direction}, seq{direction}"
            f" LIMIT {{count:UInt64}} OFFSET {binder.bind(offset, 'UInt64')}"
        )

        def first(count: int, limits: Limits) -> Awaitable[Rows]:
            return self.queries.run(EngineQuery(text, {**binder.parameters, "count": count}, limits=limits))

        return await Portion(line, limits).ask(first)


def _visible(table: TableSpec, window: Window, search: str, binder: Binder) -> Visible:
    return Visible(table, lambda shift: (window.earlier(shift) if shift else window).conditions(table, search, binder))


def _made_events(found: Sequence[Sequence[object]], *, pack_meta: bool) -> list[dict[str, str]]:
    return [rows.event(row) | ({"__pack_meta__": rows.pack_meta(row)} if pack_meta else {}) for row in found]


def _arrived(found: Sequence[Sequence[object]]) -> list[dict[str, str]]:
    return [rows.event(row) for row in sorted(found, key=tailing.arrival)]


def _made_rows(cells: Sequence[tuple[str, str, Type]], found: Sequence[Sequence[object]]) -> list[dict[str, str]]:
    return [{key: as_sls(value, engine_type, kind) for (key, engine_type, kind), value in zip(cells, row, strict=True)} for row in found]


def _answer(
    made: list[dict[str, str]],
    found: Rows,
    binder: Binder,
    search: str,
    *,
    sql: str | None = None,
    columns: Sequence[tuple[str, Type]] = (),
) -> Answer:
    return Answer(
        made,
        [key for key, _ in columns],
        [kind.value for _, kind in columns],
        search.strip(),
        sql,
        found.read_rows,
        found.read_bytes,
        found.elapsed,
        found.partial,
        tuple(binder.unindexed),
    )
