"""When requests become a block, and which."""

import pytest

from tailrace.server.store.buffers import DAY_MS, MAX_ROWS, Block, Buffer, Pending
from tailrace.server.store.records import PackageRecord, RequestRecord


def pending(number: int, *, rows: int = 10, size: int = 100, day: int = 0, at: float = 0.0) -> Pending:
    return Pending(number, RequestRecord(1, day * DAY_MS + 5, [PackageRecord(b"", "none", size, rows, 0, 0, 0)]), None, at)


def buffer(*requests: Pending) -> Buffer:
    made = Buffer(1)
    for request in requests:
        made.add(request)
    return made


def test_an_idle_logstore_waits_a_quarter_of_a_second_a_busy_one_a_whole() -> None:
    waiting = buffer(pending(1, at=100.0))
    assert waiting.due_at() == 100.25
    waiting.blocks.append(Block(1, [pending(0)], "t"))
    assert waiting.due_at() == 101.0


def test_a_crowd_of_logstores_waits_longer_but_not_for_ever() -> None:
    assert buffer(pending(1, at=100.0)).overdue_at() == 105.0


@pytest.mark.parametrize("full", [{"rows": MAX_ROWS}, {"size": 32 << 20}])
def test_a_full_block_does_not_wait(full: dict[str, int]) -> None:
    waiting = buffer(pending(1, at=100.0, **full))
    assert (waiting.due_at(), waiting.overdue_at()) == (0.0, 0.0)


def test_a_block_has_one_day_and_keeps_within_the_bounds() -> None:
    waiting = buffer(pending(1), pending(2), pending(3, day=1), pending(4, day=1, rows=MAX_ROWS), pending(5, day=1))
    assert [request.id for request in waiting.take()] == [1, 2]
    assert [request.id for request in waiting.take()] == [3, 4]
    assert [request.id for request in waiting.take()] == [5]
    assert (waiting.rows, waiting.raw_size) == (0, 0)


def test_what_could_not_be_sealed_comes_first_again() -> None:
    waiting = buffer(pending(1), pending(2, day=1))
    taken = waiting.take()
    waiting.put_back(taken)
    assert [request.id for request in waiting.waiting] == [1, 2]
    assert (waiting.rows, waiting.raw_size) == (20, 200)


def test_the_oldest_request_is_in_a_block_or_waits() -> None:
    waiting = buffer(pending(5))
    waiting.blocks += [Block(1, [pending(3), pending(4)], "b"), Block(1, [pending(1)], "a")]
    oldest = waiting.oldest()
    assert oldest is not None
    assert (oldest.id, waiting.newest()) == (1, 5)
    assert waiting.holds_up_to(1)
    assert not waiting.holds_up_to(0)
