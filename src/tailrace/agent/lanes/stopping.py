"""Lanes are stopped side by side: all of them together take no longer than the one that takes longest."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tailrace.agent.aside import aside
from tailrace.agent.lanes.lane import Lane

AT_ONCE: Final = 64
"""Threads that wait for inputs; an input that has nothing to do ends within milliseconds."""


async def stop_all(lanes: Sequence[Lane], stop: Callable[[Lane], None]) -> None:
    """`stop` each lane on a thread; it waits no longer than some deadline of all."""
    for lane in lanes:
        lane.halt()
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(lane: Lane) -> None:
        async with turns:
            await aside(lambda: stop(lane), f"stop {lane.pipeline}")

    await asyncio.gather(*map(one, lanes))
