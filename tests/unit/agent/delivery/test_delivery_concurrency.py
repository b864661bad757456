"""The number of requests under way follows what the target can take."""

import asyncio

import pytest

from tailrace.agent.delivery.concurrency import Concurrency


async def test_no_more_are_under_way_than_there_are_places():
    places = Concurrency(2)
    await places.acquire()
    await places.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await places.acquire()
    third = asyncio.create_task(places.acquire())
    await asyncio.sleep(0)
    places.release()
    async with asyncio.timeout(1):
        await third


async def test_one_more_after_each_round_of_successes_up_to_the_most():
    places = Concurrency(6)
    assert places.limit == 4
    for _ in range(4):
        await places.acquire()
    for _ in range(5):
        places.succeeded()
    assert places.limit == 5
    for _ in range(100):
        if places._used < places.limit:
            await places.acquire()
        places.succeeded()
    assert places.limit == 6


async def test_it_does_not_grow_while_places_are_free():
    places = Concurrency(16)
    await places.acquire()
    for _ in range(100):
        places.succeeded()
    assert places.limit == 4


async def test_failures_leave_fewer_and_never_none():
    places = Concurrency(16)
    places.failed(over_quota=True)
    assert places.limit == 2
    for _ in range(20):
        places.failed(over_quota=False)
    assert places.limit == 2  # one that is refused for ever leaves a place to the others


async def test_who_waits_and_is_cancelled_leaves_no_hole():
    places = Concurrency(1)
    await places.acquire()
    gone, stays = asyncio.create_task(places.acquire()), asyncio.create_task(places.acquire())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    places.release()
    await asyncio.wait([stays], timeout=1)
    assert stays.done()
