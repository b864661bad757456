"""What a SQL statement can select from: virtual tables over logstores, and the relations that its own sub-queries make.

A virtual table shows a logstore's analysable fields under the users' names. Inside the statement they get opaque names (`x0`), because a
field may be called anything at all and no user's name may become an identifier of the engine.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.contract import Type
from tailrace.server.store.port import TAG_PREFIX, FieldIndex, TableSpec
from tailrace.server.store.schema import table_name

_TYPES = {"text": Type.VARCHAR, "json": Type.VARCHAR, "long": Type.BIGINT, "double": Type.DOUBLE}
_RESERVED = (
    ("__time__", Type.BIGINT, "toInt64(toUnixTimestamp(time))"),
    ("__source__", Type.VARCHAR, "source"),
    ("__topic__", Type.VARCHAR, "topic"),
)
_MOST_ASKED = 8
"""Text fields of one statement for which it is worth asking whether any event lacks them: each is a question to the engine's metadata."""
_DATE = "formatDateTime(toTimeZone(time, timezone()), '%Y-%m-%d %H:%i:%S')"


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is what the user calls it, `inner` what the emitted statement calls it."""

    name: str
    inner: str
    type: Type = Type.UNKNOWN


class Relation:
    """Columns in order. Names compare without case, an exact match wins."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)

    def find(self, name: str) -> Column | None:
        exact = next((column for column in self.columns if column.name == name), None)
        return exact or next((column for column in self.columns if column.name.lower() == name.lower()), None)

    def use(self, column: Column) -> None:
        """Called for each column that a statement reads."""


class VirtualTable(Relation):
    """One logstore as SQL sees it. Tags and `__date__` are there for those who name them, and not part of `*`."""

    def __init__(self, table: TableSpec, binder: Binder, inner_name: str, shift: int = 0) -> None:
        super().__init__([])
        self.table = table
        self.shift = shift
        """Seconds by which its rows are earlier than they say."""
        self.inner_name = inner_name
        self._binder = binder
        self._sources: dict[str, str | FieldIndex] = {}
        self._unlisted = Relation([])
        self._used: dict[str, None] = {}
        self._known: dict[str, str] = {}
        for name, kind, expression in _RESERVED:
            self.columns.append(self._column(name, kind, expression + (f" + {shift}" if name == "__time__" and shift else "")))
        for index in self._analysable():
            self.columns.append(self._column(index.key, _TYPES[index.type], index))

    def find(self, name: str) -> Column | None:
        return super().find(name) or self._unlisted.find(name) or self._add_unlisted(name)

    def use(self, column: Column) -> None:
        self._used[column.inner] = None

    def earlier(self, shift: int) -> "VirtualTable":
        """The same logstore so many seconds before."""
        return VirtualTable(self.table, self._binder, f"{self.inner_name}_{shift}", shift)

    def may_be_missing(self, inner: str) -> bool:
        """Whether it is text that is NULL where an event has no such field."""
        source = self._sources.get(inner)
        return isinstance(source, FieldIndex) and source.type in ("text", "json")

    def known(self, inner: str, missing: str) -> str:
        """What a text column that `may_be_missing` is called where it is `missing`, a bound text, instead of NULL."""
        self._known[inner] = missing
        return f"{inner}_known"

    def definition(self, conditions: Sequence[str]) -> str:
        """The body of the CTE: only what the statement uses, and always under the conditions."""
        used = [f"{self._expression(self._sources[inner])} AS {inner}" for inner in self._used] or ["1 AS x"]
        for inner, missing in self._known.items():
            source = self._sources[inner]
            assert isinstance(source, FieldIndex), inner
            used.append(f"if({self._is_missing(source)}, {missing}, {source.column}) AS {inner}_known")
        return f"SELECT {', '.join(used)} FROM {table_name(self.table.logstore)} WHERE {' AND '.join(conditions)}"  # noqa: S608 - no user text

    def _analysable(self) -> list[FieldIndex]:
        reserved = {name for name, _, _ in _RESERVED}
        return [index for index in self.table.fields if index.doc_value and index.key not in reserved]

    def _add_unlisted(self, name: str) -> Column | None:
        aliased = next((index for index in self._analysable() if index.alias.lower() == name.lower() != ""), None)
        if aliased is not None:
            return self._unlist(name, _TYPES[aliased.type], aliased)
        if name == "__date__":
            return self._unlist(name, Type.VARCHAR, _DATE.replace("(time,", f"(time + toIntervalSecond({self.shift}),"))
        if name.startswith(TAG_PREFIX):
            bound = self._binder.bind(name.removeprefix(TAG_PREFIX))
            return self._unlist(name, Type.VARCHAR, f"if(has(mapKeys(tags), {bound}), tags[{bound}], NULL)")
        return None

    def _unlist(self, name: str, kind: Type, source: "str | FieldIndex") -> Column:
        column = self._column(name, kind, source)
        self._unlisted.columns.append(column)
        return column

    def _column(self, name: str, kind: Type, source: "str | FieldIndex") -> Column:
        inner = f"x{len(self._sources)}"
        self._sources[inner] = source
        return Column(name, inner, kind)

    def _expression(self, source: "str | FieldIndex") -> str:
        """A text column says '' for a field that is missing: SQL wants NULL."""
        if isinstance(source, str):
            return source
        if source.type in ("long", "double"):
            return source.column
        return f"if({self._is_missing(source)}, NULL, {source.column})"

    def _is_missing(self, source: FieldIndex) -> str:
        """Whether an event lacks a text field.

        Where no event of the logstore has '' there, which the engine knows without reading any, all of it is a constant: names of fields
        are not read (docs/adr/0037). `fields.keys` is the part of the map that has to be read else; `mapKeys(fields)` would read all of it.
        """
        if source.parent:
            whole = next(index.column for index in self.table.fields if index.key == source.parent)
            path = ", ".join(self._binder.bind(name) for name in source.path)
            lacking = f"JSONType({whole}, {path}) = 'Null'"
        else:
            container = "tags" if source.key.startswith(TAG_PREFIX) else "fields"
            lacking = f"NOT has({container}.keys, {self._binder.bind(source.key.removeprefix(TAG_PREFIX))})"
        empty = f"{source.column} = ''"
        asked = sum(1 for inner in self._used if self.may_be_missing(inner))
        there_are = f"(SELECT count() FROM {table_name(self.table.logstore)} WHERE {empty}) > 0 AND "  # noqa: S608 - no user text
        return f"{there_are if asked <= _MOST_ASKED else ''}{empty} AND {lacking}"


def unresolved(kind: str, name: str, known: Sequence[str]) -> ApiError:
    """SLS's own sentence for a name that nothing has, with the nearest name that something has."""
    spelt = {each.lower(): each for each in known}
    nearest = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.6)
    suggestion = f"; did you mean `{spelt[nearest[0]]}`?" if nearest else ""
    return ApiError(400, "ParameterInvalid", f"{kind} `{name}` cannot be resolved{suggestion}")
