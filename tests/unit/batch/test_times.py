"""Times: the examples of the reference page, and what a format leaves open."""

from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * 10**9
EIGHT_HOURS = 8 * 3600 * 10**9


def time_of(engine: ModuleType, value: str, form: str, **options: Any) -> int | None:
    batch = engine.EventBatch.from_events([(7, [(b"t", value.encode())])])
    failures = batch.parse_time(b"t", form, **{"utc_offset_secs": 0, **options})
    assert batch.times == [7] or failures.count == 0, "a failed row keeps its time"
    return None if failures.count else batch.times[0]


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ("2026-03-01T12:00:00.123+08:00", "%Y-%m-%dT%H:%M:%S%z", NOON - EIGHT_HOURS + 123_000_000),
        ("2026-03-01 12:00:00,123", "%Y-%m-%d %H:%M:%S", NOON + 123_000_000),
        ("01/Mar/2026:12:00:00 +0000", "%d/%b/%Y:%H:%M:%S %z", NOON),
        ("01 Mar 26 12:00 UTC", "%d %b %y %H:%M", NOON),
        ("01 Mar 26 12:00 +0800", "%d %b %y %H:%M %z", NOON - EIGHT_HOURS),
        ("Sunday, 01-Mar-26 12:00:00 UTC", "%A, %d-%b-%y %H:%M:%S", NOON),
        ("Sun, 01 Mar 2026 12:00:00 GMT", "%a, %d %b %Y %H:%M:%S", NOON),
        ("Sun Mar  1 12:00:00 2026", "%c", NOON),
        ("1772366400", "%s", NOON),
        ("1772366400123", "%s", NOON + 123_000_000),
        ("1772366400123456", "%s", NOON + 123_456_000),
        ("1772366400123456789", "%s", NOON + 123_456_789),
        ("1772366400.5", "%s.%f", NOON + 500_000_000),
        ("20260301120000", "%Y%m%d%H%M%S", NOON),
        ("03/01/26 12:00:00 PM and more", "%D %r", NOON),
        ("2026-060 12", "%Y-%j %H", NOON),
        ("2026 08 0 12", "%Y %U %w %H", NOON - 7 * 86_400 * 10**9),
        ("2026 08 7 12", "%Y %W %u %H", NOON),
        ("2026-03-01 12:00:00.1234567899", "%F %T", NOON + 123_456_789),
        ("2026-03-01 12:00:00.25", "%F %T.%f", NOON + 250_000_000),
        (" MARCH  1 2026  12", "%n%B %d %Y %H", NOON),
    ],
)
def test_examples(engine: ModuleType, value: str, form: str, expected: int) -> None:
    assert time_of(engine, value, form) == expected


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-02-29", "%F"),
        ("2026-13-01", "%F"),
        ("2026-03-01 24:00", "%F %R"),
        ("2026-366", "%Y-%j"),
        ("1969-12-31", "%F"),
        ("2262-04-12", "%F"),
        ("177236640", "%s"),
        ("17723664001", "%s"),
        ("2026-03-01 +2400", "%F %z"),
        ("01/Foo/2026", "%d/%b/%Y"),
        ("", "%Y"),
    ],
)
def test_failures(engine: ModuleType, value: str, form: str) -> None:
    assert time_of(engine, value, form) is None


@pytest.mark.parametrize("form", ["%", "%Q", "%Ey", "%Z", "%k"])
def test_unknown_directives_are_refused(engine: ModuleType, form: str) -> None:
    with pytest.raises(ValueError, match="%"):
        time_of(engine, "x", form)


def test_the_configured_zone_holds_where_the_value_has_none(engine: ModuleType) -> None:
    assert time_of(engine, "2026-03-01 12:00:00", "%F %T", utc_offset_secs=28_800) == NOON - EIGHT_HOURS
    assert time_of(engine, "2026-03-01 12:00:00Z", "%F %T%z", utc_offset_secs=28_800) == NOON


@pytest.mark.parametrize(
    ("value", "now", "expected"),
    [
        ("Mar  1 12", "2026-03-01T13:00", "2026-03-01T12:00"),
        ("Mar  1 12", "2026-02-28T12:00", "2026-03-01T12:00"),
        ("Mar  1 12", "2026-02-28T11:59", "2025-03-01T12:00"),
        ("Dec 31 23", "2026-01-01T00:00", "2025-12-31T23:00"),
        ("Jan  1 00", "2025-12-31T23:00", "2026-01-01T00:00"),
        ("Feb 29 00", "2027-06-01T00:00", "2024-02-29T00:00"),
    ],
)
def test_a_missing_year_is_the_latest_that_is_not_beyond_tomorrow(engine: ModuleType, value: str, now: str, expected: str) -> None:
    now_ns, expected_ns = (int(datetime.fromisoformat(text + "+00:00").timestamp()) * 10**9 for text in (now, expected))
    assert time_of(engine, value, "%b %d %H", now_ns=now_ns) == expected_ns


def test_a_configured_year_holds_where_the_format_has_none(engine: ModuleType) -> None:
    assert time_of(engine, "Mar  1 12", "%b %d %H", year=2026) == NOON
    assert time_of(engine, "Mar  1 2026 12", "%b %d %Y %H", year=1999) == NOON


def test_the_field_goes_only_when_it_was_read(engine: ModuleType) -> None:
    batch = engine.EventBatch.from_events([(7, [(b"t", b"1772366400"), (b"a", b"1")]), (8, [(b"t", b"no")])])
    failures = batch.parse_time(b"t", "%s", utc_offset_secs=0, keep_source=False)
    assert batch.rows() == [(NOON, [(b"a", b"1")]), (8, [(b"t", b"no")])]
    assert (failures.rows, failures.sample, failures.removed) == ([1], b"no", 0)
