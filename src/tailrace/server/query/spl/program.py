"""What the `query` of PullLogs does to the events of a shard: the engine decides what is kept and computes what is added, by the
functions of SQL; then each event gets the fields that the stages leave it.

    * | parse-json content | where cast(status as bigint) >= 500 | extend path = lower(uri) | project path, status

Here every field is text, whatever its index; what is missing is NULL.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from tailrace.errors import ApiError
from tailrace.server.query import encoding
from tailrace.server.query.search.ast import Node
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.query.spl.expressions import read_expression
from tailrace.server.query.spl.stages import Drop, Extend, Keep, ParseJson, Rename, Stage, Where, read_stages
from tailrace.server.query.spl.stream import BASE, FOUND, StreamTable
from tailrace.server.query.sql.allowlist import MAX_NODES, Presto, check_size, refuse
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.resolver import Resolver
from tailrace.server.query.sql.values import as_sls, as_text
from tailrace.server.query.tailing import number
from tailrace.server.store.port import TAG_PREFIX, Rows, TableSpec

Lookup: TypeAlias = Callable[[str], exp.Expr]
Fields: TypeAlias = dict[str, object]
_SOURCE = "log"


@dataclass(frozen=True, slots=True)
class Result:
    """Of one event. `row` is as `encoding` wants it; `size` are the bytes of its fields before."""

    group: int
    row: encoding.Row
    size: int
    kept: bool
    failed: bool = False


class Program:
    """Raises ApiError(400, ParameterInvalid) for what cannot be read; `statement` for what a function does not take."""

    def __init__(self, text: str) -> None:
        search, self._stages = read_stages(text)
        self._search: Node = parse_search(search)
        self._conditions: list[exp.Expr] = []
        self._added: list[exp.Expr] = []
        self._kinds: list[Type] = []
        self._nodes = 0
        lookup: Lookup = _field
        try:
            for stage in self._stages:
                lookup = self._after(stage, lookup)
        except RecursionError:
            raise _too_deep() from None

    def statement(self, table: TableSpec, where: str, binder: Binder) -> str:
        """One SELECT over the rows for which `where` holds: the base columns, bytes, whether it is kept, and what is added."""
        try:
            return self._statement(table, where, binder)
        except RecursionError:
            raise _too_deep() from None

    def _statement(self, table: TableSpec, where: str, binder: Binder) -> str:
        stream = StreamTable(table, binder, Predicates(table, binder).write(self._search))
        kept = exp.and_(_field(FOUND), *(condition.copy() for condition in self._conditions), copy=False)
        wanted = [*map(_field, BASE), kept, *(value.copy() for value in self._added)]
        items = [exp.alias_(item, exp.to_identifier(f"o{place}", quoted=True)) for place, item in enumerate(wanted)]
        select = exp.Select(expressions=items, from_=exp.From(this=exp.to_table(_SOURCE)))
        check_size(select, "what the stages of `query` say")
        relation = Resolver({_SOURCE: stream}, binder).query(select)
        self._kinds = [column.type for column in relation.columns[len(BASE) + 1 :]]
        inner = select.sql(dialect=Presto, unsupported_level=ErrorLevel.RAISE, normalize_functions=False)
        return f"WITH {stream.inner_name} AS ({stream.definition([where])}) {_emptied(inner, len(BASE), len(self._added))}"

    def given(self, found: Rows) -> list[Result]:
        """In any order. Of rows that came of `statement`."""
        types = found.types[len(BASE) + 1 :]
        return [self._result(row, types) for row in found.rows]

    # --- what the engine does ----------------------------------------------------------------------------------------------------------
    def _after(self, stage: Stage, before: Lookup) -> Lookup:
        """What a name means behind the stage."""
        match stage:
            case Where():
                self._conditions.append(self._read(stage.condition, "where", before))
                return before
            case Extend():
                value = self._read(stage.expression, f"extend {stage.name}", before)
                self._added.append(value)
                return lambda name: value.copy() if name == stage.name else before(name)
            case Keep() | Rename():
                return _renamed(dict(stage.names), before, others=isinstance(stage, Rename))
            case Drop():
                return lambda name: exp.Null() if name in stage.names else before(name)
            case ParseJson():
                return lambda name: _member(name, stage, before)

    def _read(self, text: str, stage: str, before: Lookup) -> exp.Expr:
        expression, nodes = read_expression(text, stage, before)
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise _too_long()
        return expression

    # --- what each event gets ----------------------------------------------------------------------------------------------------------
    def _result(self, row: Sequence[object], types: Sequence[str]) -> Result:
        base, size, kept, added = row[: len(BASE) - 1], number(row[len(BASE) - 1]), row[len(BASE)], row[len(BASE) + 1 :]
        if not kept:
            return Result(number(base[0]), base, size, kept=False)
        if not self._stages:
            return Result(number(base[0]), base, size, kept=True)
        values = iter(
            [None if value is None else as_sls(value, kind, mean) for value, kind, mean in zip(added, types, self._kinds, strict=True)]
        )
        fields, failed = _fields(base), False
        for stage in self._stages:
            match stage:
                case Extend():
                    _set(fields, stage.name, next(values))
                case Keep():
                    fields = {name: fields[old] for name, old in stage.names if old in fields}
                case Drop():
                    fields = {name: value for name, value in fields.items() if name not in stage.names}
                case Rename():
                    fields = _with_names(fields, stage)
                case ParseJson():
                    failed |= not _take_apart(fields, stage)
                case Where():
                    pass
        return Result(number(base[0]), _row(base, fields), size, kept=True, failed=failed)


def _emptied(inner: str, base: int, added: int) -> str:
    """What is not kept weighs nothing: its keys and values stay where they are. All names are ours."""
    columns = [f"o{place}" for place in range(base + 1 + added)]
    kept = columns[base]
    for place in (base - 3, base - 2):
        columns[place] = f"if(ifNull({kept}, 0), {columns[place]}, emptyArrayString())"
    return f"SELECT {', '.join(columns)} FROM ({inner}) AS made"  # noqa: S608 - checked before


def _too_long() -> ApiError:
    return refuse("the stages of `query` are too many or too long together")


def _too_deep() -> ApiError:
    return refuse("what the stages of `query` say is nested too deeply")


def _field(name: str) -> exp.Expr:
    return exp.column(exp.to_identifier(name, quoted=True))


def _renamed(names: Mapping[str, str], before: Lookup, *, others: bool) -> Lookup:
    def lookup(name: str) -> exp.Expr:
        if name in names:
            return before(names[name])
        return before(name) if others and name not in names.values() else exp.Null()

    return lookup


def _member(name: str, stage: ParseJson, before: Lookup) -> exp.Expr:
    """Of the object if it has one, else the field of that name. Three times as large with each stage: too large ones are never made."""
    if not name.startswith(stage.prefix) or name.startswith("__") or '"' in name or "\\" in name:
        return before(name)
    path = exp.Literal.string(f'$["{name.removeprefix(stage.prefix)}"]')
    document, own = before(stage.field), before(name)
    if 2 * _nodes(document) + _nodes(own) > MAX_NODES:
        raise _too_long()
    scalar = exp.Anonymous(this="json_extract_scalar", expressions=[document.copy(), path.copy()])
    whole = exp.Anonymous(this="json_format", expressions=[exp.Anonymous(this="json_extract", expressions=[document, path])])
    return exp.Anonymous(this="coalesce", expressions=[scalar, whole, own])


def _nodes(tree: exp.Expr) -> int:
    return sum(1 for _ in tree.walk())


def _fields(base: Sequence[object]) -> Fields:
    """Everything that a stage may name; of a repeated key the first counts."""
    _, _, _, source, topic, tag_names, tag_values, names, values = base
    found: Fields = {}
    for name, value in zip(_list(names), _list(values), strict=True):
        found.setdefault(as_text(name), value)
    found |= {TAG_PREFIX + as_text(name): value for name, value in zip(_list(tag_names), _list(tag_values), strict=True)}
    return found | {"__source__": source, "__topic__": topic}


def _row(base: Sequence[object], fields: Fields) -> encoding.Row:
    tags = {name: value for name, value in fields.items() if name.startswith(TAG_PREFIX)}
    own = {name: value for name, value in fields.items() if name not in tags and name not in ("__source__", "__topic__")}
    names = [name.removeprefix(TAG_PREFIX) for name in tags]
    place = (fields.get("__source__", ""), fields.get("__topic__", ""))
    return (*base[:3], *place, names, list(tags.values()), list(own), list(own.values()))


def _set(fields: Fields, name: str, value: str | None) -> None:
    if value is None:
        fields.pop(name, None)
    else:
        fields[name] = value


def _with_names(fields: Fields, stage: Rename) -> Fields:
    new = {old: name for name, old in stage.names}
    taken = {name for name, old in stage.names if old in fields}
    return {new.get(name, name): value for name, value in fields.items() if name in new or name not in taken}


def _take_apart(fields: Fields, stage: ParseJson) -> bool:
    """Whether there was nothing to take apart, or it could be."""
    if stage.field not in fields:
        return True
    try:
        document = json.loads(as_text(fields[stage.field]))
        if not isinstance(document, dict):
            return False
        members = {stage.prefix + name: _member_text(value) for name, value in document.items() if value is not None}
    except (ValueError, RecursionError):
        return False
    fields.update({name: value for name, value in members.items() if not name.startswith("__")})
    return True


def _member_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
