"""Reads SQL and lets through only what is known to be harmless: SELECT in the Presto dialect, made of the kinds of nodes listed here.

Function calls stay as they are written (the parser knows no functions), so that the text that runs is the text that was checked.
"""

import difflib
import logging
import re
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ErrorLevel, SqlglotError, TokenError

from tailrace.errors import ApiError

MAX_NODES = 5000
MAX_DEPTH = 200
"""Nobody writes more; and the walks over the tree are recursive."""

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what is refused here anyway


class Presto(Trino):
    """Trino's grammar, with function calls taken word for word."""

    class Parser(Trino.Parser):
        FUNCTIONS: dict[str, Any] = {}  # noqa: RUF012 - sqlglot's own way of configuring a dialect
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser
            for name, parser in Trino.Parser.FUNCTION_PARSERS.items()
            if name in ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "SUBSTRING")
        }
        NO_PAREN_FUNCTION_PARSERS = {"CASE": Trino.Parser.NO_PAREN_FUNCTION_PARSERS["CASE"]}  # noqa: RUF012


_SIMPLE: tuple[type[exp.Expr], ...] = (
    exp.Identifier, exp.Column, exp.Star, exp.Alias, exp.TableAlias, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Tuple, exp.Array,
    exp.Bracket, exp.Lambda, exp.From, exp.Where, exp.Having, exp.Rollup, exp.Cube, exp.GroupingSets,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is,
    exp.Like, exp.Escape, exp.Between, exp.Exists, exp.Case, exp.If, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe,
    exp.Cast, exp.TryCast, exp.DataTypeParam, exp.Interval, exp.Extract, exp.Trim, exp.StrPosition, exp.Substring, exp.AtTimeZone,
    exp.Filter, exp.WindowSpec, exp.CurrentDate, exp.CurrentTimestamp, exp.Localtimestamp, exp.Anonymous, exp.ColumnDef,
)  # fmt: skip

