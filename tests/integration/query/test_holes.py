"""A pull hands out groups before the store's frontier, and passes those that will never be there."""

import asyncio

from tailrace.server.query.exporting import EXPORT
from tailrace.server.query.pulling import ShardReader, decode, encode
from tailrace.server.store.port import EngineQuery, Frontier
from tests.integration.query.logs import EngineThread, FilledLogstore, Log


def pulled(logstore: FilledLogstore, begin: int, frontier: int, *, end: int | None = None, count: int = 10) -> tuple[int, int]:
    """How many groups, and the number of the next one."""

    async def ask() -> Frontier:
        return Frontier(0, frontier, 10_000, final=False)

    reader = ShardReader(logstore.table, 0, logstore.queries.run, ask)
    answer = logstore.thread.run(reader.pull(encode(begin), count, "" if end is None else encode(end)))
    return len(answer.groups), decode(answer.next)


def test_a_pull_waits_before_what_is_still_being_written(engine: EngineThread):
    logstore = engine.logstore([Log({"n": "0"}, group=0), Log({"n": "1"}, group=1), Log({"n": "3"}, group=3)])
    assert pulled(logstore, 0, frontier=2) == (2, 2)
    assert pulled(logstore, 2, frontier=2) == pulled(logstore, 2, frontier=2, end=4) == (0, 2)
    logstore.add([Log({"n": "2"}, group=2)])
    assert pulled(logstore, 2, frontier=4) == (2, 4)


def test_what_was_set_aside_or_has_expired_is_passed(engine: EngineThread):
    logstore = engine.logstore([Log({"n": str(group)}, group=group) for group in (5000, 5001, 9000)])
    assert pulled(logstore, 0, frontier=9001) == (2, 5002)
    assert pulled(logstore, 5002, frontier=9001) == (1, 9001)
    assert pulled(logstore, 9001, frontier=9005) == (0, 9005)


def test_a_cursor_beyond_the_frontier_stays_and_one_beyond_the_end_comes_back(engine: EngineThread):
    """After a restart what was read already may be on its way into the engine once more."""
    logstore = engine.logstore([Log({"n": "1"}, group=1)])
    assert pulled(logstore, 7, frontier=1) == (0, 7)
    assert pulled(logstore, 20_000, frontier=2) == (0, 10_000)


def test_an_end_beyond_which_nothing_is_left_is_reached(engine: EngineThread):
    logstore = engine.logstore([Log({"n": "1"}, group=1)])
    assert pulled(logstore, 0, frontier=2, end=1) == (0, 1)
    assert pulled(logstore, 0, frontier=2, end=2) == (1, 2)
    assert pulled(logstore, 1, frontier=2, count=1, end=2) == (1, 2)


def test_a_pull_does_not_wait_for_exports(engine: EngineThread):
    logstore = engine.logstore([Log({"n": "0"}, group=0)])

    async def ask() -> Frontier:
        return Frontier(0, 1, 1)

    async def both() -> tuple[int, bool]:
        slow = EngineQuery("SELECT sleepEachRow(0.1) FROM numbers(29)", limits=EXPORT)
        export = asyncio.create_task(logstore.queries.run(slow))
        await asyncio.sleep(0.1)
        answer = await ShardReader(logstore.table, 0, logstore.queries.run, ask).pull(encode(0), 10)
        was_running = not export.done()
        export.cancel()
        await asyncio.gather(export, return_exceptions=True)
        return len(answer.groups), was_running

    assert engine.run(both()) == (1, True)
