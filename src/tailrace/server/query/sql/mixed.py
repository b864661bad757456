"""Whole numbers and fractions side by side: which type several expressions have in common, and what `/` makes of two.

Presto knows both of every expression before it runs. Here the type of some is known to the engine alone (`a[1]`, an element of UNNEST):
these are decided there, by the name of the type, which is a constant to it. An array of one element gives an expression a name, so that
it is written, and computed, once.
"""

from collections.abc import Sequence

from sqlglot import exp

from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.special import become, function, set_type, type_of
from tailrace.server.query.sql.templates import filled

_WIDENED = (
    "arrayMap(x -> tupleElement(row(x, toFloat64OrNull(toString(x))), if(match(toTypeName(x), '^(Nullable.)?U?Int'), 2, 1)), ARRAY[_1])[1]"
)
_QUOTIENT = (
    "arrayMap((x, y) -> tupleElement(row(intDivOrNull(accurateCastOrNull(x, 'Int64'), accurateCastOrNull(y, 'Int64')), x / y),"
    " if(match(concat(toTypeName(x), toTypeName(y)), 'Float'), 2, 1)), ARRAY[_1], ARRAY[_2])[1]"
)
_REMAINDER = (
    "arrayMap((x, y) -> tupleElement(row(moduloOrNull(x, y), toFloat64(x) % toFloat64(y)),"
    " if(match(concat(toTypeName(x), toTypeName(y)), 'Float'), 2, 1)), ARRAY[_1], ARRAY[_2])[1]"
)
_AS_WIDE = (
    "arrayMap((x, y) -> tupleElement(row(x, toFloat64(x)), if(match(toTypeName(y), '^(Nullable.)?Float'), 2, 1)), ARRAY[_1], ARRAY[_2])[1]"
)
_NUMBERS = frozenset({Type.BIGINT, Type.DOUBLE})


def arithmetic(left: Type, right: Type) -> Type:
    """Of `left + right` and its like. Beside a fraction all is one, NULL too."""
    kinds = {left, right}
    if Type.DOUBLE in kinds:
        return Type.DOUBLE
    if kinds == {Type.BIGINT}:
        return Type.BIGINT
    return next((kind for kind in (Type.TIMESTAMP, Type.DATE) if kind in kinds), Type.UNKNOWN)


def calculate(node: exp.Add | exp.Sub | exp.Mul) -> None:
    _give_null_a_type(node.this, node.expression)
    set_type(node, arithmetic(type_of(node.this), type_of(node.expression)))


def divide(node: exp.Div | exp.Mod) -> None:
    """The quotient or the remainder. Of whole numbers by zero it is NULL."""
    _give_null_a_type(node.this, node.expression)
    if isinstance(node, exp.Mod):
        _remainder(node, node.this, node.expression)
    else:
        _quotient(node, node.this, node.expression)


def mod(node: exp.Anonymous) -> None:
    _give_null_a_type(*node.expressions)
    _remainder(node, *node.expressions)


def _give_null_a_type(left: exp.Expr, right: exp.Expr) -> None:
    """That of what it is calculated with: beside it the engine would know of no type."""
    for value, other in ((left, right), (right, left)):
        if _is_null(value) and type_of(other) in _NUMBERS:
            whole = type_of(other) is Type.BIGINT
            become(value, filled("toInt64OrNull('')" if whole else "toFloat64OrNull('')", []), type_of(other))


def _quotient(node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
    """Presto divides integers to an integer; the engine's `/` always gives a fraction."""
    kind = arithmetic(type_of(left), type_of(right))
    kinds = {type_of(left), type_of(right)}
    if kind is Type.BIGINT:
        become(node, function("intDivOrNull", left, right), kind)
    elif kinds <= {Type.BIGINT, Type.UNKNOWN}:
        become(node, filled(_QUOTIENT, [left, right]), Type.UNKNOWN)
    else:
        set_type(node, kind)


def _remainder(node: exp.Expr, left: exp.Expr, right: exp.Expr) -> None:
    """The engine fails where it would divide a whole number by zero."""
    kind = arithmetic(type_of(left), type_of(right))
    kinds = {type_of(left), type_of(right)}
    if not kinds <= {Type.BIGINT, Type.UNKNOWN} or _is_not_zero(right):
        set_type(node, kind)
    elif kind is Type.BIGINT:
        become(node, function("moduloOrNull", left, right), kind)
    else:
        become(node, filled(_REMAINDER, [left, right]), Type.UNKNOWN)


def _is_not_zero(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.name.strip("0") != ""


def first_type(nodes: Sequence[exp.Expr | None]) -> Type:
    """Of the first that is more than NULL, which fits any: `nullif(null, 3)` is a number."""
    return next((type_of(node) for node in nodes if node is not None and not _is_null(node)), Type.UNKNOWN)


def common_type(nodes: Sequence[exp.Expr | None]) -> Type:
    """Of values that stand for each other, such as the branches of CASE. Whole numbers beside a fraction become fractions, in place: the
    engine knows no type for both where they have 64 bits."""
    values = [node for node in nodes if node is not None and not _is_null(node)]
    kind = in_common([type_of(value) for value in values])
    unknown = next((value for value in values if type_of(value) is Type.UNKNOWN), None)
    if kind is Type.DOUBLE:
        for value in values:
            widen(value)
    elif unknown is not None:
        for value in [value for value in values if type_of(value) is Type.BIGINT and not isinstance(value, exp.Literal)]:
            become(value, filled(_AS_WIDE, [value, unknown]), Type.UNKNOWN)
    return kind


def in_common(kinds: Sequence[Type]) -> Type:
    """What several types are together. UNKNOWN gives way to what is known, but for whole numbers: beside them it may be a fraction."""
    known = [kind for kind in kinds if kind is not Type.UNKNOWN]
    if set(known) <= _NUMBERS and Type.DOUBLE in known:
        return Type.DOUBLE
    if not known or (len(known) < len(kinds) and Type.BIGINT in known):
        return Type.UNKNOWN
    return known[0]


def widen(value: exp.Expr) -> None:
    """A number becomes a fraction."""
    if type_of(value) is Type.BIGINT:
        become(value, function("toFloat64", value), Type.DOUBLE)
    elif type_of(value) is Type.UNKNOWN:
        become(value, filled(_WIDENED, [value]), Type.DOUBLE)


def _is_null(node: exp.Expr) -> bool:
    """Also a sum of nothing but NULL."""
    bare = node.unnest()
    if isinstance(bare, exp.Add | exp.Sub | exp.Mul):
        return _is_null(bare.this) and _is_null(bare.expression)
    return isinstance(bare, exp.Null)
