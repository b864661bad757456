"""Go's time layouts, which write the format as the moment `Mon Jan 2 15:04:05 2006`: read as strptime directives, and written by.

A layout is read more leniently than Go does it: leading zeros may be absent, any fraction may follow the seconds, and what follows the
matched beginning does not count. Zone names (`MST`) are refused, because a name says no offset.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_PIECES: Final = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|002|__2|_2|0[1-6]|15|PM|pm"
    r"|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07"
    r"|[.,](?:0+|9+)(?![0-9])|[1-5]"
)
"""Longer ones first, as Go looks for them."""
_DIRECTIVES: Final = {
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "2006": "%Y",
    "002": "%j",
    "__2": "%j",
    "_2": "%e",
    "01": "%m",
    "1": "%m",
    "02": "%d",
    "2": "%d",
    "03": "%I",
    "3": "%I",
    "04": "%M",
    "4": "%M",
    "05": "%S",
    "5": "%S",
    "06": "%y",
    "15": "%H",
    "PM": "%p",
    "pm": "%p",
    **dict.fromkeys(("Z07:00", "Z0700", "Z07", "-07:00", "-0700", "-07"), "%z"),
}
REFUSED: Final = frozenset({"MST", "Z07:00:00", "Z070000", "-07:00:00", "-070000"})
NS: Final = 1_000_000_000


class LayoutError(ValueError):
    """A layout that cannot be used here."""


def strptime_format(layout: str) -> str:
    """The directives that read what `layout` describes. Raises LayoutError."""
    written: list[str] = []
    after_seconds = False
    for piece, is_literal in _pieces(layout):
        if is_literal:
            written.append(piece.replace("%", "%%"))
        elif piece[0] not in ".,":
            written.append(_DIRECTIVES[piece])
        elif not after_seconds:
            raise LayoutError(f"the fraction `{piece}` does not follow the seconds")
        after_seconds = piece in ("05", "5") and not is_literal
    return "".join(written)


class Writer:
    """Writes instants by a layout in a zone that is `utc_offset_secs` ahead of UTC. Raises LayoutError."""

    def __init__(self, layout: str) -> None:
        self._pieces = [_literally(piece) if is_literal else _written_by(piece) for piece, is_literal in _pieces(layout)]

    def write(self, time_ns: int, utc_offset_secs: int) -> str:
        seconds, fraction = divmod(time_ns, NS)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        local = moment.astimezone(timezone(timedelta(seconds=utc_offset_secs)))
        return "".join(write(local, fraction) for write in self._pieces)


_Write = Callable[[datetime, int], str]


def _pieces(layout: str) -> Iterator[tuple[str, bool]]:
    """(text, whether it stands for itself)."""
    at = 0
    for match in _PIECES.finditer(layout):
        if match[0] in REFUSED:
            raise LayoutError(f"`{match[0]}` in the layout cannot be used; write the zone as `-0700` or `Z07:00`, or give it by its key")
        if match.start() > at:
            yield layout[at : match.start()], True
        yield match[0], False
        at = match.end()
    if at < len(layout):
        yield layout[at:], True


def _literally(text: str) -> _Write:
    return lambda _moment, _fraction: text


_FIELDS: Final[dict[str, Callable[[datetime], str]]] = {
    "January": lambda m: MONTHS[m.month - 1],
    "Jan": lambda m: MONTHS[m.month - 1][:3],
    "Monday": lambda m: WEEKDAYS[m.weekday()],
    "Mon": lambda m: WEEKDAYS[m.weekday()][:3],
    "2006": lambda m: f"{m.year:04}",
    "06": lambda m: f"{m.year % 100:02}",
    "01": lambda m: f"{m.month:02}",
    "1": lambda m: f"{m.month}",
    "02": lambda m: f"{m.day:02}",
    "_2": lambda m: f"{m.day:2}",
    "2": lambda m: f"{m.day}",
    "002": lambda m: f"{m.timetuple().tm_yday:03}",
    "__2": lambda m: f"{m.timetuple().tm_yday:3}",
    "15": lambda m: f"{m.hour:02}",
    "03": lambda m: f"{(m.hour + 11) % 12 + 1:02}",
    "3": lambda m: f"{(m.hour + 11) % 12 + 1}",
    "04": lambda m: f"{m.minute:02}",
    "4": lambda m: f"{m.minute}",
    "05": lambda m: f"{m.second:02}",
    "5": lambda m: f"{m.second}",
    "PM": lambda m: "PM" if m.hour >= 12 else "AM",
    "pm": lambda m: "pm" if m.hour >= 12 else "am",
}
MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _written_by(piece: str) -> _Write:
    if field := _FIELDS.get(piece):
        return lambda moment, _fraction: field(moment)
    if piece[0] in "Z-":
        return lambda moment, _fraction: _zone(moment, piece)
    return lambda _moment, fraction: _digits(fraction, piece)


def _digits(fraction: int, piece: str) -> str:
    """`.000` writes three digits, `.999` up to three without zeros at the end, nothing when there are none."""
    digits = f"{fraction:09}"[: len(piece) - 1].ljust(len(piece) - 1, "0")
    if piece[1] == "9":
        digits = digits.rstrip("0")
    return piece[0] + digits if digits else ""


def _zone(moment: datetime, piece: str) -> str:
    offset = int((moment.utcoffset() or timedelta()).total_seconds())
    if piece[0] == "Z" and not offset:
        return "Z"
    hours, minutes = divmod(abs(offset) // 60, 60)
    colon = ":" if ":" in piece else ""
    return f"{'-' if offset < 0 else '+'}{hours:02}" + ("" if piece in ("-07", "Z07") else f"{colon}{minutes:02}")
