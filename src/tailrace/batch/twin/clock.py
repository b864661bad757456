"""From what a time format has read to nanoseconds since the epoch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tailrace.batch.twin.time_format import MONTHS, NUMBERS, WEEKDAYS

SECOND_NS = 1_000_000_000
DAY_SECS = 86_400
MAX_NS = (1 << 63) - 1
EPOCH_DAY = date(1970, 1, 1).toordinal()
LEAP_SEARCH_YEARS = 8
PIVOT = 69
UNIX_UNITS = {10: SECOND_NS, 13: 1_000_000, 16: 1_000, 19: 1}
"""Digits of a Unix time, and how many nanoseconds its unit has."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What a value may leave open: offset from UTC in seconds, the year, and now."""

    utc_offset_secs: int
    year: int | None
    now_ns: int

    def instant(self, letters: str, texts: tuple[bytes, ...]) -> int | None:
        """Nanoseconds, without a fraction; None when the values make no time that can be."""
        if not all(map(_is_possible, letters, texts)):
            return None
        read = dict(zip(letters, texts, strict=True))
        if (unix := read.get("s")) is not None:
            return int(unix) * UNIX_UNITS[len(unix)]
        numbers = {letter: int(text) for letter, text in read.items() if letter in NUMBERS}
        offset = _offset(read["z"]) if "z" in read else self.utc_offset_secs
        day_of = _day_finder(letters, read, numbers)
        in_day = _hour(letters, read, numbers) * 3600 + numbers.get("M", 0) * 60 + numbers.get("S", 0) - offset
        year = _written_year(numbers)
        if year is None:
            year = self.year
        if year is not None:
            day = day_of(year)
            return None if day is None else (day * DAY_SECS + in_day) * SECOND_NS
        limit = self.now_ns // SECOND_NS + DAY_SECS
        for day in map(day_of, _years_back(limit)):
            if day is not None and day * DAY_SECS + in_day <= limit:
                return (day * DAY_SECS + in_day) * SECOND_NS
        return None


def _years_back(limit: int) -> Iterator[int]:
    """The year after that of `limit` (a zone may be ahead), that year, and those before it."""
    newest = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=limit)).year + 1
    return iter(range(newest, newest - LEAP_SEARCH_YEARS - 2, -1))


def _is_possible(letter: str, text: bytes) -> bool:
    """Whether a number is within its range; also where a later one of the same directive will count."""
    if letter == "s":
        return len(text) in UNIX_UNITS
    if letter == "z":
        hours, minutes = _zone_parts(text)
        return hours <= 23 and minutes <= 59
    if letter not in NUMBERS:
        return True
    _, least, most = NUMBERS[letter]
    return least <= int(text) <= most


def _zone_parts(zone: bytes) -> tuple[int, int]:
    digits = zone[1:].replace(b":", b"").ljust(4, b"0")
    return int(digits[:2]), int(digits[2:])


def _offset(zone: bytes) -> int:
    hours, minutes = _zone_parts(zone)
    return (hours * 3600 + minutes * 60) * (-1 if zone.startswith(b"-") else 1)


def _last(letters: str, of: str) -> str:
    """The one of some directives that occurs last, empty when none does."""
    return letters[max(map(letters.rfind, of)) :][:1] if any(letter in letters for letter in of) else ""


def _hour(letters: str, read: dict[str, bytes], numbers: dict[str, int]) -> int:
    hour = _last(letters, "HI")
    if hour != "I":
        return numbers.get("H", 0)
    return numbers["I"] % 12 + (12 if read.get("p", b"am").lower() == b"pm" else 0)


def _written_year(numbers: dict[str, int]) -> int | None:
    if "Y" in numbers:
        return numbers["Y"]
    short = numbers.get("y")
    if "C" in numbers:
        return numbers["C"] * 100 + (short or 0)
    if short is None:
        return None
    return short + (1900 if short >= PIVOT else 2000)


def _day_finder(letters: str, read: dict[str, bytes], numbers: dict[str, int]) -> Callable[[int], int | None]:
    """From a year to days since the epoch, None for a day that the year does not have."""
    month_name = read.get("b")
    month = _index(MONTHS, month_name) + 1 if month_name else numbers.get("m")
    if month is not None or "d" in numbers:
        return lambda year: _day(year, month or 1, numbers.get("d", 1))
    if "j" in numbers:
        return lambda year: _day_of_year(year, numbers["j"])
    weekday = _weekday(letters, read, numbers)
    if weekday is not None and ("U" in numbers or "W" in numbers):
        # Days after Sunday, or after Monday, begin the week.
        first = 6 if "U" in numbers else 0
        week = numbers["U"] if "U" in numbers else numbers["W"]
        return lambda year: _day_of_week(year, week, (weekday - first) % 7, first)
    return lambda year: _day(year, 1, 1)


def _day(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal() - EPOCH_DAY
    except ValueError:
        return None


def _day_of_year(year: int, number: int) -> int | None:
    first, following = _day(year, 1, 1), _day(year, 12, 31)
    if first is None or following is None or first + number - 1 > following:
        return None
    return first + number - 1


def _day_of_week(year: int, week: int, days_in: int, first_weekday: int) -> int | None:
    """Week 1 begins with the first `first_weekday` of the year."""
    january = _day(year, 1, 1)
    if january is None:
        return None
    to_first = (first_weekday - date(year, 1, 1).weekday()) % 7
    return january + to_first + (week - 1) * 7 + days_in


def _weekday(letters: str, read: dict[str, bytes], numbers: dict[str, int]) -> int | None:
    """Monday is 0."""
    last = _last(letters, "auw")
    if last == "a":
        return _index(WEEKDAYS, read["a"])
    return (numbers[last] - 1) % 7 if last else None


def _index(names: Sequence[str], text: bytes) -> int:
    """By the first three letters, which no two names share."""
    wanted = text[:3].lower().decode()
    return next(index for index, name in enumerate(names) if name.startswith(wanted))