_QUERY = frozenset({"with_", "order", "limit", "offset"})
_RESTRICTED: dict[type[exp.Expr], frozenset[str]] = {
    exp.Select: _QUERY | {"expressions", "distinct", "from_", "joins", "where", "group", "having"},
    exp.Union: _QUERY | {"this", "expression", "distinct"},
    exp.Except: _QUERY | {"this", "expression", "distinct"},
    exp.Intersect: _QUERY | {"this", "expression", "distinct"},
    exp.Subquery: frozenset({"this", "alias"}),
    exp.With: frozenset({"expressions"}),
    exp.CTE: frozenset({"this", "alias"}),
    exp.Table: frozenset({"this", "alias"}),
    exp.Join: frozenset({"this", "on", "using", "side", "kind"}),
    exp.Unnest: frozenset({"expressions", "alias", "offset"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Order: frozenset({"this", "expressions"}),
    exp.Group: frozenset({"expressions", "grouping_sets", "cube", "rollup"}),
    exp.Distinct: frozenset({"expressions"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Var: frozenset({"this"}),
    exp.DataType: frozenset({"this", "expressions", "nested", "values"}),
}

_TYPES = frozenset({
    "BIGINT", "INT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "VARCHAR", "CHAR", "TEXT", "BOOLEAN", "TIMESTAMP", "TIMESTAMPTZ", "DATE",
    "DECIMAL", "JSON", "ARRAY", "MAP", "STRUCT", "IPADDRESS",
})  # fmt: skip

_STUMBLES = (AttributeError, TypeError, ValueError, LookupError)
"""What the parser raises over some texts that no grammar has, `lateral . as` for one."""

_PLAIN_NAME = re.compile(r'[^\\"`\x00-\x1f\x7f]{1,128}')
_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def refuse(message: str) -> ApiError:
    return ApiError(400, "ParameterInvalid", message)


def is_plain_name(name: str) -> bool:
    """Whether it may stand between double quotes: the engine's lexer would read others differently."""
    return _PLAIN_NAME.fullmatch(name) is not None


def parse_select(sql: str) -> exp.Query:
    """The tree of one SELECT. Raises ApiError(400, ParameterInvalid) for anything else, with line and column of a syntax error."""
    try:
        statements = [statement for statement in sqlglot.parse(sql, dialect=Presto) if statement is not None]
    except SqlglotError as error:
        other = _other_statement(sql) if re.match(r"[\s(]*(select|with)\b", sql, re.IGNORECASE) is None else ""
        raise refuse(other or _syntax_message(error)) from None
    except RecursionError:
        raise refuse("the SQL is nested too deeply") from None
    except _STUMBLES:
        raise refuse("cannot read the SQL: it is no statement") from None
    if len(statements) != 1:
        raise refuse("expected one SELECT statement after `|`" if not statements else "only one SQL statement is allowed")
    (statement,) = statements
    if not isinstance(statement, exp.Select | exp.SetOperation):
        raise refuse(_other_statement(sql))
    check_size(statement, "the SQL")
    for node in statement.walk():
        node.comments = None
        _check_node(node)
    return statement


def _other_statement(sql: str) -> str:
    """By its first word."""
    found = re.search(r"\w{1,40}", sql)
    if found is None:
        return ""
    word = found[0].upper()
    meant = difflib.get_close_matches(word, ("SELECT", "WITH"), n=1)
    return f"only SELECT and WITH … SELECT are allowed, not {word}" + (f"; did you mean {meant[0]}?" if meant else "")


def check_size(tree: exp.Expr, what: str) -> int:
    """How many nodes it has. Raises ApiError(400, ParameterInvalid) for more than may be walked over."""
    depths: dict[int, int] = {}
    for node in tree.walk():
        depth = depths[id(node)] = depths.get(id(node.parent), 0) + 1
        if depth > MAX_DEPTH or len(depths) > MAX_NODES:
            raise refuse(f"{what} is too long or nested too deeply")
    return len(depths)


def _check_node(node: exp.Expr) -> None:
    kind = type(node)
    allowed = _RESTRICTED.get(kind)
    if allowed is None and kind not in _SIMPLE:
        raise refuse(f"`{shown(node)}` is not allowed in a query")
    surplus = sorted(name.strip("_").upper() for name, value in node.args.items() if value and name not in allowed) if allowed else []
    if surplus:
        raise refuse(f"`{shown(node)}` is not allowed in a query ({surplus[0]})")
    match node:
        case exp.Identifier():
            if not is_plain_name(node.name):
                raise refuse("a name must have 1 to 128 characters, without quotes, backslashes and control characters")
        case exp.Anonymous():
            if not isinstance(node.this, str) or not _FUNCTION_NAME.fullmatch(node.this):
                raise refuse(f"`{shown(node)}` is not a function name")
        case exp.Var():
            if not _FUNCTION_NAME.fullmatch(node.name):
                raise refuse(f"`{shown(node)}` is not allowed in a query")
        case exp.DataType():
            if not isinstance(node.this, exp.DataType.Type) or node.this.name not in _TYPES:
                raise refuse(f"type `{shown(node)}` is not supported")
        case _:
            pass


def shown(node: exp.Expr) -> str:
    """As a message names it: in the user's dialect, at most 60 characters."""
    try:
        text = node.sql(dialect=Presto, unsupported_level=ErrorLevel.IGNORE, normalize_functions=False)
    except (SqlglotError, *_STUMBLES):
        text = node.key
    return text if len(text) <= 60 else text[:59] + "…"


def _syntax_message(error: SqlglotError) -> str:
    details: list[dict[str, Any]] = getattr(error, "errors", None) or [{}]
    first = details[0]
    if first.get("line"):
        where, near = f"line {first['line']}, column {first['col']}", first.get("highlight") or "the end"
        problem = str(first["description"]).partition(":")[0].rstrip(".").lower()
        return f"cannot read the SQL at {where}, near `{near}`: {problem}"
    if isinstance(error, TokenError):
        return "cannot read the SQL: a quote that opens in it is never closed (text stands in single quotes, names in double quotes)"
    return f"cannot read the SQL: {str(error).splitlines()[0].rstrip('.')}"
