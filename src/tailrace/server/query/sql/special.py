"""Functions that take more than a template to say to the engine: what they become depends on types, constants or clauses."""

import re
from collections.abc import Callable

from sqlglot import exp

from tailrace.server.query.sql.allowlist import refuse
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.templates import filled

_KEY = "tailrace_type"
_WINDOW = re.compile(r"([1-9]\d{0,5})([smhd])")
_UNITS = {"s": "Second", "m": "Minute", "h": "Hour", "d": "Day"}
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\[\s*(?:\"([^\"\\]+)\"|'([^'\\]+)')\s*\]")


def type_of(node: exp.Expr) -> Type:
    return node.meta.get(_KEY, Type.UNKNOWN)


def set_type(node: exp.Expr, kind: Type) -> None:
    node.meta[_KEY] = kind


def become(node: exp.Expr, other: exp.Expr, kind: Type) -> None:
    set_type(other, kind)
    node.replace(other)


def function(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


# --- aggregates -----------------------------------------------------------------------------------------------------------------
def histogram(node: exp.Anonymous) -> None:
    """Of what is not NULL: the engine's map keys cannot be."""
    become(node, filled("sumMapIf(map(ARRAY[assumeNotNull(_1)], ARRAY[1]), NOT _1 IS NULL)", node.expressions), Type.UNKNOWN)


def map_agg(node: exp.Anonymous) -> None:
    """Of each key the first value. Keys that are NULL are left out, values that are NULL stay: the engine would pass over them, so each
    goes in a row of its own. It cannot tell apart keys of all types while it reads."""
    if type_of(node.expressions[0]) in (Type.BIGINT, Type.VARCHAR):
        first = filled("anyMapIf(map(ARRAY[assumeNotNull(_1)], ARRAY[row(_2)]), NOT _1 IS NULL)", node.expressions)
        become(node, filled("mapApply((k, held) -> row(k, tupleElement(held, 1)), _1)", [first]), Type.UNKNOWN)
        return
    pairs = filled("groupArrayIf(row(assumeNotNull(_1), _2), NOT _1 IS NULL)", node.expressions)
    first = filled("arrayFilter((p, place) -> place = 1, _1, arrayEnumerateUniq(tupleElement(_1, 1)))", [pairs])
    become(node, filled("mapFromArrays(tupleElement(_1, 1), tupleElement(_1, 2))", [first]), Type.UNKNOWN)


def array_agg(node: exp.Anonymous) -> None:
    """DISTINCT with ORDER BY the same thing: the engine sorts afterwards."""
    order = node.expressions[0] if node.expressions else None
    if not isinstance(order, exp.Order) or not isinstance(order.this, exp.Distinct):
        return
    (value,) = order.this.expressions
    (ordered,) = order.expressions if len(order.expressions) == 1 else [None]
    if ordered is None or ordered.this != value:
        raise refuse("`array_agg(DISTINCT x ORDER BY y)` needs x and y to be the same")
    collected: exp.Expr = function("array_sort", function("array_agg", exp.Distinct(expressions=[value.copy()])))
    if ordered.args.get("desc"):
        collected = function("reverse", collected)
    become(node, collected, Type.ARRAY)


def best_of(direction: str) -> Callable[[exp.Anonymous], None]:
    """`max_by(x, y, n)`: the x of the n greatest (or least) y."""

    def rewrite(node: exp.Anonymous) -> None:
        if len(node.expressions) != 3:
            return
        template = f"arrayMap(p -> tupleElement(p, 1), arraySlice({direction}(p -> tupleElement(p, 2), groupArray(row(_1, _2))), 1, _3))"
        become(node, filled(template, node.expressions), Type.ARRAY)

    return rewrite


_POINTS, _MOST_BINS = 2000, 250
"""Of a numeric histogram: distinct points up to which it is exact about how many there are, and the engine's bound of bins."""
_BINS = (
    "arrayMap(sums -> mapFromArrays(arrayMap((w, xw) -> xw / w, tupleElement(sums, 2), tupleElement(sums, 3)), tupleElement(sums, 2)),"
    " arrayMap(points -> arrayMap(bins -> arrayReduce('sumMap',"
    " arrayMap(p -> ARRAY[arrayCount(bin -> tupleElement(bin, 1) <= tupleElement(p, 1), bins)], points),"
    " arrayMap(p -> ARRAY[tupleElement(p, 2)], points), arrayMap(p -> ARRAY[tupleElement(p, 1) * tupleElement(p, 2)], points)),"
    " ARRAY[arrayReduce(_2, arrayMap(p -> tupleElement(p, 1), points))])[1], ARRAY[_1]))[1]"
)
"""The engine lays the bins over points (value, weight); of each bin the mean and the weight are asked for. One-element arrays are names."""
_ALL_POINTS = "arrayMap(p -> row(tupleElement(tupleElement(p, 1), 1), tupleElement(tupleElement(p, 1), 2) * tupleElement(p, 2)), _1)"
_SOME_POINTS = "arrayMap(p -> row(tupleElement(p, 1), tupleElement(p, 2) * _2 / arraySum(q -> tupleElement(q, 2), _1)), _1)"


def numeric_histogram(node: exp.Anonymous) -> None:
    """At most so many bins, where the values lie: their means, and how many there are. Of more distinct values than `_POINTS` a sample.
    What weighs nothing is not there: a bin of it would have no mean."""
    bins, value, *weight = node.expressions
    if not (isinstance(bins, exp.Literal) and not bins.is_string and bins.name.isdigit() and 0 < int(bins.name) <= _MOST_BINS):
        raise refuse(f"the first argument of `{node.this}` is how many bins there may be: a number from 1 to {_MOST_BINS}")
    given = [value, weight[0] if weight else exp.Literal.number(1)]
    pair = filled("row(toFloat64(assumeNotNull(_1)), toFloat64(assumeNotNull(_2)))", given)
    there = filled("NOT _1 IS NULL AND NOT _2 IS NULL AND _2 != 0", given)
    counted = function(f"approx_top_countIf({_POINTS}, {_POINTS})", pair, there)
    sample = function(f"groupArraySampleIf({_POINTS}, 1)", pair, there)
    total = filled("sumIf(toFloat64(assumeNotNull(_1)), _2)", [given[1], there])
    points = filled(
        "if(cardinality(_1) < _4, _2, _3)",
        [counted, filled(_ALL_POINTS, [counted]), filled(_SOME_POINTS, [sample, total]), exp.Literal.number(_POINTS)],
    )
    become(node, filled(_BINS, [points, exp.Literal.string(f"histogram({bins.name})")]), Type.UNKNOWN)


# --- numbers --------------------------------------------------------------------------------------------------------------------
def round_half_up(node: exp.Anonymous) -> None:
    """Halves go away from zero; the engine rounds them to the even neighbour. A whole number stays one."""
    number, *digits = node.expressions
    kind = type_of(number)
    if kind is Type.BIGINT and all(isinstance(each, exp.Literal) for each in digits):
        become(node, number.copy(), kind)
    elif digits:
        rounded = filled("sign(_1) * floor(abs(_1) * power(10, _2) + 0.5) / power(10, _2)", [number, *digits])
        become(node, function("toInt64", rounded) if kind is Type.BIGINT else exp.Paren(this=rounded), kind)
    else:
        become(node, exp.Paren(this=filled("sign(_1) * floor(abs(_1) + 0.5)", [number])), Type.DOUBLE)


def reduce(node: exp.Anonymous) -> None:
    """The engine wants the accumulator to start in the type that it ends in."""
    if type_of(node.expressions[1]) is Type.BIGINT:
        start = node.expressions[1]
        start.replace(exp.Cast(this=start.copy(), to=exp.DataType.build("bigint")))


# --- text and arrays ------------------------------------------------------------------------------------------------------------
def reverse(node: exp.Anonymous) -> None:
    (argument,) = node.expressions
    kind = type_of(argument)
    become(node, function("reverseUTF8" if kind is Type.VARCHAR else "reverse", argument), kind)


_STEPS = {"SECOND": "Seconds", "MINUTE": "Minutes", "HOUR": "Hours", "DAY": "Days", "WEEK": "Weeks", "MONTH": "Months", "YEAR": "Years"}
_TIMES = (
    "arrayFilter(t -> t {within} _2, arrayMap(i -> add{step}(_1, i * {number}),"
    " range(0, intDiv(abs(assumeNotNull(dateDiff('{unit}', _1, _2))), {size}) + 1)))"
)


def sequence(node: exp.Anonymous) -> None:
    """Numbers, or times some interval apart. The engine finds no common type for ends of which one is beyond 16 bits."""
    start, end, *rest = node.expressions
    step = rest[0] if rest else None
    if type_of(start) is Type.DATE and step is None:
        become(node, filled(_sequence_of_times(1, "DAY"), [start, end]), Type.ARRAY)
    elif isinstance(step, exp.Interval | exp.Neg) and (interval := step.find(exp.Interval)):
        number, unit = interval.this.name, str(interval.args.get("unit") or "").upper()
        if unit not in _STEPS or re.fullmatch(r"-?[1-9]\d{0,6}", number) is None:
            raise refuse("the step of `sequence` is a constant such as `interval '1' day`, or a number between numbers")
        become(node, filled(_sequence_of_times(-int(number) if step is not interval else int(number), unit), [start, end]), Type.ARRAY)
    else:
        for value in [each for each in node.expressions if type_of(each) is Type.BIGINT]:
            value.replace(function("toInt64", value))


def _sequence_of_times(number: int, unit: str) -> str:
    within = "<=" if number > 0 else ">="
    return _TIMES.format(within=within, step=_STEPS[unit], number=number, unit=unit.lower(), size=abs(number))


def contains(node: exp.Anonymous) -> None:
    """An array holds a value, or a network an address."""
    whole, part = node.expressions
    if type_of(whole) is Type.VARCHAR:
        become(node, filled("isIPAddressInRange(_2, _1)", [whole, part]), Type.BOOLEAN)


# --- JSON -----------------------------------------------------------------------------------------------------------------------
def at_path(template: str, kind: Type) -> Callable[[exp.Anonymous], None]:
    """A function of a JSON text and a constant path; `_1` of the template stands for the text and the steps of the path."""

    def rewrite(node: exp.Anonymous) -> None:
        document, *rest = node.expressions
        path = rest[0] if rest else exp.Literal.string("$")
        if not isinstance(path, exp.Literal) or not path.is_string:
            raise refuse(f"the path of `{node.this}` has to be a constant text such as '$.a.b'")
        steps = [exp.Literal.number(step) if isinstance(step, int) else exp.Literal.string(step) for step in _steps(path.name)]
        made = filled(template, [document])
        for call in list(made.find_all(exp.Anonymous)):
            if call.this.startswith("JSON"):
                call.set("expressions", [*call.expressions, *(step.copy() for step in steps)])
        become(node, made, kind)

    return rewrite


def _steps(path: str) -> list[str | int]:
    """Names, and places counted from 1 as the engine does."""
    steps: list[str | int] = []
    rest = path.removeprefix("$")
    while rest:
        step = _STEP.match(rest)
        if step is None or not path.startswith("$"):
            raise refuse(f'`{path}` is no path: expected `$` and then steps such as `.name`, `[0]` or `["a name"]`')
        name = step[1] or step[3] or step[4]
        steps.append(name if name is not None else int(step[2]) + 1)
        rest = rest[step.end() :]
    return steps


# --- comparison over time -------------------------------------------------------------------------------------------------------
def compare(node: exp.Anonymous) -> None:
    """Of a value, the age of its row and the ages to compare with (sql/comparing.py)."""
    value, age, *shifts = node.expressions
    become(node, exp.Array(expressions=_compared(value, age, shifts)), Type.ARRAY)


def ts_compare(node: exp.Anonymous) -> None:
    """Of a value, the age of its row, the time that is grouped by and the ages to compare with."""
    value, age, time, *shifts = node.expressions
    seconds = "toFloat64(_1)" if type_of(time) in (Type.BIGINT, Type.DOUBLE) else "toFloat64(toDateTime64(_1, 3))"
    earlier = [filled(f"{seconds} - _2", [time, shift]) for shift in shifts]
    become(node, exp.Array(expressions=[*_compared(value, age, shifts), *earlier]), Type.ARRAY)


def _compared(value: exp.Expr, age: exp.Expr, shifts: list[exp.Expr]) -> list[exp.Expr]:
    now, *before = [filled("toFloat64(maxOrNullIf(_1, _2 = _3))", [value, age, shift]) for shift in (exp.Literal.number(0), *shifts)]
    return [now, *before, *(filled("_1 / _2", [now, each]) for each in before)]


def time_series(node: exp.Anonymous) -> None:
    time, window, pattern, _ = node.expressions
    become(node, filled(f"date_format({window_start(window)}, _2)", [time, pattern]), Type.VARCHAR)


def window_start(window: exp.Expr) -> str:
    """The template for the beginning of a time's window; `window` is a literal such as `'5m'`."""
    found = _WINDOW.fullmatch(window.name) if isinstance(window, exp.Literal) and window.is_string else None
    if found is None:
        raise refuse("the window of `time_series` is a constant such as '30s', '5m', '1h' or '1d'")
    return f"toStartOfInterval(_1, toInterval{_UNITS[found[2]]}({int(found[1])}))"
