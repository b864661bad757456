"""processor_parse_timestamp_native."""

import calendar
import time

import pytest

TYPE = "processor_parse_timestamp_native"
SECOND = 1_000_000_000
FORMAT = "%Y-%m-%d %H:%M:%S"


def at(*utc: int) -> int:
    return calendar.timegm((*utc, 0, 0, 0)) * SECOND


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({"SourceTimezone": "GMT+00:00"}, "2026-05-03 12:00:01", at(2026, 5, 3, 12, 0, 1)),
        ({"SourceTimezone": "GMT+08:00"}, "2026-05-03 12:00:01", at(2026, 5, 3, 4, 0, 1)),
        ({"SourceTimezone": "GMT-03:30"}, "2026-05-03 12:00:01", at(2026, 5, 3, 15, 30, 1)),
        ({"SourceTimezone": "UTC+01:00"}, "2026-05-03 12:00:01 and more", at(2026, 5, 3, 11, 0, 1)),
        ({"SourceTimezone": "GMT+00:00"}, "2026-05-03 12:00:01.25", at(2026, 5, 3, 12, 0, 1) + SECOND // 4),
        ({"SourceFormat": "%s"}, "1777777777", 1777777777 * SECOND),
        ({"SourceFormat": "%s"}, "1777777777123", 1777777777123 * 1_000_000),
        ({"SourceFormat": "%d %b %H:%M", "SourceYear": 2020, "SourceTimezone": "GMT+00:00"}, "29 Feb 01:02", at(2020, 2, 29, 1, 2, 0)),
    ],
)
def test_the_event_gets_the_time_of_its_field(run, options, value, expected):
    out = run(TYPE, {"SourceKey": "t", "SourceFormat": FORMAT, **options}, {"t": value, "m": "x"})
    assert (out.times, out.failures) == ([expected], [])
    assert out.events == [[("t", value), ("m", "x")]]


def test_without_a_zone_it_is_the_machines(run, monkeypatch):
    monkeypatch.setenv("TZ", "XST-05:30")
    time.tzset()
    try:
        out = run(TYPE, {"SourceKey": "t", "SourceFormat": FORMAT}, {"t": "2026-05-03 12:00:00"})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert out.times == [at(2026, 5, 3, 6, 30, 0)]


@pytest.mark.parametrize("year", [-1, 0])
def test_a_missing_year_is_the_one_nearest_to_now(run, year):
    stamp = time.gmtime(time.time() - 86_400 * 2)
    options = {"SourceKey": "t", "SourceFormat": "%b %d %H:%M:%S", "SourceTimezone": "GMT+00:00", "SourceYear": year}
    out = run(TYPE, options, {"t": time.strftime("%b %d %H:%M:%S", stamp)})
    assert out.times == [calendar.timegm(stamp) * SECOND]


def test_a_bad_time_is_counted_and_the_event_keeps_what_it_has(run):
    out = run(TYPE, {"SourceKey": "t", "SourceFormat": FORMAT}, {"t": "yesterday"}, {"m": "no time"})
    assert out.times == [7, 7]
    assert out.events == [[("t", "yesterday")], [("m", "no time")]]
    assert out.failures == [(1, f"`t` does not begin with a time in the format `{FORMAT}`", "yesterday")]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"SourceTimezone": "Asia/Shanghai"}, "SourceTimezone: `Asia/Shanghai` is not an offset (write it as `GMT+08:00` or `GMT-03:30`)"),
        ({"SourceTimezone": "GMT+8"}, "SourceTimezone: `GMT+8` is not an offset (write it as `GMT+08:00` or `GMT-03:30`)"),
        ({"SourceTimezone": "GMT+15:00"}, "SourceTimezone: `GMT+15:00` is more than 14 hours away from GMT"),
        ({"SourceYear": -2}, "SourceYear: must be at least -1, got -2"),
        (
            {"SourceFormat": ""},
            "SourceFormat: must not be empty (The format, in strptime directives; docs/reference/time-formats.md lists them.)",
        ),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, {"SourceKey": "t", "SourceFormat": FORMAT, **options}) == [mistake]


