"""Types of expressions, from the leaves up, and the places where Presto's meaning has to be spelt out for the engine.

Each rewrite is one that was seen to differ (storage-engine.md §7): integer division, times given as numbers, three constructs that the
engine's Trino dialect does not take, and text that its lexer would read in another way than the parser here did.
"""

import re
from collections.abc import Callable

from sqlglot import exp

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.allowlist import refuse
from tailrace.server.query.sql.functions import FUNCTIONS, Like, Type, check_function

_KEY = "tailrace_type"
_SAFE_TEXT = re.compile(r"[^\\\x00-\x1f\x7f]*")

_CONDITIONS = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.And, exp.Or, exp.Not, exp.Like, exp.Between,
    exp.In, exp.Is, exp.Exists,
)  # fmt: skip
_FIXED: dict[type[exp.Expr], Type] = {
    **dict.fromkeys(_CONDITIONS, Type.BOOLEAN),
    exp.Boolean: Type.BOOLEAN,
    exp.DPipe: Type.VARCHAR,
    exp.Trim: Type.VARCHAR,
    exp.Substring: Type.VARCHAR,
    exp.StrPosition: Type.BIGINT,
    exp.Extract: Type.BIGINT,
    exp.CurrentDate: Type.DATE,
    exp.CurrentTimestamp: Type.TIMESTAMP,
    exp.Localtimestamp: Type.TIMESTAMP,
    exp.AtTimeZone: Type.TIMESTAMP,
}
_CASTS = {
    **dict.fromkeys(("BIGINT", "INT", "SMALLINT", "TINYINT"), Type.BIGINT),
    **dict.fromkeys(("DOUBLE", "FLOAT", "DECIMAL"), Type.DOUBLE),
    **dict.fromkeys(("VARCHAR", "CHAR", "TEXT"), Type.VARCHAR),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ"), Type.TIMESTAMP),
    "BOOLEAN": Type.BOOLEAN,
    "DATE": Type.DATE,
}


def type_of(node: exp.Expr) -> Type:
    return node.meta.get(_KEY, Type.UNKNOWN)


def set_type(node: exp.Expr, kind: Type) -> None:
    node.meta[_KEY] = kind


def settle(node: exp.Expr, binder: Binder) -> None:
    """Give `node`, whose children are settled, its type; rewrite it where needed. Raises ApiError for a function that is not allowed."""
    match node:
        case exp.Literal():
            _literal(node, binder)
        case exp.Paren() | exp.Neg() | exp.Window() | exp.Filter():
            set_type(node, type_of(node.this))
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Mod():
            set_type(node, _arithmetic(type_of(node.this), type_of(node.expression)))
        case exp.Div():
            _divide(node)
        case exp.Cast() | exp.TryCast():
            set_type(node, _CASTS.get(node.to.this.name, Type.UNKNOWN))
        case exp.Case():
            set_type(node, type_of(node.args["ifs"][0].args["true"]))
        case exp.Anonymous():
            _call(node)
        case _:
            set_type(node, _FIXED.get(type(node), Type.UNKNOWN))


def _literal(node: exp.Literal, binder: Binder) -> None:
    """A backslash escapes for the engine's lexer and not for Presto's: text that holds one is bound, never written."""
    if not node.is_string:
        set_type(node, Type.BIGINT if node.name.isdigit() else Type.DOUBLE)
    elif _SAFE_TEXT.fullmatch(node.name):
        set_type(node, Type.VARCHAR)
    else:
        bound = exp.Var(this=binder.bind(node.name))
        set_type(bound, Type.VARCHAR)
        node.replace(bound)


def _arithmetic(left: Type, right: Type) -> Type:
    kinds = {left, right}
    if kinds == {Type.BIGINT}:
        return Type.BIGINT
    if kinds <= {Type.BIGINT, Type.DOUBLE}:
        return Type.DOUBLE
    return next((kind for kind in (Type.TIMESTAMP, Type.DATE) if kind in kinds), Type.UNKNOWN)


def _divide(node: exp.Div) -> None:
    """Presto divides integers to an integer; the engine's `/` always gives a fraction."""
    left, right = node.this, node.expression
    kind = _arithmetic(type_of(left), type_of(right))
    if kind is Type.BIGINT:
        _become(node, _function("intDivOrNull", left, right), Type.BIGINT)
    else:
        set_type(node, kind)


