"""Compiles the SQL half of a query: checked, resolved, with a limit, over CTEs that each carry their own time range and search."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.allowlist import Presto, parse_select, refuse
from tailrace.server.query.sql.comparing import expand
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.grouping import is_plain, without_null
from tailrace.server.query.sql.relations import VirtualTable
from tailrace.server.query.sql.resolver import Resolver
from tailrace.server.query.sql.series import Series, find_series
from tailrace.server.store.port import TableSpec

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000_000
DEFAULT_TABLE = "log"


@dataclass(frozen=True, slots=True)
class Visible:
    """A logstore that a statement may read, and what is true of every row that it sees there."""

    table: TableSpec
    conditions: Callable[[int], Sequence[str]]
    """Of the number of seconds by which a comparison looks earlier."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Ready for the engine under `dialect='trino'`. `columns` are the user's names with the types that the text form depends on."""

    text: str
    columns: list[tuple[str, Type]]
    inner_names: dict[str, str]
    """What our names for columns (`x3`) stand for, for messages."""
    series: Series | None = None
    """How gaps in time are to be filled."""


def compile_sql(sql: str, visible: Mapping[str, Visible], binder: Binder) -> Statement:
    """`visible` maps names of virtual tables to logstores; `log` is the default one. Raises ApiError(400, ParameterInvalid)."""
    select = parse_select(_with_quotes(sql, visible))
    tables = _tables(visible, binder)
    _default_source(select)
    resolver = Resolver(tables, binder)
    series = find_series(select)
    try:
        expand(select)
        relation = resolver.query(select)
        _limit(select)
        if is_plain(select) and len(resolver.used) == 1:
            without_null(cast("exp.Select", select), resolver.used, binder)
        definitions = [f"{name} AS ({table.definition(_conditions(table, visible))})" for name, table in resolver.used.items()]
        own = select.args["with_"].expressions if select.args.get("with_") else []
        select.set("with_", None)
        definitions += [_text(cte) for cte in own]
        text = _text(select)
    except RecursionError:
        raise refuse("the SQL is nested too deeply") from None
    with_clause = f"WITH {', '.join(definitions)} " if definitions else ""
    inner_names = {column.inner: column.name for table in resolver.used.values() for column in table.columns}
    return Statement(with_clause + text, [(column.name, column.type) for column in relation.columns], inner_names, series)


def _with_quotes(sql: str, names: Iterable[str]) -> str:
    """Logstores' names may hold `-` and need no quotes after FROM and JOIN all the same."""
    odd = sorted((re.escape(name) for name in names if "-" in name), key=len, reverse=True)
    if not odd:
        return sql
    spelt = re.compile(rf"('(?:[^']|'')*'|\"[^\"]*\")|\b(from|join)(\s+)({'|'.join(odd)})(?![\w-])", re.IGNORECASE)
    return spelt.sub(lambda found: found[0] if found[1] else f'{found[2]}{found[3]}"{found[4]}"', sql)


def _tables(visible: Mapping[str, Visible], binder: Binder) -> dict[str, VirtualTable]:
    """One virtual table per logstore, whatever names it goes by."""
    made: dict[int, VirtualTable] = {}
    for each in visible.values():
        made.setdefault(each.table.logstore, VirtualTable(each.table, binder, f"__logs{len(made)}"))
    return {name: made[each.table.logstore] for name, each in visible.items()}


def _conditions(table: VirtualTable, visible: Mapping[str, Visible]) -> Sequence[str]:
    return next(each.conditions(table.shift) for each in visible.values() if each.table.logstore == table.table.logstore)


def _default_source(query: exp.Expr) -> None:
    """`from log` may be left out."""
    if isinstance(query, exp.SetOperation):
        _default_source(query.this)
        _default_source(query.args["expression"])
    elif isinstance(query, exp.Select) and not query.args.get("from_"):
        query.set("from_", exp.From(this=exp.Table(this=exp.Identifier(this=DEFAULT_TABLE, quoted=True))))


def _limit(query: exp.Expr) -> None:
    limit = query.args.get("limit")
    if limit is None:
        query.set("limit", exp.Limit(expression=exp.Literal.number(DEFAULT_LIMIT)))
    elif int(limit.expression.name) > MAX_LIMIT:
        raise refuse(f"LIMIT is at most {MAX_LIMIT}")


def _text(node: exp.Expr) -> str:
    for identifier in node.find_all(exp.Identifier):
        identifier.set("quoted", True)
    try:
        return node.sql(dialect=Presto, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise refuse(f"cannot run the SQL: {str(error).splitlines()[0]}") from None
