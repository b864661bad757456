"""The insert budget spreads blocks over time."""

import pytest

from tailrace.server.store.pace import Pace


def pace() -> Pace:
    return Pace(least=20, most=40, at_once=4)


def test_blocks_follow_each_other_at_the_budgets_rate() -> None:
    budget = pace()
    for now, next_at in ((100.0, 100.025), (100.025, 100.05), (100.03, 100.075)):
        budget.spend(now)
        assert round(budget.next_at, 6) == next_at


def test_quiet_times_are_not_saved_up() -> None:
    budget = pace()
    budget.spend(100.0)
    budget.spend(160.0)
    assert round(budget.next_at, 6) == 160.025


@pytest.mark.parametrize(("insertion", "per_sec"), [(0.03, 40), (0.1, 40), (0.16, 25), (0.2, 20), (3.0, 20)])
def test_a_slower_engine_gets_fewer_blocks_within_bounds(insertion: float, per_sec: float) -> None:
    budget = pace()
    for _ in range(200):
        budget.took(insertion)
    budget.spend(100.0)
    assert budget.next_at - 100.0 == pytest.approx(1 / per_sec, rel=0.01)


def test_one_slow_insertion_changes_little() -> None:
    budget = pace()
    for seconds in [*[0.03] * 200, 1.0]:
        budget.took(seconds)
    assert budget.interval(40) == pytest.approx(1.0)


def test_the_interval_of_one_logstore_grows_with_their_number() -> None:
    assert pace().interval(40) == 1.0
