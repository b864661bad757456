"""processor_strptime, processor_gotime and processor_timestamp_filter_native."""

import time
from datetime import UTC, datetime

import pytest

from tailrace.batch import EventBatch
from tailrace.pipeline import registry

STRPTIME, GOTIME, FILTER = "processor_strptime", "processor_gotime", "processor_timestamp_filter_native"
S = 1_000_000_000
NOON = int(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp()) * S
PARSE = {"SourceKey": "t", "Format": "%Y/%m/%d %H:%M:%S"}
LAYOUTS = {
    "SourceKey": "t",
    "SourceFormat": "2006/01/02 15:04:05",
    "SourceLocation": 0,
    "DestKey": "d",
    "DestFormat": "15h04",
    "DestLocation": 0,
}


PAGE = "docs/reference/go-layouts.md says what a layout may hold"


@pytest.fixture
def zone(monkeypatch):
    """A machine in a zone that is 5:30 ahead of UTC all year."""
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    yield 19_800 * S
    monkeypatch.undo()
    time.tzset()


# --- processor_strptime -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({"AdjustUTCOffset": True}, "2026/01/02 12:00:00", NOON),
        ({"AdjustUTCOffset": True, "UTCOffset": 25_200}, "2026/01/02 12:00:00", NOON - 25_200 * S),
        ({"AdjustUTCOffset": True, "UTCOffset": -3600}, "2026/01/02 12:00:00", NOON + 3600 * S),
        ({"AdjustUTCOffset": True}, "2026/01/02 12:00:00.25 and more", NOON + S // 4),
        ({"AdjustUTCOffset": True, "Format": "%Y/%m/%d %H:%M:%S %z"}, "2026/01/02 12:00:00 +0200", NOON - 7200 * S),
    ],
)
def test_strptime_sets_the_time(run, options, value, expected):
    out = run(STRPTIME, {**PARSE, **options}, {"t": value}, {"x": "1"})
    assert (out.times, out.events) == ([expected, 7], [[("t", value)], [("x", "1")]])
    assert out.failures == []


def test_without_an_adjustment_the_machines_zone_holds(run, zone):
    assert run(STRPTIME, PARSE, {"t": "2026/01/02 12:00:00"}).times == [NOON - zone]
    assert run(STRPTIME, {**PARSE, "UTCOffset": 3600}, {"t": "2026/01/02 12:00:00"}).times == [NOON - zone]


@pytest.mark.parametrize(("keep", "left"), [(True, [("t", "2026/01/02 12:00:00"), ("x", "1")]), (False, [("x", "1")])])
def test_strptime_may_take_the_source_away(run, keep, left):
    out = run(STRPTIME, {**PARSE, "KeepSource": keep}, {"t": "2026/01/02 12:00:00", "x": "1"}, {"t": "never"})
    assert out.events == [left, [("t", "never")]]


@pytest.mark.parametrize(
    ("told", "failures"), [(True, [(1, "`t` does not begin with a time in the format `%Y/%m/%d %H:%M:%S`", "never")]), (False, [])]
)
def test_a_time_that_strptime_cannot_read(run, told, failures):
    out = run(STRPTIME, {**PARSE, "AlarmIfFail": told}, {"t": "never"}, {"x": "1"})
    assert (out.times, out.failures) == ([7, 7], failures)


