"""How many events match, over time: the same range is always cut into the same intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.server.query.window import NS, Window

MAX_INTERVALS = 60
_WIDTHS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600, 43200)
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Interval:
    """`[start, end)` in seconds."""

    start: int
    end: int
    count: int


def width(window: Window) -> int:
    """Seconds: the least of the usual widths that gives at most 60 intervals."""
    start, end = _seconds(window)
    least = -(-(end - start) // MAX_INTERVALS)
    return next((usual for usual in _WIDTHS if usual >= least), -(-least // _DAY) * _DAY)


def intervals(window: Window, counts: Sequence[tuple[int, int]]) -> list[Interval]:
    """All intervals of the range; `counts` are (number of the interval, events) for those that have any. The last may be shorter."""
    start, end = _seconds(window)
    step = width(window)
    found = dict(counts)
    return [Interval(at, min(at + step, end), found.get((at - start) // step, 0)) for at in range(start, end, step)]


def number_of(window: Window) -> str:
    """The engine's expression for the number of the interval that a row is in: a byte, because those are counted fastest."""
    start, _ = _seconds(window)
    return f"toUInt8(intDiv(toUnixTimestamp64Nano(time) - {start * NS}, {width(window) * NS}))"


def _seconds(window: Window) -> tuple[int, int]:
    start = window.start // NS
    return start, max(start + 1, -(-window.end // NS))
