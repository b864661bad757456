"""Which fields the events of a search have, and what stands in one of them: for the side bar of a console, and for completion."""

from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.service import SCAN, Queries
from tailrace.server.query.sql.values import as_text
from tailrace.server.query.tailing import number
from tailrace.server.query.window import Window
from tailrace.server.store.port import TAG_PREFIX, EngineQuery, Partial, TableSpec
from tailrace.server.store.schema import table_name

MAX_FIELDS = 1_000
TOP = 10


@dataclass(frozen=True, slots=True)
class Field:
    """`type` is that of the index, "" without one. `events` have it."""

    name: str
    type: str
    events: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one field. `present` of all `events` have it; `distinct` is exact up to some ten thousands, then within about 1 %."""

    events: int
    present: int
    distinct: int
    top: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Seen:
    """The events that a search finds in a window."""

    queries: Queries
    table: TableSpec
    search: str
    window: Window

    async def fields(self) -> tuple[int, list[Field]]:
        """How many events there are, and their fields, the most frequent first."""
        binder = Binder()
        keys = f"arrayDistinct(arrayConcat(mapKeys(fields), arrayMap(tag -> concat({binder.bind(TAG_PREFIX)}, tag), mapKeys(tags))))"
        text = f"SELECT arrayJoin({keys}) AS key, count() AS events {self._from(binder)} GROUP BY key ORDER BY events DESC, key"
        found = await self._ask(f"{text} LIMIT {MAX_FIELDS}", binder)
        ((total,),) = await self._ask(f"SELECT count() {self._from(binder)}", binder)
        types = {index.key: index.type for index in self.table.fields}
        return number(total), [Field(as_text(key), types.get(as_text(key), ""), number(events)) for key, events in found]

    async def statistics(self, field: str) -> Statistics:
        """Of a field, or of `__source__`, `__topic__` and `__tag__:…`."""
        binder = Binder()
        value, there = _place(field, binder)
        whole = f"SELECT count(), countIf({there}), uniqCombinedIf({value}, {there}) {self._from(binder)}"
        ((events, present, distinct),) = await self._ask(whole, binder)
        return Statistics(number(events), number(present), number(distinct), await self._top(value, there, binder))

    async def values(self, field: str, prefix: str) -> list[str]:
        """The most frequent values of a field that begin so, whatever their case; among the first events, where it may not read all."""
        binder = Binder()
        value, there = _place(field, binder)
        begins = f"startsWith(lower({value}), lower({binder.bind(prefix)}))"
        return [found for found, _ in await self._top(value, f"{there} AND {begins}", binder, "rows")]

    async def _top(self, value: str, condition: str, binder: Binder, partial: Partial = "never") -> list[tuple[str, int]]:
        text = f"SELECT {value} AS value, count() AS events {self._from(binder)} AND {condition} GROUP BY value ORDER BY events DESC, value"
        return [(as_text(each), number(events)) for each, events in await self._ask(f"{text} LIMIT {TOP}", binder, partial)]

    def _from(self, binder: Binder) -> str:
        return f"FROM {table_name(self.table.logstore)} WHERE {' AND '.join(self.window.conditions(self.table, self.search, binder))}"

    async def _ask(self, text: str, binder: Binder, partial: Partial = "never") -> Sequence[Sequence[object]]:
        """All user text is bound. A scan, whatever the search: each event that it finds is read. Counts are whole, or it fails."""
        return (await self.queries.run(EngineQuery(text, binder.parameters, limits=self.queries.limits(SCAN, partial)))).rows


def _place(field: str, binder: Binder) -> tuple[str, str]:
    """The value, and whether an event has one."""
    if field in ("__source__", "__topic__"):
        column = field.strip("_")
        return column, f"{column} != ''"
    column, key = ("tags", field.removeprefix(TAG_PREFIX)) if field.startswith(TAG_PREFIX) else ("fields", field)
    bound = binder.bind(key)
    return f"{column}[{bound}]", f"mapContains({column}, {bound})"
