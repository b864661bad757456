"""Go's time layouts, read and written. The values come from the documentation of Go's package time."""

from datetime import UTC, datetime

import pytest

from tailrace.batch import EventBatch
from tailrace.processors.go_layout import LayoutError, Writer, strptime_format

S = 1_000_000_000
MOMENT = int(datetime(2006, 1, 2, 22, 4, 5, tzinfo=UTC).timestamp()) * S
"""Go's own moment, 15:04:05 in a zone seven hours behind UTC."""


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("01/02 03:04:05PM '06 -0700", "01/02 03:04:05PM '06 -0700"),
        ("Mon Jan _2 15:04:05 2006", "Mon Jan  2 15:04:05 2006"),
        ("02 Jan 06 15:04 -0700", "02 Jan 06 15:04 -0700"),
        ("Monday, 02-Jan-06 15:04:05", "Monday, 02-Jan-06 15:04:05"),
        ("Mon, 02 Jan 2006 15:04:05 -0700", "Mon, 02 Jan 2006 15:04:05 -0700"),
        ("2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05-07:00"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.123456-07:00"),
        ("3:04PM", "3:04PM"),
        ("3:04pm", "3:04pm"),
        ("Jan _2 15:04:05.000", "Jan  2 15:04:05.123"),
        ("Jan _2 15:04:05.000000000", "Jan  2 15:04:05.123456000"),
        ("Jan _2 15:04:05,00", "Jan  2 15:04:05,12"),
        ("2006-002 Z0700 Z07 -07", "2006-002 -0700 -07 -07"),
        ("January 2, 1/2 5s 4m __2", "January 2, 1/2 5s 4m   2"),
        ("100% 2006", "100% 2006"),
    ],
)
def test_writing(layout, text):
    # `100%` holds a month, as Go has it: a `1` is one wherever it stands.
    assert Writer(layout).write(MOMENT + 123_456_000, -7 * 3600) == text


@pytest.mark.parametrize(
    ("layout", "time_ns", "offset", "text"),
    [
        ("2006-01-02T15:04:05Z07:00", MOMENT, 0, "2006-01-02T22:04:05Z"),
        ("Z0700 Z07 -07:00", MOMENT, 0, "Z Z +00:00"),
        ("-0700", MOMENT, 19_800, "+0530"),
        ("15:04:05.999", MOMENT, 0, "22:04:05"),
        ("15:04:05.000", MOMENT, 0, "22:04:05.000"),
        ("3PM 03pm", MOMENT - 22 * 3600 * S, 0, "12AM 12am"),
        ("3PM", MOMENT - 10 * 3600 * S, 0, "12PM"),
        ("Monday Jan _2 02", MOMENT + 10 * 86_400 * S, 0, "Thursday Jan 12 12"),
        ("2006 002", MOMENT + 99 * 86_400 * S, 0, "2006 101"),
    ],
)
def test_writing_other_moments(layout, time_ns, offset, text):
    assert Writer(layout).write(time_ns, offset) == text


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Mon Jan _2 15:04:05 2006", "Mon Jan  2 22:04:05 2006"),
        ("02 Jan 06 15:04:05 -0700", "02 Jan 06 15:04:05 -0700"),
        ("2006-01-02T15:04:05Z07:00", "2006-01-02T22:04:05Z"),
        ("2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05-07:00"),
        ("Monday, 02-Jan-06 15:04:05", "Monday, 02-Jan-06 22:04:05"),
        ("January 2, 2006 3:04:05 PM", "January 2, 2006 10:04:05 PM"),
        ("2006/002 15:04:05", "2006/002 22:04:05"),
    ],
)
def test_reading(layout, text):
    batch = EventBatch.from_events([(0, [(b"t", text.encode())])])
    assert batch.parse_time(b"t", strptime_format(layout), utc_offset_secs=0).count == 0
    assert batch.times == [MOMENT]


@pytest.mark.parametrize("layout", ["2006-01-02 15:04:05.000", "2006-01-02 15:04:05,999999", "2006-01-02 15:04:05"])
def test_a_fraction_is_read_whatever_the_layout_says(layout):
    batch = EventBatch.from_events([(0, [(b"t", b"2006-01-02 22:04:05.25")])])
    batch.parse_time(b"t", strptime_format(layout), utc_offset_secs=0)
    assert batch.times == [MOMENT + S // 4]


def test_what_stands_for_itself_keeps_its_percent_signs():
    assert strptime_format("%Y at 15h") == "%%Y at %Hh"


@pytest.mark.parametrize("layout", ["15:04 MST", "-07:00:00", "Z070000"])
def test_zones_that_cannot_be_used(layout):
    for use in (strptime_format, Writer):
        with pytest.raises(LayoutError, match="in the layout cannot be used"):
            use(layout)


def test_a_fraction_follows_seconds():
    with pytest.raises(LayoutError, match=r"the fraction `\.00` does not follow the seconds"):
        strptime_format("04.00")
