"""`compare` and `ts_compare`: the same sub-query over the time range of the request and over earlier ones, side by side.

`SELECT compare(x, 86400) FROM (q)` becomes a union of q and of q a day earlier, each row with its age, and the call an array of what x is
at each age. Earlier rows show the `__time__` that they would have today, so that groups by time meet.
"""

from sqlglot import exp

from tailrace.server.query.sql.allowlist import refuse

COMPARISONS = ("compare", "ts_compare")
SHIFT = "tailrace_shift"
"""Mark of a table that is to be read so many seconds earlier."""
_AGE = "age of the row"
MAX_SHIFTS = 5


def expand(query: exp.Expr) -> None:
    """In place, innermost first. Raises ApiError(400, ParameterInvalid) for a comparison without a sub-query or constant seconds."""
    for select in reversed(list(query.find_all(exp.Select))):
        calls = [call for call in select.find_all(exp.Anonymous) if _is_comparison(call) and call.find_ancestor(exp.Select) is select]
        if calls:
            _expand_one(select, calls)


def _expand_one(select: exp.Select, calls: list[exp.Anonymous]) -> None:
    source = select.args["from_"].this if select.args.get("from_") else None
    if not isinstance(source, exp.Subquery) or select.args.get("joins"):
        raise refuse("`compare` looks into one sub-query: `SELECT compare(x, 86400) FROM (SELECT count(*) AS x FROM log)`")
    shifts = sorted({shift for call in calls for shift in _shifts(call)})
    if len(shifts) > MAX_SHIFTS:
        raise refuse(f"`compare` takes at most {MAX_SHIFTS} different times")
    union: exp.Expr = _aged(source.this, 0)
    for shift in shifts:
        union = exp.Union(this=union, expression=_aged(source.this, shift), distinct=False)
    source.set("this", union)
    for call in calls:
        value, *seconds = call.expressions
        key = [_group_key(select)] if call.this.lower() == "ts_compare" else []
        call.set("expressions", [value, exp.column(exp.to_identifier(_AGE, quoted=True)), *key, *seconds])


def _aged(query: exp.Expr, shift: int) -> exp.Select:
    """`SELECT *, shift AS age FROM (query)`."""
    earlier = query.copy()
    for table in earlier.find_all(exp.Table):
        if shift:
            table.meta[SHIFT] = shift
    age = exp.alias_(exp.Literal.number(shift), exp.to_identifier(_AGE, quoted=True))
    inner = exp.Subquery(this=earlier, alias=exp.TableAlias(this=exp.to_identifier("compared")))
    return exp.Select(expressions=[exp.Star(), age], from_=exp.From(this=inner))


def _is_comparison(call: exp.Anonymous) -> bool:
    return isinstance(call.this, str) and call.this.lower() in COMPARISONS


def _shifts(call: exp.Anonymous) -> list[int]:
    given = call.expressions[1:]
    if not given or not all(isinstance(each, exp.Literal) and each.name.isdigit() and int(each.name) > 0 for each in given):
        raise refuse(f"`{call.this}` takes a value and then whole numbers of seconds: `{call.this}(x, 86400)`")
    return [int(each.name) for each in given]


def _group_key(select: exp.Select) -> exp.Expr:
    """The one thing that rows are grouped by, a time."""
    group = select.args.get("group")
    keys = group.expressions if group else []
    if len(keys) != 1:
        raise refuse("`ts_compare` needs `GROUP BY` the time and nothing else")
    (key,) = keys
    if isinstance(key, exp.Literal) and key.name.isdigit() and 0 < int(key.name) <= len(select.expressions):
        key = select.expressions[int(key.name) - 1].unalias()
    return key.copy()
