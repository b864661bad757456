"""GROUP BY of text fields, said so that the engine does it fast: it groups texts that may be NULL at half the speed of those that are not
(docs/adr/0035)."""

import secrets
from collections.abc import Mapping

from sqlglot import exp

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.relations import VirtualTable
from tailrace.server.query.sql.special import function

_SETS = (exp.Rollup, exp.Cube, exp.GroupingSets)
"""Of groups, wherever the parser puts them. `grouping` asks for the very key that is written there."""


def is_plain(query: exp.Expr) -> bool:
    """One SELECT … GROUP BY over one table: what most dashboards ask, and all that is made fast here."""
    if not isinstance(query, exp.Select) or query.args.get("joins") or sum(1 for _ in query.find_all(exp.Query)) > 1:
        return False
    group = query.args.get("group")
    return (
        group is not None
        and group.find(*_SETS) is None
        and not any(call.name.lower() == "grouping" for call in query.find_all(exp.Anonymous))
    )


def without_null(select: exp.Select, tables: Mapping[str, VirtualTable], binder: Binder) -> None:
    """Groups by a text of this query alone where a field is missing. It becomes NULL again in what is selected, so the answer is the same.
    `tables` are those that the resolved statement selects from."""
    (source,) = select.find_all(exp.Table)
    table = tables[source.name]
    group = select.args["group"]
    keys = [(key, column) for key in group.expressions if (column := _meant(key, select)) and table.may_be_missing(column.name)]
    missing = exp.Var(this=binder.bind(f"\x00missing {secrets.token_hex(8)}")) if keys else exp.Null()
    for key, column in keys:
        known = exp.column(exp.to_identifier(table.known(column.name, str(missing.name)), quoted=True), column.args["table"].copy())
        for clause in [*select.expressions, select.args.get("having"), select.args.get("order")]:
            for found in [each for each in (clause.find_all(exp.Column) if clause else ()) if each == column]:
                found.replace(function("nullIf", known, missing))
        key.replace(known.copy())


def _meant(key: exp.Expr, select: exp.Select) -> exp.Column | None:
    """The table's column that a key is: itself, or what it names by its place or alias."""
    if isinstance(key, exp.Literal) and key.name.isdigit() and 0 < int(key.name) <= len(select.expressions):
        key = select.expressions[int(key.name) - 1].this
    elif isinstance(key, exp.Column) and not key.table:
        key = next((item.this for item in select.expressions if item.alias == key.name), key)
    return key.copy() if isinstance(key, exp.Column) and key.table else None
