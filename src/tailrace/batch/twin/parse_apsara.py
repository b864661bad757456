"""Lines of Apsara: `[time]<TAB>[LEVEL]<TAB>[thread]<TAB>[file:line]<TAB>key:value<TAB>…`. They give the event its time too."""

import re
from collections.abc import Sequence

from tailrace.batch.twin.clock import Clock
from tailrace.batch.twin.parse_key_value import MAX_NUMBERED
from tailrace.batch.twin.parse_time import TimeReader
from tailrace.batch.twin.policy import Failures, Parsed, Policy, apply
from tailrace.batch.twin.table import Keys, Span, Spans, Table, Values
from tailrace.batch.twin.time_format import compile_format

MAX_BRACKETS = 10
"""Brackets that are looked at, that of the time included."""
NO_SEPARATOR = b"no_separator_key_%d"
BRACKET = re.compile(rb"[ \t]*\[(.*?)\](?=[ \t\n\r\[]|\Z)", re.DOTALL)
BLANK = re.compile(rb"[ \t]*")
LEVEL, THREAD, PLACE = re.compile(rb"[A-Z]+"), re.compile(rb"[0-9]+"), re.compile(rb"[/.]")

Found = tuple[bytes, Span]
"""A key, and where its value begins and ends."""


def parse_apsara(table: Table, utc_offset_secs: int, policy: Policy) -> Failures:
    parser = ApsaraParser(utc_offset_secs)
    read = [None if value is None else parser.time(value) for value in table.column(policy.source)]
    table.times = [old if time is None else time for old, time in zip(table.times, read, strict=True)]
    return apply(table, parser, policy)


class ApsaraParser:
    partial = ()

    def __init__(self, utc_offset_secs: int) -> None:
        clock = Clock(utc_offset_secs, None, 0)
        self._number = TimeReader(compile_format("%s"), clock)
        self._date = TimeReader(compile_format("%Y-%m-%d %H:%M:%S"), clock)

    def parse(self, values: list[bytes]) -> Parsed:
        keys: list[Keys] = []
        found: list[Values | None] = []
        for value in values:
            time = self.time(value)
            fields = [] if time is None else _fields(value)
            keys.append((*[key for key, _ in fields], b"microtime"))
            found.append(None if time is None else (*[value[begin:end] for _, (begin, end) in fields], b"%d" % (time // 1000)))
        return keys, found

    def spans(self, value: bytes) -> Spans:
        return (*[(begin, end - begin) for _, (begin, end) in _fields(value)], None)

    def time(self, value: bytes) -> int | None:
        """Nanoseconds; None when the value does not begin with a time."""
        bracket = BRACKET.match(value)
        if bracket is None:
            return None
        text = bracket[1]
        return (self._number if not text.strip(b"0123456789") else self._date).read(text)


def _fields(value: bytes) -> Sequence[Found]:
    fields: list[Found] = []
    bracket = BRACKET.match(value)
    at = bracket.end() if bracket else 0
    loose = 0
    known = {LEVEL, THREAD, PLACE}
    for _ in range(1, MAX_BRACKETS):
        bracket = BRACKET.match(value, at)
        if bracket is None:
            break
        at = bracket.end()
        kind = _kind(bracket[1], known)
        if kind is None:
            fields.append((NO_SEPARATOR % loose, bracket.span(1)))
            loose += 1
        else:
            known.remove(kind)
            fields += _known(value, kind, bracket.span(1))
    return fields + _pairs(value, at, loose)


def _kind(text: bytes, known: set[re.Pattern[bytes]]) -> re.Pattern[bytes] | None:
    if LEVEL in known and LEVEL.fullmatch(text):
        return LEVEL
    if THREAD in known and THREAD.fullmatch(text):
        return THREAD
    return PLACE if PLACE in known and PLACE.search(text) else None


def _known(value: bytes, kind: re.Pattern[bytes], span: Span) -> list[Found]:
    if kind is not PLACE:
        return [(b"__LEVEL__" if kind is LEVEL else b"__THREAD__", span)]
    begin, end = span
    colon = value.find(b":", begin, end)
    if colon < 0:
        return [(b"__FILE__", span)]
    return [(b"__FILE__", (begin, colon)), (b"__LINE__", (colon + 1, end))]


def _pairs(value: bytes, at: int, loose: int) -> list[Found]:
    fields: list[Found] = []
    blank = BLANK.match(value, at)
    at = blank.end() if blank else at
    while at < len(value):
        end = value.find(b"\t", at)
        end = len(value) if end < 0 else end
        colon = value.find(b":", at, end)
        if colon >= 0:
            fields.append((value[at:colon], (colon + 1, end)))
        elif end > at:
            end = len(value) if loose + 1 == MAX_NUMBERED else end
            fields.append((NO_SEPARATOR % loose, (at, end)))
            loose += 1
        at = end + 1
    return fields
