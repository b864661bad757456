"""The expressions of SPL's stages: those of SQL over the fields of one event, with each name put in its meaning's place."""

from collections.abc import Callable

from sqlglot import exp

from tailrace.server.query.sql.allowlist import MAX_NODES, check_size, parse_select, refuse
from tailrace.server.query.sql.functions import AGGREGATES


def read_expression(text: str, stage: str, lookup: Callable[[str], exp.Expr]) -> tuple[exp.Expr, int]:
    """The tree in which `lookup` stands for each name, and how many nodes it has. Raises ApiError(400, ParameterInvalid)."""
    select = parse_select(f"SELECT ({text}\n)")
    alone = isinstance(select, exp.Select) and not [name for name, value in select.args.items() if value and name != "expressions"]
    if not alone or len(select.expressions) != 1 or not isinstance(select.expressions[0], exp.Paren):
        raise refuse(f"`{stage}` takes one expression over the fields of an event")
    (expression,) = select.expressions
    for node in list(expression.walk()):
        _check(node, stage)
    size = 0
    for column in list(expression.find_all(exp.Column)):
        if not _is_parameter(column):
            meaning = exp.Paren(this=lookup(column.name))
            size += sum(1 for _ in meaning.walk())
            if size > MAX_NODES:
                raise refuse(f"the stages before `{stage}` are too many or too long together")
            column.replace(meaning)
    return expression, check_size(expression, f"`{stage}` with the stages before it")


def _check(node: exp.Expr, stage: str) -> None:
    if isinstance(node, exp.Query | exp.Window | exp.Star | exp.Filter):
        raise refuse(f"`{stage}` sees one event at a time: no sub-queries, windows or `*`")
    if isinstance(node, exp.Anonymous) and str(node.this).lower() in AGGREGATES:
        raise refuse(f"`{stage}` sees one event at a time: `{node.this}` goes over several")
    if isinstance(node, exp.Column) and node.table:
        raise refuse(f'`{stage}` knows no tables: put double quotes around the field\'s name, `"{node.table}.{node.name}"`')


def _is_parameter(column: exp.Column) -> bool:
    """Of a lambda around it."""
    ancestor = column.find_ancestor(exp.Lambda)
    while ancestor is not None:
        if column.name in {parameter.name for parameter in ancestor.expressions}:
            return True
        ancestor = ancestor.find_ancestor(exp.Lambda)
    return False