@pytest.mark.parametrize(
    ("options", "key", "text"),
    [
        ({}, "precise_timestamp", NOON // 10**6 + 123),
        ({"PreciseTimestampUnit": "us"}, "precise_timestamp", NOON // 1000 + 123_456),
        ({"PreciseTimestampUnit": "ns", "PreciseTimestampKey": "p"}, "p", NOON + 123_456_789),
    ],
)
def test_the_precise_time_goes_into_a_field(run, options, key, text):
    options = {**PARSE, "AdjustUTCOffset": True, "EnablePreciseTimestamp": True, **options}
    out = run(STRPTIME, options, {"t": "2026/01/02 12:00:00.123456789"}, {"t": "never", key: "old"}, {"x": "1"})
    assert out.events == [[("t", "2026/01/02 12:00:00.123456789"), (key, str(text))], [("t", "never"), (key, "old")], [("x", "1")]]
    assert run(STRPTIME, {**PARSE, "AdjustUTCOffset": True}, {"t": "2026/01/02 12:00:00"}).events == [[("t", "2026/01/02 12:00:00")]]


def test_strptime_refuses_unknown_directives(refusals):
    assert refusals(STRPTIME, {**PARSE, "Format": "%Y %Q"})[0].startswith("Format: the time format `%Y %Q` has ")
    assert refusals(STRPTIME, {**PARSE, "UTCOffset": 90_000}) == ["UTCOffset: must be at most 50,400, got 90000"]
    assert refusals(STRPTIME, {**PARSE, "PreciseTimestampUnit": "s"}) == [
        "PreciseTimestampUnit: expected one of `ms`, `us`, `ns`, got the string `s`"
    ]


# --- processor_gotime -------------------------------------------------------------------------------------------------------------------
def test_gotime_reads_and_writes(run):
    out = run(GOTIME, LAYOUTS, {"t": "2026/01/02 12:00:00"})
    assert (out.times, out.events, out.failures) == ([NOON], [[("t", "2026/01/02 12:00:00"), ("d", "12h00")]], [])


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("seconds", "1700000000", 1_700_000_000 * S),
        ("milliseconds", "1700000000123", 1_700_000_000_123 * 10**6),
        ("microseconds", "1700000000123456", 1_700_000_000_123_456 * 10**3),
        ("nanoseconds", "1700000000123456789", 1_700_000_000_123_456_789),
        ("seconds", "7", 7 * S),
    ],
)
def test_gotime_reads_unix_times(run, unit, value, expected):
    assert run(GOTIME, {**LAYOUTS, "SourceFormat": unit}, {"t": value}).times == [expected]


@pytest.mark.parametrize("value", ["", "12.5", "-1", "99999999999999999999", "9999999999999999999"])
def test_what_is_no_unix_time_fails(run, value):
    out = run(GOTIME, {**LAYOUTS, "SourceFormat": "seconds"}, {"t": value})
    assert (out.times, out.events) == ([7], [[("t", value)]])
    assert out.failures == [(1, "`t` does not hold a time in the format `seconds`", value)]


@pytest.mark.parametrize(
    ("options", "expected", "text"),
    [
        ({"SourceLocation": 8}, NOON - 8 * 3600 * S, "04h00"),
        ({"DestLocation": -3}, NOON, "09h00"),
        ({"SourceLocation": 8, "DestLocation": 8}, NOON - 8 * 3600 * S, "12h00"),
        ({"SourceFormat": "2006/01/02 15:04:05 -07:00", "SourceLocation": 8}, NOON, "12h00"),
    ],
)
def test_zones_of_gotime(run, options, expected, text):
    out = run(GOTIME, {**LAYOUTS, **options}, {"t": "2026/01/02 12:00:00 +00:00"})
    assert (out.times, out.events[0][1]) == ([expected], ("d", text))


def test_gotime_takes_the_machines_zone_by_default(run, zone):
    options = {key: value for key, value in LAYOUTS.items() if not key.endswith("Location")}
    out = run(GOTIME, options, {"t": "2026/01/02 12:00:00"})
    assert (out.times, out.events[0][1]) == ([NOON - zone], ("d", "12h00"))
    assert run(GOTIME, {**options, "SourceLocation": 0}, {"t": "2026/01/02 12:00:00"}).events[0][1] == ("d", "17h30")
    assert run(GOTIME, {**options, "SourceLocation": -100}, {"t": "2026/01/02 12:00:00"}).times == [NOON - zone]


@pytest.mark.parametrize(("set_time", "expected"), [(True, NOON), (False, 7)])
def test_gotime_may_leave_the_events_time(run, set_time, expected):
    out = run(GOTIME, {**LAYOUTS, "SetTime": set_time}, {"t": "2026/01/02 12:00:00"})
    assert (out.times, out.events[0][1]) == ([expected], ("d", "12h00"))


@pytest.mark.parametrize(("keep", "left"), [(True, ["t", "d"]), (False, ["d"])])
def test_gotime_may_take_the_source_away(run, keep, left):
    out = run(GOTIME, {**LAYOUTS, "KeepSource": keep}, {"t": "2026/01/02 12:00:00"}, {"t": "never", "d": "old"})
    assert [key for key, _ in out.events[0]] == left
    assert out.events[1] == [("t", "never"), ("d", "old")]


