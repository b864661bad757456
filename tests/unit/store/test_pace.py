"""The insert budget spreads blocks over time."""

from tailrace.server.store.pace import Pace


def test_blocks_follow_each_other_at_the_budgets_rate() -> None:
    pace = Pace(20)
    for now, next_at in ((100.0, 100.05), (100.05, 100.1), (100.06, 100.15)):
        pace.spend(now)
        assert round(pace.next_at, 6) == next_at


def test_quiet_times_are_not_saved_up() -> None:
    pace = Pace(20)
    pace.spend(100.0)
    pace.spend(160.0)
    assert round(pace.next_at, 6) == 160.05


def test_the_interval_of_one_logstore_grows_with_their_number() -> None:
    assert Pace(20).interval(40) == 2.0
