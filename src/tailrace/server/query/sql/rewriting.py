"""Types of expressions, from the leaves up, and the places where Presto's meaning has to be spelt out for the engine.

Each rewrite is one that was seen to differ (storage-engine.md §7): integer division, rounding, times given as numbers, JSON, and text that
the engine's lexer would read in another way than the parser here did. What a single function becomes stands in its chapter.
"""

import re

from sqlglot import exp
from sqlglot.expressions import apply_index_offset

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.allowlist import Presto, refuse
from tailrace.server.query.sql.contract import Common, Like, Type
from tailrace.server.query.sql.functions import checked
from tailrace.server.query.sql.mixed import calculate, common_type, divide, first_type
from tailrace.server.query.sql.special import become, function, set_type, type_of
from tailrace.server.query.sql.templates import chosen, counted, filled

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
    exp.Extract: Type.BIGINT,
    exp.CurrentDate: Type.DATE,
    exp.CurrentTimestamp: Type.TIMESTAMP,
    exp.Localtimestamp: Type.TIMESTAMP,
    exp.AtTimeZone: Type.TIMESTAMP,
}
_SIGNED = frozenset({"count"})
"""The engine's own dialect sees to it."""
_CASTS = {
    **dict.fromkeys(("BIGINT", "INT", "SMALLINT", "TINYINT"), Type.BIGINT),
    **dict.fromkeys(("DOUBLE", "FLOAT", "DECIMAL"), Type.DOUBLE),
    **dict.fromkeys(("VARCHAR", "CHAR", "TEXT"), Type.VARCHAR),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMPTZ"), Type.TIMESTAMP),
    "BOOLEAN": Type.BOOLEAN,
    "DATE": Type.DATE,
    "JSON": Type.JSON,
    "ARRAY": Type.ARRAY,
}


def settle(node: exp.Expr, binder: Binder) -> None:
    """Give `node`, whose children are settled, its type; rewrite it where needed. Raises ApiError for a function that is not allowed."""
    match node:
        case exp.Literal():
            _literal(node, binder)
        case exp.Paren() | exp.Neg() | exp.Window() | exp.Filter():
            set_type(node, type_of(node.this))
        case exp.Add() | exp.Sub() | exp.Mul():
            calculate(node)
        case exp.Div() | exp.Mod():
            divide(node)
        case exp.Cast() | exp.TryCast():
            _cast(node)
        case exp.Bracket():
            _subscript(node)
        case exp.Case():
            set_type(node, common_type([*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")]))
        case exp.Array():
            common_type(node.expressions)
            set_type(node, Type.ARRAY)
        case exp.Anonymous():
            _call(node)
        case exp.In() if any(not isinstance(each, exp.Literal | exp.Neg | exp.Var) for each in node.expressions):
            _compare_each(node)
        case exp.StrPosition():
            set_type(node, Type.BIGINT)
            _make_signed(node)
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


def _call(node: exp.Anonymous) -> None:
    name = node.this.lower()
    function = checked(name, len(node.expressions))
    node.set("this", name)
    _read_times(node, function.times)
    arguments = [argument.expressions[0] if isinstance(argument, exp.Distinct) else argument for argument in node.expressions]
    kind = function.returns
    if isinstance(kind, Like):
        kind = first_type(arguments[kind.value :])
    elif isinstance(kind, Common):
        kind = common_type(arguments[kind.value :])
    set_type(node, kind)
    holder = node.parent
    if kind is Type.BIGINT and name not in _SIGNED and (function.returns is kind or name == "abs"):
        _make_signed(node)
    if function.rewrite is not None:
        function.rewrite(node)
    template = chosen(function.becomes, len(arguments))
    if template is not None:
        become(node, filled(template, node.expressions), kind)
    if isinstance(holder, exp.Filter | exp.Window) and not isinstance(holder.this, exp.Anonymous | exp.Filter):
        raise refuse(f"`{name}` cannot stand with FILTER or OVER")


def _compare_each(node: exp.In) -> None:
    """NULL in a list makes what is not in it unknown; the engine passes over it."""
    same = [exp.EQ(this=counted(node.this).copy(), expression=each.copy()) for each in node.expressions]
    become(node, exp.Paren(this=exp.or_(*same, copy=False)), Type.BOOLEAN)


def _make_signed(node: exp.Expr) -> None:
    """Numbers without a sign have no common type with others in the engine: `coalesce(length(s), -1)`."""
    if isinstance(node.parent, exp.Filter | exp.Window):
        return
    signed = exp.Anonymous(this="toInt64")
    node.replace(signed)
    signed.set("expressions", [node])
    set_type(signed, Type.BIGINT)


def _read_times(node: exp.Anonymous, places: tuple[int, ...]) -> None:
    """SLS takes `__time__` and other seconds since 1970 wherever a time is wanted."""
    for place in places:
        argument = node.expressions[place] if place < len(node.expressions) else None
        if argument is not None and type_of(argument) in (Type.BIGINT, Type.DOUBLE):
            holder = exp.Anonymous(this="from_unixtime")
            argument.replace(holder)
            holder.set("expressions", [argument])
            set_type(holder, Type.TIMESTAMP)


def _subscript(node: exp.Bracket) -> None:
    """NULL where there is no such element, where the engine says 0 or ''."""
    if len(node.expressions) == 1:
        (place,) = apply_index_offset(node.this, node.expressions, Presto.INDEX_OFFSET, dialect=Presto)  # the parser counts from 0
        become(node, function("element_at", node.this, place), Type.UNKNOWN)


def _cast(node: exp.Cast | exp.TryCast) -> None:
    """Numbers are rounded and not cut, JSON is taken apart, and text of numbers and times is Presto's."""
    target, source, value = node.to.this.name, type_of(node.this), node.this
    kind = _CASTS.get(target, Type.UNKNOWN)
    set_type(node, kind)
    if kind is Type.BIGINT and source is Type.DOUBLE:
        value.replace(filled("sign(_1) * floor(abs(_1) + 0.5)", [value]))
    elif kind is Type.VARCHAR and source is Type.DOUBLE:
        become(node, filled("if(match(toString(_1), '^-?[0-9]+$'), concat(toString(_1), '.0'), toString(_1))", [value]), kind)
    elif kind is Type.VARCHAR and source is Type.TIMESTAMP:
        become(node, filled("toString(toDateTime64(_1, 3))", [value]), kind)
    elif kind is Type.JSON:
        become(node, value.copy() if source is Type.JSON else filled("toJSONString(_1)", [value]), kind)
    elif source is Type.JSON:
        _cast_json(node, value, kind)


def _cast_json(node: exp.Cast | exp.TryCast, value: exp.Expr, kind: Type) -> None:
    if node.to.this.name in ("ARRAY", "MAP"):
        become(node, function("JSONExtract", value, exp.Literal.string(_engine_type(node.to))), kind)
    else:
        value.replace(function("JSONExtractString", value))


def _engine_type(kind: exp.DataType) -> str:
    name = kind.this.name
    if name in ("ARRAY", "MAP"):
        inner = [_engine_type(part) for part in kind.expressions]
        return f"Array({inner[0]})" if name == "ARRAY" else f"Map(String, {inner[1]})"
    plain = {Type.BIGINT: "Int64", Type.DOUBLE: "Float64", Type.BOOLEAN: "Bool"}.get(_CASTS.get(name, Type.UNKNOWN), "String")
    return f"Nullable({plain})"