def test_gotime_may_write_over_its_source(run):
    for keep in (True, False):
        out = run(GOTIME, {**LAYOUTS, "DestKey": "t", "KeepSource": keep}, {"t": "2026/01/02 12:00:00"}, {"t": "never"})
        assert out.events == [[("t", "12h00")], [("t", "never")]]


@pytest.mark.parametrize("told", [True, False])
def test_what_gotime_counts_as_failed(run, told):
    out = run(GOTIME, {**LAYOUTS, "NoKeyError": told, "AlarmIfFail": told}, {"x": "1"}, {"t": "never"})
    wrong = "`t` does not hold a time in the format `2006/01/02 15:04:05`"
    assert out.failures == ([(1, "has no field `t`", ""), (1, wrong, "never")] if told else [])
    assert run(GOTIME, LAYOUTS, {"x": "1"}, {"t": "never"}).failures == [(1, "has no field `t`", ""), (1, wrong, "never")], "the default"


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        (
            {"SourceFormat": "15:04 MST"},
            f"SourceFormat: `MST` in the layout cannot be used; write the zone as `-0700` or `Z07:00`, or give it by its key ({PAGE})",
        ),
        (
            {"SourceFormat": "15:04.000"},
            f"SourceFormat: the fraction `.000` does not follow the seconds ({PAGE})",
        ),
        ({"DestLocation": -15}, "DestLocation: -15 hours are more than 14 from UTC"),
        ({"SourceLocation": 15}, "SourceLocation: must be at most 14, got 15"),
    ],
)
def test_gotime_refuses(refusals, options, mistake):
    assert refusals(GOTIME, {**LAYOUTS, **options}) == [mistake]


# --- processor_timestamp_filter_native --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"LowerBound": 10}, [10 * S, 11 * S, 12 * S + 999_999_999]),
        ({"UpperBound": 11}, [9_999_999_999, 10 * S, 11 * S]),
        ({"UpperBound": 12}, [9_999_999_999, 10 * S, 11 * S, 12 * S + 999_999_999]),
        ({"LowerBound": 10, "UpperBound": 10}, [10 * S]),
        ({"TimestampPrecision": "millisecond", "LowerBound": 9_999, "UpperBound": 10_000}, [9_999_999_999, 10 * S]),
        ({"TimestampPrecision": "nanosecond", "LowerBound": 10 * S + 1}, [11 * S, 12 * S + 999_999_999]),
        ({}, [9_999_999_999, 10 * S, 11 * S, 12 * S + 999_999_999]),
    ],
)
def test_the_events_own_time_is_filtered(options, kept):
    entry = registry.get("processor", FILTER)
    plugin = entry.cls(entry.config_model.model_validate(options))
    counted = []
    plugin.context = type("Context", (), {"discarded": lambda _self, *what: counted.append(what)})()
    batch = EventBatch.from_events([(time_ns, []) for time_ns in (9_999_999_999, 10 * S, 11 * S, 12 * S + 999_999_999)])
    plugin.process(batch)
    assert batch.times == kept
    assert sum(count for _, count, _ in counted) == 4 - len(kept)


@pytest.mark.parametrize(("value", "kept"), [("9", 0), ("10", 1), ("12", 1), ("13", 0), ("soon", 1), ("", 1), ("-1", 1), ("9" * 20, 1)])
def test_a_fields_time_is_filtered(run, value, kept):
    out = run(FILTER, {"SourceKey": "t", "LowerBound": 10, "UpperBound": 12}, {"t": value})
    assert len(out.events) == kept
    assert out.discards == [(1, "its time is not within `LowerBound` and `UpperBound`")] * (1 - kept)


def test_an_event_without_the_field_is_kept(run):
    assert len(run(FILTER, {"SourceKey": "t", "LowerBound": 10}, {"x": "1"}).events) == 1


def test_bounds_the_wrong_way_round(refusals):
    message = "LowerBound: 2 is later than `UpperBound`, 1: nothing would be kept"
    assert refusals(FILTER, {"LowerBound": 2, "UpperBound": 1}) == [message]
