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
