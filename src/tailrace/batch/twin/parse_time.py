"""The event time from a field."""

from functools import lru_cache, partial

from tailrace.batch.twin.clock import MAX_NS, Clock
from tailrace.batch.twin.edit import drop_first
from tailrace.batch.twin.policy import Failures
from tailrace.batch.twin.table import Table
from tailrace.batch.twin.time_format import TimeFormat

CACHED_TIMES = 4096
UNIX_SECONDS_DIGITS = 10


def parse_time(table: Table, source: bytes, form: TimeFormat, clock: Clock, *, keep_source: bool) -> Failures:
    """A failed row keeps its time and its field."""
    failures = Failures()
    reader = TimeReader(form, clock)
    parsed = [False] * len(table)
    times = list(table.times)
    for row, value in enumerate(table.column(source)):
        if value is None:
            continue
        time = reader.read(value)
        if time is None:
            failures.note(row, value)
        else:
            times[row] = time
            parsed[row] = True
    table.times = times
    if not keep_source:
        drop_first(table, source, parsed)
    return failures


class TimeReader:
    """Neighbouring events mostly fall into the same second: all but the fraction is worked out once."""

    def __init__(self, form: TimeFormat, clock: Clock) -> None:
        self._match = form.pattern.match
        kept = [index for index, letter in enumerate(form.letters) if letter != "f"]
        self._fractions = [index for index, letter in enumerate(form.letters) if letter == "f"]
        self._kept = kept
        letters = "".join(form.letters[index] for index in kept)
        self._unix = letters.rfind("s")
        self._instant = lru_cache(CACHED_TIMES)(partial(clock.instant, letters))

    def read(self, value: bytes) -> int | None:
        match = self._match(value)
        if match is None:
            return None
        groups = match.groups(b"")
        texts = tuple([groups[index] for index in self._kept])
        time = self._instant(texts)
        if time is None:
            return None
        if self._unix < 0 or len(texts[self._unix]) == UNIX_SECONDS_DIGITS:
            time += self._fraction(groups)
        return time if 0 <= time <= MAX_NS else None

    def _fraction(self, groups: tuple[bytes, ...]) -> int:
        digits = next((text for index in reversed(self._fractions) if (text := groups[index])), b"")
        return int(digits[:9].ljust(9, b"0"))