# Every directive of the manual's table: (format, value, the time that it gives). Sunday, the 1st of March 2026, 13:05:09.
NOW = at(2026, 3, 1, 13, 5, 9)
DIRECTIVES = {
    "%a": ("%a %d %m %Y %T", "Sun 01 03 2026 13:05:09"),
    "%A": ("%A %d %m %Y %T", "sunday 01 03 2026 13:05:09"),
    "%b": ("%b %d %Y %T", "Mar 01 2026 13:05:09"),
    "%B": ("%B %d %Y %T", "March 01 2026 13:05:09"),
    "%d": ("%Y-%m-%d %T", "2026-03-1 13:05:09"),
    "%h": ("%h %d %Y %T", "Mar 01 2026 13:05:09"),
    "%H": ("%F %H:%M:%S", "2026-03-01 13:05:09"),
    "%I": ("%F %I:%M:%S %p", "2026-03-01 01:05:09 PM"),
    "%m": ("%Y/%m/%d %T", "2026/3/01 13:05:09"),
    "%M": ("%F %H.%M.%S", "2026-03-01 13.05.09"),
    "%n": ("%F%n%T", "2026-03-01\n13:05:09"),
    "%p": ("%F %I %p %M %S", "2026-03-01 1 pm 05 09"),
    "%r": ("%F %r", "2026-03-01 01:05:09 PM"),
    "%R": ("%F %R:%S", "2026-03-01 13:05:09"),
    "%S": ("%F %R:%S", "2026-03-01 13:05:9"),
    "%t": ("%F%t%T", "2026-03-01\t13:05:09"),
    "%y": ("%d/%m/%y %T", "01/03/26 13:05:09"),
    "%Y": ("%Y%m%d%H%M%S", "20260301130509"),
    "%C": ("%C%y-%m-%d %T", "2026-03-01 13:05:09"),
    "%e": ("%b %e %Y %T", "Mar  1 2026 13:05:09"),
    "%j": ("%Y %j %T", "2026 060 13:05:09"),
    "%u": ("%Y %W %u %T", "2026 08 7 13:05:09"),
    "%U": ("%Y %U %w %T", "2026 09 0 13:05:09"),
    "%V": ("%F %V %T", "2026-03-01 09 13:05:09"),
    "%w": ("%Y %U %w %T", "2026 09 0 13:05:09"),
    "%W": ("%Y %W %w %T", "2026 08 0 13:05:09"),
    "%c": ("%c", "Sun Mar  1 13:05:09 2026"),
    "%x": ("%x %T", "03/01/26 13:05:09"),
    "%X": ("%F %X", "2026-03-01 13:05:09"),
    "%s": ("%s", "1772370309"),
}


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_each_directive_of_the_manual(run, directive):
    form, value = DIRECTIVES[directive]
    out = run(TYPE, {"SourceKey": "t", "SourceFormat": form, "SourceTimezone": "GMT+00:00"}, {"t": value})
    assert (out.times, out.failures) == ([NOW], [])


def test_the_table_is_the_manuals():
    manual = "%a %A %b %B %d %h %H %I %m %M %n %p %r %R %S %t %y %Y %C %e %j %u %U %V %w %W %c %x %X %s"
    assert sorted(DIRECTIVES) == sorted(manual.split())


# The manual's named examples, with what it prints for them.
@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("%d %b %y %H:%M", "02 Jan 06 15:04 MST", at(2006, 1, 2, 15, 4, 0)),  # RFC822
        ("%d %b %y %H:%M", "02 Jan 06 15:04 -0700", at(2006, 1, 2, 15, 4, 0)),  # RFC822Z
        ("%A, %d-%b-%y %H:%M:%S", "Monday, 02-Jan-06 15:04:05 MST", at(2006, 1, 2, 15, 4, 5)),  # RFC850
        ("%A, %d-%b-%y %H:%M:%S", "Mon, 02 Jan 2006 15:04:05 MST", None),  # a day that is no full format
        ("%a, %d %b %Y %H:%M:%S", "Mon, 02 Jan 2006 15:04:05 MST", at(2006, 1, 2, 15, 4, 5)),  # RFC1123
        ("%Y-%m-%dT%H:%M:%S", "2006-01-02T15:04:05Z07:00", at(2006, 1, 2, 15, 4, 5)),  # RFC3339
        ("%Y-%m-%dT%H:%M:%S", "2006-01-02T15:04:05.999999999Z07:00", at(2006, 1, 2, 15, 4, 5) + 999_999_999),  # RFC3339Nano
        ("%Y-%m-%d %H:%M:%S", "2017-12-11 15:05:07", at(2017, 12, 11, 15, 5, 7)),
        ("[%Y-%m-%d %H:%M:%S]", "[2017-12-11 15:05:07.012]", at(2017, 12, 11, 15, 5, 7) + 12_000_000),  # the fraction belongs to `%S`
        ("[%Y-%m-%d %H:%M:%S]", "[2017-12-11 15:05:07", None),  # text of the format must be there, too
        ("[%Y-%m-%d %H:%M:%S", "[2017-12-11 15:05:07.012]", at(2017, 12, 11, 15, 5, 7) + 12_000_000),
        ("%s", "1147618588", 1147618588 * SECOND),
        ("%s", "1147618588123", 1147618588123 * 1_000_000),
        ("%s", "1147618588123456", 1147618588123456 * 1_000),
    ],
)
def test_the_named_formats_of_the_manual(run, form, value, expected):
    out = run(TYPE, {"SourceKey": "t", "SourceFormat": form, "SourceTimezone": "GMT+00:00"}, {"t": value})
    assert out.times == [expected or 7]
    assert bool(out.failures) == (expected is None)
