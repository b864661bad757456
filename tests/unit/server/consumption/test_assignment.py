"""Which consumer holds which shard: one at a time, evenly, and never one that another still reads."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.server.consumption.assignment import Assignment

SILENCE = 10.0


@dataclass
class Group:
    """Consumers as the official library has them: what an answer no longer names is let go by the next heartbeat but one."""

    shards: list[int]
    now: float = 0.0
    held: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.assignment = Assignment(lambda: self.now)

    def beat(self, consumer: str, *, is_lost: bool = False) -> list[int]:
        """One heartbeat; a lost answer changes nothing with the consumer."""
        answer = self.assignment.beat(consumer, self.held.setdefault(consumer, set()), self.shards, SILENCE)
        if not is_lost:
            self.held[consumer] = set(answer)
        return answer

    def settle(self) -> dict[str, list[int]]:
        for _ in range(3):
            for consumer in sorted(self.held):
                self.beat(consumer)
        return {consumer: sorted(held) for consumer, held in self.held.items()}


def test_the_first_consumer_gets_all_and_shares_with_those_who_come() -> None:
    group = Group([0, 1, 2, 3])
    assert group.beat("a") == [0, 1, 2, 3]
    assert group.beat("b") == []
    assert group.beat("a") == [0, 1]
    assert group.assignment.holders == {0: "a", 1: "a", 2: "a", 3: "a"}
    assert group.beat("b") == []
    group.beat("a")
    assert group.beat("b") == [2, 3]


def test_a_silent_consumer_loses_its_shards_after_the_timeout() -> None:
    group = Group([0, 1, 2])
    group.beat("a")
    group.beat("b")
    group.settle()
    group.now += SILENCE
    assert len(group.beat("a")) == 2
    group.now += SILENCE / 2
    assert group.beat("a") == [0, 1, 2]


def test_after_a_restart_nobody_gets_what_another_still_reads() -> None:
    clock = [0.0]
    assignment = Assignment.restored(lambda: clock[0], {0: "a", 1: "a", 2: "b", 3: "b"})
    assert assignment.beat("a", {0, 1}, range(4), SILENCE) == [0, 1]
    assert assignment.beat("c", set(), range(4), SILENCE) == []
    clock[0] = SILENCE
    assert assignment.beat("a", {0, 1}, range(4), SILENCE) == [0, 1]
    assert assignment.beat("c", set(), range(4), SILENCE) == []
    clock[0] = SILENCE + 1
    assert assignment.beat("a", {0, 1}, range(4), SILENCE) == [0, 1]
    assert assignment.beat("c", set(), range(4), SILENCE) == [2, 3]


def test_new_shards_are_given_out_and_finished_ones_taken_away() -> None:
    group = Group([0])
    group.beat("a")
    group.beat("b")
    group.shards = [1, 2]
    assert group.settle() == {"a": [1], "b": [2]}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, SILENCE / 4)), max_size=40), st.integers(1, 7))
def test_whatever_is_lost_nobody_reads_what_another_reads_and_in_the_end_all_are_read(steps: list[tuple[str, bool, float]], count: int):
    group = Group(list(range(count)))
    for consumer, is_lost, wait in steps:
        group.now += wait
        group.beat(consumer, is_lost=is_lost)
        live = {name: held for name, held in group.held.items() if name in group.assignment._beats}
        read = [shard for held in live.values() for shard in held]
        assert len(read) == len(set(read))
    if group.held:
        shares = group.settle().values()
        assert sorted(shard for share in shares for shard in share) == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("held", [[0], [0, 9]])
def test_what_another_holds_is_not_given_to_who_claims_it(held: list[int]) -> None:
    group = Group([0, 1])
    group.beat("a")
    assert group.assignment.beat("b", held, [0, 1], SILENCE) == []
    assert group.assignment.holders[0] == "a"
