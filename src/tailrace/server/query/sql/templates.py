"""What a function becomes for the engine, spelt as SQL with `_1`, `_2`, … for its arguments."""

import re
from collections.abc import Sequence
from functools import cache

import sqlglot
from sqlglot import exp

from tailrace.server.query.sql.allowlist import Presto, refuse

MAX_WRITTEN = 50_000
"""Nodes that templates put into one statement. An argument may stand in one several times, and again in that of the call around it: a few
dozen calls in each other would fill the memory."""
_WRITTEN = "written"
_ARGUMENT = re.compile(r"_(\d+)")


def filled(template: str, arguments: Sequence[exp.Expr]) -> exp.Expr:
    """The template's tree with copies of the arguments in their places. Raises ApiError(400) where they are too many in the statement."""
    tree = _parsed(template).copy()
    for column in list(tree.find_all(exp.Column)):
        place = _ARGUMENT.fullmatch(column.name)
        if place is not None:
            argument = counted(arguments[int(place[1]) - 1]).copy()
            if column is tree:
                return argument
            column.replace(exp.Paren(this=argument) if isinstance(argument, exp.Binary | exp.Not) else argument)
    return tree


def counted(argument: exp.Expr) -> exp.Expr:
    """The argument, which is about to be copied. Raises ApiError(400) where its statement would have too many of them."""
    meta = argument.root().meta
    meta[_WRITTEN] = meta.get(_WRITTEN, 0) + sum(1 for _ in argument.walk())
    if meta[_WRITTEN] > MAX_WRITTEN:
        raise refuse("the SQL has too many calls in each other")
    return argument


def chosen(templates: Sequence[str], arguments: int) -> str | None:
    """The template for so many arguments."""
    return next((template for template in templates if _highest(template) == arguments), None)


def calls(template: str) -> set[str]:
    """Names of the engine's functions that it uses."""
    return {call.name for call in _parsed(template).find_all(exp.Anonymous)}


def _highest(template: str) -> int:
    return max((int(place) for place in _ARGUMENT.findall(template)), default=0)


@cache
def _parsed(template: str) -> exp.Expr:
    """Parameters of lambdas lose their quotes, as the engine wants them."""
    (tree,) = sqlglot.parse(f"SELECT {template}", dialect=Presto)
    assert isinstance(tree, exp.Select)
    (found,) = tree.expressions
    for function in list(found.find_all(exp.Lambda)):
        names = {parameter.name for parameter in function.expressions}
        for identifier in list(function.find_all(exp.Identifier)):
            if identifier.name in names:
                column = identifier.parent if isinstance(identifier.parent, exp.Column) else identifier
                column.replace(exp.Var(this=identifier.name))
    return found.pop()
