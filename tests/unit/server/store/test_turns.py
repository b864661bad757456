"""Tenants take turns at the handles of a limit class."""

import asyncio
import contextlib

import pytest

from tailrace.errors import ApiError
from tailrace.server.store import turns
from tailrace.server.store.turns import Turns, Use


class Line:
    """Queries that hold a handle until they are told to end."""

    def __init__(self, size: int) -> None:
        self.turns = Turns(size)
        self.running: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, *, most: int = 0) -> None:
        """`name` is the tenant's letter and a number: `a1`."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._hold(name, most))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _hold(self, name: str, most: int) -> None:
        async with self.turns.turn(name[:-1], most):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)


async def test_one_tenant_leaves_a_handle_to_others() -> None:
    line = Line(3)
    for name in ("a1", "a2", "a3", "b1"):
        await line.ask(name)
    assert line.running == ["a1", "a2", "b1"]
    await line.end("b1")
    assert line.running == ["a1", "a2"], "the free one is not for who has two"
    await line.end("a1")
    assert line.running == ["a2", "a3"]


async def test_a_single_handle_is_for_everybody() -> None:
    line = Line(1)
    for name in ("a1", "a2", "b1"):
        await line.ask(name)
    await line.end("a1")
    assert line.running == ["a2"], "it has waited longer, and both have none"
    await line.end("a2")
    assert line.running == ["b1"]


async def test_who_has_fewest_is_next_however_many_wait_before() -> None:
    line = Line(3)
    for name in ("a1", "b1", "a2", "a3", "a4", "b2"):
        await line.ask(name)
    assert line.running == ["a1", "b1", "a2"]
    await line.end("a2")
    assert line.running == ["a1", "b1", "a3"], "each has one: who waits longest"
    await line.end("b1")
    assert line.running == ["a1", "a3", "b2"]


async def test_the_server_itself_may_have_all() -> None:
    line = Line(2)
    for name in ("1", "2"):
        await line.ask(name)
    assert line.running == ["1", "2"]


async def test_a_bound_of_its_own_holds_for_one_tenant_only() -> None:
    line = Line(4)
    for name in ("a1", "a2"):
        await line.ask(name, most=1)
    for name in ("b1", "b2", "b3", "b4"):
        await line.ask(name)
    assert line.running == ["a1", "b1", "b2", "b3"]
    assert line.turns.use() == {"a": Use(1, 1), "b": Use(3, 1)}


async def test_who_goes_away_while_waiting_leaves_no_hole_and_no_trace() -> None:
    line = Line(1)
    for name in ("a1", "b1", "c1"):
        await line.ask(name)
    await line.cancel("b1")
    await line.cancel("a1")
    assert line.running == ["c1"]
    await line.end("c1")
    assert line.turns.use() == {}
    await line.ask("d1")
    assert line.running == ["d1"]


async def test_who_is_given_a_handle_as_it_goes_away_gives_it_back() -> None:
    line = Line(1)
    for name in ("a1", "b1", "c1"):
        await line.ask(name)
    line._ends["a1"].set()
    await asyncio.sleep(0)  # the handle is b's from here on, b does not know yet
    await line.cancel("b1")
    await asyncio.sleep(0)
    assert line.running == ["c1"]


async def test_no_one_waits_for_ever_because_another_was_cancelled_as_the_last_turn_ended() -> None:
    line = Line(1)
    for name in ("a1", "a2"):
        await line.ask(name)
    line._ends["a1"].set()
    line._ends["a3"] = asyncio.Event()
    line._tasks["a3"] = asyncio.create_task(line._hold("a3", 0))
    line._tasks["a2"].cancel()  # all three in one round
    for _ in range(3):
        await asyncio.sleep(0)
    assert line.running == ["a3"]
    for name in ("a4", "a5"):
        await line.ask(name)
    for name in ("a3", "a4"):
        line._ends[name].set()
        for _ in range(4):
            await asyncio.sleep(0)
    assert line.running == ["a5"]


async def test_too_many_of_one_tenant_are_refused_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_WAITING", 2)
    line = Line(1)
    for name in ("a1", "a2", "a3", "b1"):
        await line.ask(name)
    with pytest.raises(ApiError, match="2 queries of project `a` are waiting") as refused:
        async with line.turns.turn("a"):
            pass
    assert (refused.value.status, refused.value.error_code, refused.value.retry_after) == (403, "ReadQuotaExceed", 1.0)
    assert line.turns.use() == {"a": Use(1, 2, 1), "b": Use(0, 1)}
