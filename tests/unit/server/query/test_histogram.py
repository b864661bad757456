"""How a range is cut into intervals."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.server.query.histogram import MAX_INTERVALS, Interval, intervals, width
from tailrace.server.query.window import NS, Window


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, 1), (60, 1), (61, 2), (900, 15), (3600, 60), (86_400, 1800), (30 * 86_400, 43_200), (400 * 86_400, 7 * 86_400)],
)
def test_the_width_is_a_usual_one(seconds: int, expected: int):
    assert width(Window(0, seconds * NS)) == expected


def test_counts_stand_in_their_intervals():
    assert intervals(Window(100 * NS, 190 * NS), [(1, 5)]) == [
        Interval(at, min(at + 2, 190), 5 if at == 102 else 0) for at in range(100, 190, 2)
    ]


@given(st.integers(0, 2 * 10**9), st.integers(1, 10**9))
def test_intervals_cover_the_range_without_gap(start: int, seconds: int):
    found = intervals(Window(start * NS, (start + seconds) * NS), [])
    edges = [each.start for each in found] + [found[-1].end]
    assert (edges[0], edges[-1], len(found) <= MAX_INTERVALS) == (start, start + seconds, True)
    assert all(one.end == other.start for one, other in itertools.pairwise(found))
