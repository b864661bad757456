"""Times: formats against values that fit, nearly fit and do not fit."""

from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.side_by_side import examples, outcome, plain, seen

Engines = tuple[ModuleType, ModuleType]

FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S,%f",
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %d %H:%M:%S",
    "%h %e %T",
    "%A, %d-%b-%y %H:%M:%S",
    "%a, %d %B %Y %X",
    "%c",
    "%x %r",
    "%D%n%I:%M%p",
    "%F %R",
    "%s",
    "%s.%f",
    "%Y%m%d%H%M%S",
    "%y%j",
    "%Y %U %w",
    "%Y %W %u %H",
    "%Y %V %a",
    "%C%y-%m",
    "[%Y]%t%%%m",
    "%H:%M",
    "%e %d %I %H %p",
]
BAD_FORMATS = ["%", "%Y-%Q", "%E", "%Ey", "%Od", "%Z", "%k", "%+", "é%"]
MOMENTS = st.datetimes(datetime(1969, 12, 30), datetime(2262, 4, 12)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
TAILS = st.sampled_from(["", " x", ".123", ",123456789012", ".", "Z", "+0800", " +08:00", "-2359", "+2400", "5", " PM"])


@st.composite
def written(draw: st.DrawFn, form: str) -> bytes:
    """A moment in this format, sometimes with an end of its own and a byte changed."""
    known = form.replace("%z", draw(st.sampled_from(["%z", "Z", "+08", "-05:30"])))
    text = (draw(MOMENTS).strftime(known) + draw(TAILS)).encode()
    if not draw(st.booleans()):
        return text
    at = draw(st.integers(0, max(len(text) - 1, 0)))
    return (
        text[:at]
        + draw(st.sampled_from([b"", b" ", b"9", b"0", b"\xff", b"a", b"\t", b"12", b"29"]))
        + text[at + draw(st.integers(0, 1)) :]
    )


CASES = st.sampled_from(FORMATS).flatmap(lambda form: st.tuples(st.just(form), st.lists(written(form), min_size=1, max_size=4)))


def parsed(engine: ModuleType, form: str, values: list[bytes], options: dict[str, Any]) -> Any:
    batch = engine.EventBatch.from_events([(7, [(b"t", value), (b"u", b"")]) for value in values])
    return outcome(lambda: (plain(batch.parse_time(b"t", form, **options)), batch.times, seen(batch)))


@examples(400)
@given(
    case=CASES,
    offset=st.sampled_from([0, 28_800, -19_800, 50_400]),
    year=st.none() | st.integers(1969, 2263),
    now=st.sampled_from([0, 951_782_400, 1_772_366_400, 4_000_000_000, 9_000_000_000]),
    keep=st.booleans(),
)
def test_formats(engines: Engines, case: tuple[str, list[bytes]], offset: int, year: int | None, now: int, keep: bool) -> None:
    form, values = case
    options = {"utc_offset_secs": offset, "year": year, "now_ns": now * 10**9, "keep_source": keep}
    native, twin = (parsed(engine, form, values, options) for engine in engines)
    assert native == twin


@examples(200)
@given(digits=st.text("0123456789", max_size=20), form=st.sampled_from(["%s", "%s.%f", "%Y%m%d", "%H%M%S", "%j", "%y"]))
def test_digits(engines: Engines, digits: str, form: str) -> None:
    options = {"utc_offset_secs": 0, "year": 2024}
    native, twin = (parsed(engine, form, [digits.encode(), digits.encode() + b".5"], options) for engine in engines)
    assert native == twin


@pytest.mark.parametrize("form", BAD_FORMATS)
def test_unknown_directives_are_refused_even_for_an_empty_batch(engines: Engines, form: str) -> None:
    for engine in engines:
        batch = engine.EventBatch.from_events([])
        verdict, _ = outcome(lambda batch=batch: batch.parse_time(b"t", form, utc_offset_secs=0))
        assert verdict == "ValueError"
