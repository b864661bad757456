"""Who goes first where not all can go, and that nobody starves."""

import asyncio
from collections import Counter

import pytest

from tailrace.agent.delivery.bandwidth import Bandwidth
from tailrace.agent.delivery.precedence import Precedence, class_of
from tailrace.agent.delivery.queue import Queue
from tailrace.pipeline.contract import BatchLimits
from tests.unit.agent.delivery.test_delivery_queue import Waiting


def test_no_priority_counts_as_the_last() -> None:
    assert [class_of(priority) for priority in (0, 1, 2, 3)] == [3, 1, 2, 3]


def test_each_class_has_three_times_the_share_of_the_next() -> None:
    turns, had = Precedence(), Counter[int]()
    for _ in range(1300):
        first = turns.order({1, 2, 3})[0]
        turns.charge(first, 1)
        had[first] += 1
    assert {one: round(count / 10) for one, count in had.items()} == {1: 90, 2: 30, 3: 10}


def test_a_class_that_was_away_has_saved_nothing_up_and_owes_nothing() -> None:
    turns = Precedence()
    for _ in range(100):
        assert turns.order({3}) == [3]
        turns.charge(3, 1)
    turns.order({1, 3})
    had = Counter[int]()
    for _ in range(100):
        first = turns.order({1, 3})[0]
        turns.charge(first, 1)
        had[first] += 1
    assert had == {1: 90, 3: 10}


def test_requests_are_filled_with_the_first_class_mostly_and_with_others_at_times() -> None:
    waiting = Waiting()
    for name, precedence in (("high", 1), ("low", 3)):
        for number in range(200):
            waiting.put(name, f"{name}{number}", size=50)
        waiting.streams[name].precedence = precedence
    taken = [waiting.take() for _ in range(20)]
    assert sum(names[0].startswith("high") for names in taken) == 18
    assert [names[0] for names in taken if names[0].startswith("low")] == ["low0", "low2"]


def test_what_the_first_class_leaves_of_a_request_goes_to_the_others() -> None:
    waiting = Waiting().put("low", "1").put("high", "2")
    waiting.streams["high"].precedence = 1
    assert waiting.take() == ["2", "1"]


def test_a_request_holds_one_topic_where_that_is_wanted() -> None:
    waiting = Waiting()
    waiting.queue = Queue(one_topic=True)
    for stream, topic in (("a", b"x"), ("b", b"y"), ("c", b"x")):
        waiting.put(stream, stream, topic=topic)
    assert waiting.queue.is_full(BatchLimits())  # others wait for it to go
    assert [waiting.take(), waiting.take(), waiting.take()] == [["a", "c"], ["b"], []]


async def test_bandwidth_goes_to_the_first_class_mostly_and_to_others_at_times() -> None:
    bandwidth, done = Bandwidth(1_000_000), list[int]()

    async def send(precedence: int) -> None:
        await bandwidth.take(2_000, "target", precedence)
        done.append(precedence)

    bandwidth.book(300_000)  # what was saved up is gone
    async with asyncio.timeout(30):
        await asyncio.gather(*(send(precedence) for precedence in [3] * 45 + [1] * 45))
    assert Counter(done[:50]) == {1: 45, 3: 5}
    assert bandwidth.waited


async def test_fresh_lines_of_a_target_do_not_wait_for_all_that_another_one_asks_for() -> None:
    bandwidth, done = Bandwidth(1_000_000), list[str]()

    async def send(target: str) -> None:
        await bandwidth.take(1_000, target)
        done.append(target)

    bandwidth.book(260_000)
    async with asyncio.timeout(30):
        await asyncio.gather(*(send(target) for target in ["catches up"] * 50 + ["fresh"]))
    assert done.index("fresh") == 1


async def test_who_is_cancelled_while_it_waits_takes_nothing() -> None:
    bandwidth = Bandwidth(100_000)
    bandwidth.book(35_000)
    waits = asyncio.create_task(bandwidth.take(1_000_000))
    follows = asyncio.create_task(bandwidth.take(1))
    await asyncio.sleep(0)
    waits.cancel()
    async with asyncio.timeout(5):  # behind the other it would be ten seconds
        await follows
    assert (waits.cancelled(), follows.done()) == (True, True)


def test_a_session_that_ends_while_something_waits_leaves_nothing_to_the_next_one() -> None:
    bandwidth, done = Bandwidth(100_000), list[str]()

    async def ends() -> None:
        bandwidth.book(45_000)
        waits = asyncio.create_task(bandwidth.take(1_000_000))
        await asyncio.sleep(0)
        assert not waits.done()

    async def follows() -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*(bandwidth.take(1_000, target) for target in "ab"))
        done.append("sent")

    asyncio.run(ends())
    asyncio.run(follows())
    assert done == ["sent"]


@pytest.mark.parametrize("rate", [20_000_000, 0])
async def test_another_limit_holds_at_once_for_what_waits_already(rate: int) -> None:
    bandwidth = Bandwidth(100)
    bandwidth.book(1_000_000)  # for almost three hours
    waits = asyncio.create_task(bandwidth.take(1_000))
    await asyncio.sleep(0)
    await asyncio.to_thread(bandwidth.limit, rate)
    async with asyncio.timeout(5):
        await waits
    assert waits.done()


def test_what_was_booked_at_another_rate_goes_out_at_the_present_one() -> None:
    bandwidth = Bandwidth(100, lambda: 1000.0)
    bandwidth.book(1_000_025)
    bandwidth.limit(20_000_000)
    assert bandwidth.book(20_000_000) == pytest.approx(0.05)
    bandwidth.limit(1_000_000)
    assert bandwidth.book(1) == pytest.approx(21)
    bandwidth.limit(0)
    assert bandwidth.book(1) == 0.0
    bandwidth.limit(100)
    assert bandwidth.book(1) <= 0.0