def _call(node: exp.Anonymous) -> None:
    name = node.this.lower()
    check_function(name)
    node.set("this", name)
    returned = FUNCTIONS[name]
    arguments = [argument.expressions[0] if isinstance(argument, exp.Distinct) else argument for argument in node.expressions]
    if isinstance(returned, Like):
        returned = type_of(arguments[returned.value]) if len(arguments) > returned.value else Type.UNKNOWN
    set_type(node, Type.TIMESTAMP if name == "date_trunc" else returned)
    if name in _TIME_ARGUMENT:
        _read_times(node, _TIME_ARGUMENT[name])
    elif name in _REWRITES:
        _REWRITES[name](node)


_TIME_PARTS = (
    "year", "quarter", "month", "week", "week_of_year", "day", "day_of_month", "day_of_week", "dow", "day_of_year", "doy", "hour", "minute",
    "second",
)  # fmt: skip
_TIME_ARGUMENT = {
    **dict.fromkeys((*_TIME_PARTS, "date_format", "to_iso8601"), (0,)),
    "date_trunc": (1,),
    "date_add": (2,),
    "date_diff": (1, 2),
}


def _read_times(node: exp.Anonymous, places: tuple[int, ...]) -> None:
    """SLS takes `__time__` and other seconds since 1970 wherever a time is wanted."""
    for place in places:
        if place >= len(node.expressions):
            continue
        argument = node.expressions[place]
        if type_of(argument) in (Type.BIGINT, Type.DOUBLE):
            holder = _function("from_unixtime")
            argument.replace(holder)
            holder.set("expressions", [argument])


def _null_if_absent(node: exp.Anonymous) -> None:
    """NULL where there is nothing; the engine says ''."""
    _become(node, _function("nullif", node.copy(), exp.Literal.string("")), Type.VARCHAR)


def _histogram(node: exp.Anonymous) -> None:
    """Of what is not NULL: the engine's map keys cannot be."""
    if len(node.expressions) != 1:
        raise refuse("`histogram` takes one argument")
    (argument,) = node.expressions
    one = exp.Array(expressions=[_function("assumeNotNull", argument)]), exp.Array(expressions=[exp.Literal.number(1)])
    present = exp.Not(this=exp.Is(this=argument.copy(), expression=exp.Null()))
    _become(node, _function("sumMapIf", _function("map", *one), present), Type.UNKNOWN)


def _map_agg(node: exp.Anonymous) -> None:
    """Keys that are NULL are left out, values that are NULL stay; the engine would lose count of them."""
    if len(node.expressions) != 2:
        raise refuse("`map_agg` takes a key and a value")
    key, value = node.expressions
    present = exp.Not(this=exp.Is(this=key.copy(), expression=exp.Null()))
    pairs = _function("groupArrayIf", _function("row", _function("assumeNotNull", key), value), present)
    halves = (_function("tupleElement", pairs, exp.Literal.number(half)) for half in (1, 2))
    _become(node, _function("mapFromArrays", *halves), Type.UNKNOWN)


def _random(node: exp.Anonymous) -> None:
    """The engine's own `rand` gives whole numbers."""
    node.set("this", "random")


def _reduce(node: exp.Anonymous) -> None:
    """The engine wants the accumulator to start in the type that it ends in."""
    if len(node.expressions) > 1 and type_of(node.expressions[1]) is Type.BIGINT:
        start = node.expressions[1]
        start.replace(exp.Cast(this=start.copy(), to=exp.DataType.build("bigint")))


def _array_agg(node: exp.Anonymous) -> None:
    """DISTINCT with ORDER BY the same thing: the engine sorts afterwards."""
    order = node.expressions[0] if node.expressions else None
    if not isinstance(order, exp.Order) or not isinstance(order.this, exp.Distinct):
        return
    (value,) = order.this.expressions
    (ordered,) = order.expressions if len(order.expressions) == 1 else [None]
    if ordered is None or ordered.this != value:
        raise refuse("`array_agg(DISTINCT x ORDER BY y)` needs x and y to be the same")
    collected: exp.Expr = _function("array_sort", _function("array_agg", exp.Distinct(expressions=[value.copy()])))
    if ordered.args.get("desc"):
        collected = _function("reverse", collected)
    _become(node, collected, Type.UNKNOWN)


_REWRITES: dict[str, Callable[[exp.Anonymous], None]] = {
    "regexp_extract": _null_if_absent,
    "json_extract_scalar": _null_if_absent,
    "json_extract": _null_if_absent,
    "rand": _random,
    "histogram": _histogram,
    "map_agg": _map_agg,
    "reduce": _reduce,
    "array_agg": _array_agg,
}


def _function(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _become(node: exp.Expr, other: exp.Expr, kind: Type) -> None:
    set_type(other, kind)
    node.replace(other)
