"""Filling gaps in time: rows for the windows of a `time_series` in which nothing happened."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.allowlist import Presto, refuse
from tailrace.server.query.sql.special import window_start
from tailrace.server.query.sql.templates import filled

MAX_WINDOWS = 10_000
PADDINGS = ("0", "null", "last", "next", "avg")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Series:
    """What a statement says of its time series: the place of its column, `5m`, the pattern of its text, and what goes into gaps."""

    place: int
    window: str
    pattern: str
    padding: str

    def moments(self, start: int, end: int, binder: Binder) -> str:
        """A statement that gives the text of every window from `start` to `end` (seconds), in order. Raises ApiError 400 for too many."""
        number, unit = re.fullmatch(r"(\d+)(\w)", self.window).groups()  # type: ignore[union-attr]
        step = int(number) * _SECONDS[unit]
        if (end - start) // step > MAX_WINDOWS:
            raise refuse(f"the time range has more than {MAX_WINDOWS} windows of {self.window}: widen them or narrow the range")
        bounds = f"range(toInt64({start}), toInt64({end + step}), {min(step, 3600)})"
        begin = filled(window_start(exp.Literal.string(self.window)), [exp.Var(this="from_unixtime(at)")]).sql(
            dialect=Presto, normalize_functions=False
        )
        last = f"at < {end} OR toUnixTimestamp({begin}) < {end}"
        return (
            f"SELECT date_format(begin, {binder.bind(self.pattern)}) FROM (SELECT DISTINCT {begin} AS begin"  # noqa: S608 - numbers, bound text
            f" FROM (SELECT arrayJoin({bounds}) AS at) AS times WHERE {last}) AS windows ORDER BY begin"
        )

    def filled(self, rows: list[dict[str, str]], moments: Sequence[str]) -> list[dict[str, str]]:
        """`rows` with those that are missing, when they are ordered by the series and each window has one row at most; else as they are."""
        if not rows:
            return rows
        name = list(rows[0])[self.place]
        known = {row[name]: row for row in rows}
        places = {moment: place for place, moment in enumerate(moments)}
        found = [places.get(row[name], -1) for row in rows]
        falling = found == sorted(found, reverse=True)
        if len(known) < len(rows) or len(places) < len(moments) or -1 in found or not (falling or found == sorted(found)):
            return rows
        ordered = list(reversed(moments)) if falling and len(rows) > 1 else list(moments)
        columns = [column for column in rows[0] if column != name]
        series = {column: self._padded([known.get(moment, {}).get(column) for moment in ordered]) for column in columns}
        made = [{column: series[column][place] for column in columns} | {name: moment} for place, moment in enumerate(ordered)]
        return [{column: row[column] for column in rows[0]} for row in made]

    def _padded(self, values: Sequence[str | None]) -> list[str]:
        before = _carried(values)
        after = list(reversed(_carried(list(reversed(values)))))
        between: Mapping[str, Callable[[str, str], str]] = {
            "0": lambda _last, _next: "0",
            "null": lambda _last, _next: "null",
            "last": lambda last, _next: last,
            "next": lambda _last, following: following,
            "avg": _mean,
        }
        pad = between[self.padding]
        return [value if value is not None else pad(last, following) for value, last, following in zip(values, before, after, strict=True)]


def find_series(select: exp.Expr) -> Series | None:
    """The time series among the columns of the outermost SELECT. Raises ApiError(400, ParameterInvalid) for a padding that is none."""
    if not isinstance(select, exp.Select) or not select.args.get("group"):
        return None
    for place, item in enumerate(select.expressions):
        call = item.unalias()
        if isinstance(call, exp.Anonymous) and str(call.this).lower() == "time_series" and len(call.expressions) == 4:
            window, pattern, padding = (argument.name for argument in call.expressions[1:])
            if padding not in PADDINGS:
                raise refuse(f"`{padding}` is no padding of `time_series`: it is one of {', '.join(PADDINGS)}")
            return Series(place, window, pattern, padding)
    return None


def _carried(values: Sequence[str | None]) -> list[str]:
    """The last one that was there, for each place."""
    carried, last = [], "null"
    for value in values:
        last = last if value is None else value
        carried.append(last)
    return carried


def _mean(one: str, other: str) -> str:
    try:
        return repr((float(one) + float(other)) / 2)
    except ValueError:
        return "null"
