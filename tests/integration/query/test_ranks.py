"""Who waits for whom in the engine: short queries go before long ones, and what may be long gets a trial as a short one beside them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from tailrace.errors import EngineError
from tailrace.server.store import engine as store_engine
from tailrace.server.store.engine import Engine, OvertimeError
from tailrace.server.store.frames import Pool
from tailrace.server.store.port import EngineQuery, Limits
from tests.integration.query.logs import EngineThread

T = TypeVar("T")
RANK = "SELECT getSetting('priority'), getSetting('os_threads_nice_value_query')"
SHORT, LONG = [(1, 0)], [(2, 19)]
HALF_A_SECOND = " FROM numbers(5) WHERE sleepEachRow(0.1) = 0"
ENDLESS = EngineQuery("SELECT max(sipHash64(number)) FROM numbers(1000000000000)", limits=Limits("export"))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial ends in time, however slow the machine is."""
    monkeypatch.setattr(store_engine, "TRIAL_SECS", 20.0)


def in_pool(pool: Pool, sql: str = RANK, seconds: float = 30.0) -> EngineQuery:
    return EngineQuery(sql, limits=Limits(pool, seconds=seconds))


def beside_a_long_one(thread: EngineThread, ask: Callable[[Engine], Awaitable[T]]) -> T:
    """What `ask` gives while an export is at work."""

    async def both() -> T:
        export = asyncio.create_task(thread.engine.query(ENDLESS))
        try:
            while not thread.engine._heavy:
                await asyncio.sleep(0.01)
            return await ask(thread.engine)
        finally:
            export.cancel()
            await asyncio.gather(export, return_exceptions=True)
            await no_long_one(thread.engine)

    return thread.run(both())


async def no_long_one(running: Engine) -> None:
    """The engine lets go of what was cancelled a moment later, also of what tests before this one have asked."""
    while running._heavy:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("pool", "rank"), [("light", SHORT), ("pull", [(0, 0)]), ("analytics", LONG), ("scan", LONG), ("export", LONG)])
def test_limit_classes_have_their_ranks(engine: EngineThread, pool: Pool, rank: list[tuple[int, int]]) -> None:
    engine.run(no_long_one(engine.engine))
    assert engine.run(engine.engine.query(in_pool(pool))).rows == rank


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("pool", ["analytics", "scan"])
def test_what_ends_soon_goes_before_the_long_ones_beside_it(engine: EngineThread, pool: Pool) -> None:
    assert beside_a_long_one(engine, lambda running: running.query(in_pool(pool))).rows == SHORT


def test_what_does_not_end_soon_begins_again_as_a_long_one_and_is_not_tried_twice(engine: EngineThread) -> None:
    slow = in_pool("analytics", f"{RANK}, count() {HALF_A_SECOND}")

    async def twice(running: Engine) -> list[bool]:
        worth = [running._trials.is_worth_it(slow.sql)]
        for _ in range(2):
            assert (await running.query(slow)).rows == [(*LONG[0], 5)]
            worth.append(running._trials.is_worth_it(slow.sql))
        return worth

    assert beside_a_long_one(engine, twice) == [True, False, False]


def test_a_query_of_its_own_short_time_is_not_tried(engine: EngineThread) -> None:
    assert beside_a_long_one(engine, lambda running: running.query(in_pool("analytics", seconds=0.2))).rows == LONG


@pytest.mark.usefixtures("patient")
def test_a_mistake_in_a_trial_is_the_answer(engine: EngineThread) -> None:
    wrong = in_pool("analytics", "SELECT throwIf(1, 'what is wrong')")
    with pytest.raises(EngineError, match="what is wrong"):
        beside_a_long_one(engine, lambda running: running.query(wrong))
    assert engine.engine._trials.is_worth_it(wrong.sql)


@pytest.mark.usefixtures("patient")
def test_a_trial_marks_what_it_left_out(engine: EngineThread) -> None:
    some = replace(in_pool("analytics").limits, read_rows=1000, partial="rows and time")
    cut = EngineQuery("SELECT max(number) FROM numbers(10000000)", limits=some)
    answer = beside_a_long_one(engine, lambda running: running.query(cut))
    assert answer.partial
    assert 999 <= int(str(answer.rows[0][0])) < 9_999_999


def test_a_trial_that_the_engine_does_not_end_has_the_time_that_the_user_gave_it(
    engine: EngineThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_engine, "TRIAL_SECS", 0.0)  # to the engine that is no bound: it never ends this trial
    monkeypatch.setattr(store_engine, "OVERTIME_SECS", 0.0)
    slow = in_pool("analytics", f"{RANK}, count() AS whole {HALF_A_SECOND}", seconds=600.0)
    assert beside_a_long_one(engine, lambda running: running.query(slow)).rows == [(*SHORT[0], 5)]


def test_a_trial_that_is_given_up_is_not_begun_again(engine: EngineThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_engine, "TRIAL_SECS", 0.0)
    monkeypatch.setattr(store_engine, "OVERTIME_SECS", 0.0)
    slow = in_pool("analytics", f"{RANK}, count() AS given_up {HALF_A_SECOND}", seconds=0.001)
    with pytest.raises(OvertimeError):
        beside_a_long_one(engine, lambda running: running.query(slow))
    assert not engine.engine._trials.is_worth_it(slow.sql)
