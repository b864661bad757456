"""processor_rate_limit."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.processors import rate_limit

TYPE = "processor_rate_limit"


class Limited:
    """A limiter under a clock that the test moves."""

    def __init__(self, **options: Any) -> None:
        entry = registry.get("processor", TYPE)
        self.plugin = entry.cls(entry.config_model.model_validate(options))
        self.plugin.start(self)
        self.now = 1000.0
        self.plugin.clock = lambda: self.now
        self.discards: list[tuple[str, int, str]] = []

    def discarded(self, *counted: Any) -> None:
        self.discards.append(counted)

    def kept(self, *events: dict[str, str]) -> list[int]:
        batch = batch_of(events)
        self.plugin.process(batch)
        return batch.times


def batch_of(events: Sequence[dict[str, str]]) -> EventBatch:
    """Their times are their numbers."""
    return EventBatch.from_events([(row, [(k.encode(), v.encode()) for k, v in event.items()]) for row, event in enumerate(events)])


def test_the_excess_is_discarded_and_counted():
    limited = Limited(Limit="2/s")
    assert limited.kept({"a": "1"}, {"a": "2"}, {"a": "3"}) == [0, 1]
    assert limited.discards == [(TYPE, 1, "is beyond the limit of 2/s")]


@pytest.mark.parametrize(("limit", "seconds"), [("2/s", 0.5), ("2/m", 30), ("2/h", 1800)])
def test_the_unit(limit, seconds):
    limited = Limited(Limit=limit)
    assert limited.kept({}, {}, {}) == [0, 1]
    limited.now += seconds * 0.99
    assert limited.kept({}) == []
    limited.now += seconds * 0.02
    assert limited.kept({}, {}) == [0]
    limited.now += seconds * 100
    assert limited.kept({}, {}, {}) == [0, 1], "what was not used does not add up beyond the limit"


def test_each_combination_has_its_own_limit():
    limited = Limited(Fields=["ip", "user"], Limit="1/s")
    a, b, c, without = {"ip": "1", "user": "x"}, {"ip": "1", "user": "y"}, {"ip": "2", "user": "x"}, {"ip": "1"}
    assert limited.kept(a, b, c, without, a, b, c, without) == [0, 1, 2, 3]


def test_a_flood_of_combinations_is_forgotten_once_they_are_quiet(monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_BUCKETS", 10)
    limited = Limited(Fields=["ip"], Limit="1/s")
    limited.kept(*({"ip": str(number)} for number in range(8)))
    limited.now += 0.5
    assert limited.kept({"ip": "7"}) == [], "those that are not quiet are remembered"
    limited.now += 1.1
    limited.kept({"ip": "new"}, {"ip": "newer"}, {"ip": "newest"})
    assert set(limited.plugin.buckets) == {(b"new",), (b"newer",), (b"newest",)}


def test_of_combinations_that_are_not_quiet_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_BUCKETS", 10)
    limited = Limited(Fields=["ip"], Limit="1/h")
    for number in range(50):
        limited.now += 1
        limited.kept({"ip": str(number)})
    assert set(limited.plugin.buckets) == {(str(number).encode(),) for number in range(40, 50)}


EVENTS = st.lists(st.sampled_from("abc").map(lambda ip: {"ip": ip}), max_size=30)


@given(before=EVENTS, replayed=EVENTS, at=st.lists(EVENTS, max_size=3), seconds=st.floats(0, 5))
def test_a_replay_keeps_what_was_kept_whatever_the_limiter_has_seen_since(before, replayed, at, seconds):
    first, other = Limited(Fields=["ip"], Limit="3/s"), Limited(Fields=["ip"], Limit="3/s")
    first.kept(*before)
    sent = batch_of(replayed)
    decision = first.plugin.decide(sent)
    for events in at:
        other.kept(*events)
        other.now += seconds
    again = batch_of(replayed)
    other.plugin.repeat(again, decision)
    assert again.times == sent.times
    assert sum(count for _, count, _ in other.discards) >= len(replayed) - len(again)


def test_bytes_that_another_release_splits_otherwise_are_decided_about_anew():
    limited = Limited(Limit="1/h")
    decision = limited.plugin.decide(batch_of([{}, {}]))
    other, batch = Limited(Limit="2/h"), batch_of([{}, {}, {}])
    other.plugin.repeat(batch, decision)
    assert batch.times == [0, 1]


@pytest.mark.parametrize("limit", ["", "5", "0/s", "5/d", "s/5", "5 / s", "-1/s", "1.5/s"])
def test_refusals(refusals, limit):
    assert refusals(TYPE, {"Limit": limit}) == [f"Limit: `{limit}` is no limit (write it as `100/s`, `5000/m` or `20000/h`)"]
