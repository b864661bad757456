"""What was long a moment ago is not tried as short."""

from tailrace.server.store.trials import MOST_REMEMBERED, REMEMBERED_SECS, Trials


def test_a_statement_that_failed_is_not_tried_again_for_some_minutes() -> None:
    now = [1000.0]
    trials = Trials(lambda: now[0])
    assert trials.is_worth_it("select 1")
    trials.failed("select 1")
    now[0] += REMEMBERED_SECS - 1
    assert not trials.is_worth_it("select 1")
    assert trials.is_worth_it("select 2")
    now[0] += 2
    assert trials.is_worth_it("select 1")


def test_the_oldest_is_forgotten_when_there_are_too_many() -> None:
    trials = Trials(lambda: 0.0)
    for number in range(MOST_REMEMBERED):
        trials.failed(f"select {number}")
    trials.failed("select 0")
    trials.failed("select more")
    assert trials.is_worth_it("select 1")
    assert not trials.is_worth_it("select 0")
    assert len(trials._failed) == MOST_REMEMBERED
