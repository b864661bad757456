"""A walk comes to its end however dense the events lie, and what is remembered of it is bounded."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from tailrace.server.query import walking
from tailrace.server.query.walking import REMEMBERED_BYTES, REMEMBERED_SECS, Unfinished, Walk
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import Rows

WINDOW = Window(0, 1000 * NS)


@dataclass
class Clock:
    now: float = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time passes only where events are read."""
    made = Clock()
    monkeypatch.setattr(walking, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


@dataclass
class Events:
    """At these instants, all of which match; reading each takes `secs`. What is cut by time weighs `thrown_away` all the same."""

    clock: Clock
    instants: list[int]
    secs: float = 0.001
    thrown_away: int = 0
    pieces: list[Window] = field(default_factory=list[Window])
    given: list[float] = field(default_factory=list[float])

    async def count(self, window: Window, seconds: float) -> Rows:
        found = self._read(window, seconds)
        return Rows([], [], [(len(found),)]) if found is not None else self._cut()

    async def events(self, window: Window, offset: int, line: int, seconds: float) -> tuple[Rows, int]:
        found = self._read(window, seconds)
        return (Rows([], [], [(at,) for at in found[offset : offset + line]]) if found is not None else self._cut()), line

    def _cut(self) -> Rows:
        return Rows([], [], [], partial=True, size=self.thrown_away)

    def _read(self, window: Window, seconds: float) -> list[int] | None:
        self.pieces.append(window)
        self.given.append(seconds)
        found = [at for at in self.instants if window.start <= at < window.end]
        self.clock.now += min(seconds, max(0.001, len(found) * self.secs))
        return found if len(found) * self.secs < seconds else None


def gone(walk: Walk, question: Events, seconds: float = 1.0) -> Walk:
    asyncio.run(walk.go_on(question, seconds))
    return walk


def stood(edge_secs: int, *, size: int = 0, reverse: bool = False) -> Walk:
    """One that has passed so many seconds."""
    walk = Walk(WINDOW, 0, 100, reverse)
    walk._edge = WINDOW.end - edge_secs * NS if reverse else edge_secs * NS
    walk.found = Rows([], [], [], size=size, partial=True)
    return walk


def test_what_is_cut_by_time_and_thrown_away_neither_weighs_nor_fills_the_answer(clock: Clock):
    question = Events(clock, [n * NS // 100 for n in range(100_000)], secs=0.0005, thrown_away=20 << 20)
    walk = gone(Walk(WINDOW, 0, 100_000, reverse=False), question)
    assert 0 < len(walk.found.rows) < 100_000
    assert walk.found.partial
    assert walk.found.size == 0


def test_a_walk_goes_on_with_pieces_as_wide_as_it_has_learned(clock: Clock):
    question = Events(clock, [n * NS // 1000 for n in range(1_000_000)])
    walk = gone(Walk(WINDOW, 0, 1_000_000, reverse=False), question)
    assert walk.found.partial
    learned = question.pieces[-1]
    question.pieces.clear()
    gone(walk, question)
    assert question.pieces[0].end - question.pieces[0].start <= 4 * (learned.end - learned.start)


@pytest.mark.parametrize("reverse", [False, True])
def test_one_instant_may_take_all_of_the_time(clock: Clock, *, reverse: bool):
    instant = WINDOW.end - 1 if reverse else 0
    question = Events(clock, [instant] * 600, secs=0.001)
    walk = Walk(WINDOW, 500, 100, reverse)
    for _ in range(5):
        gone(walk, question, 2.0)
    assert not walk.found.partial
    assert walk.found.rows == [(instant,)] * 100


def test_what_is_left_of_the_time_is_asked_for_only_where_it_is_worth_it(clock: Clock):
    question = Events(clock, [n * NS // 1000 for n in range(1_000_000)], secs=0.0003)
    gone(Walk(WINDOW, 0, 1_000_000, reverse=False), question)
    assert question.given
    assert min(question.given) > 0.05


def test_heavy_walks_are_remembered_as_long_as_all_of_them_weigh_little_enough():
    unfinished, heavy = Unfinished(), REMEMBERED_BYTES // 3 + 1
    for name in "abc":
        unfinished.keep(name, stood(1, size=heavy))
    assert [unfinished.take(name) is not None for name in "abc"] == [False, True, True]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("seconds", [(5, 9), (9, 5)])
def test_of_two_that_were_asked_the_same_the_further_one_is_remembered(seconds: tuple[int, int], *, reverse: bool):
    unfinished = Unfinished()
    for passed in seconds:
        unfinished.keep("same", stood(passed, reverse=reverse))
    walk = unfinished.take("same")
    assert walk is not None
    assert walk.passed == 9 * NS
    assert unfinished.take("same") is None


def test_a_walk_is_forgotten_after_a_while(clock: Clock):
    unfinished = Unfinished()
    unfinished.keep("old", stood(9))
    clock.now += REMEMBERED_SECS + 1
    unfinished.keep("old", stood(5))
    walk = unfinished.take("old")
    assert walk is not None
    assert walk.passed == 5 * NS, "what it was further along with may have changed since"
