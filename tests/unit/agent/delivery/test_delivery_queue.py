"""How requests are filled from what waits for a target."""

import time

import pytest

from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.request import Item
from tailrace.agent.lanes.streams import WINDOW, Entry, Stream
from tailrace.pipeline.contract import BatchLimits, Payload, Range

LIMITS = BatchLimits(max_bytes=100, max_events=10, max_payloads=4)


class Waiting:
    """A queue whose streams have short names; items are known by what was put in."""

    def __init__(self):
        self.queue = Queue()
        self.streams = {}
        self.next = 0

    def put(self, stream, name, *, sequence=None, size=1, events=1, compression="lz4", hash_key="", topic=b"", arrived=0.0):
        owner = self.streams.setdefault(stream, Stream(None, 0, 0))
        payload = Payload(None, name.encode(), size, compression, events, topic, hash_key=hash_key)
        self.next = self.next + 1 if sequence is None else sequence
        entry = Entry(owner, Range(stream, self.next, 0, 1, {}, b"", ""), 1, 1)
        owner.put(entry)
        self.queue.put([Item(entry, payload, arrived)])
        return self

    def take(self):
        return [item.payload.body.decode() for item in self.queue.take(LIMITS)]


@pytest.mark.parametrize(
    ("items", "taken", "full"),
    [
        ([{}], 1, False),
        ([{"size": 100}, {}], 1, True),
        ([{"size": 60}, {"size": 60}, {}], 2, True),
        ([{"events": 9}, {"events": 1}, {}], 2, True),
        ([{}] * 5, 4, True),
        ([{}, {"compression": "zstd"}], 1, True),
        ([{}, {"hash_key": "b"}], 1, True),
    ],
)
def test_when_a_request_is_full(items, taken, full):
    waiting = Waiting()
    for number, item in enumerate(items):
        waiting.put("s", str(number), arrived=time.monotonic(), **item)
    due = waiting.queue.due_in(LIMITS, linger=60.0)
    assert (due == 0.0) == full
    assert full or 59 < due <= 60
    assert waiting.take() == [str(number) for number in range(taken)]


def test_an_empty_queue_gives_an_empty_request():
    waiting = Waiting()
    assert not waiting.queue
    assert waiting.take() == []
    assert waiting.queue.arrivals is None


def test_fresh_lines_are_in_the_next_request_however_much_waits_of_another_file():
    waiting = Waiting()
    for number in range(50):
        waiting.put("backlog", f"b{number}", size=40)
    waiting.put("fresh", "f", size=1)
    assert waiting.take() == ["b0", "f", "b1", "b2"]
    assert waiting.take() == ["b3", "b4", "b5"]


def test_streams_that_had_no_turn_come_first_in_the_next_request():
    waiting = Waiting()
    for stream in "abcdef":
        for number in range(2):
            waiting.put(stream, f"{stream}{number}")
    assert [waiting.take() for _ in range(3)] == [["a0", "b0", "c0", "d0"], ["e0", "f0", "a1", "b1"], ["c1", "d1", "e1", "f1"]]


def test_each_stream_keeps_its_order_whatever_kinds_its_payloads_are():
    waiting = Waiting()
    for number in range(20):
        waiting.put("s", f"s{number}", hash_key=str(number % 3))
        waiting.put("t", f"t{number}", hash_key="0")
    taken = []
    while waiting.queue:
        taken += waiting.take()
    assert [name for name in taken if name[0] == "s"] == [f"s{number}" for number in range(20)]
    assert [name for name in taken if name[0] == "t"] == [f"t{number}" for number in range(20)]


def test_how_long_the_first_and_the_last_have_waited():
    waiting = Waiting().put("a", "1", arrived=3.0).put("b", "2", arrived=5.0).put("a", "3", arrived=7.0)
    assert waiting.queue.arrivals == (3.0, 7.0)


def test_what_lies_too_far_beyond_the_oldest_of_its_stream_waits_and_counts_for_nothing():
    waiting = Waiting().put("a", "first", sequence=1, arrived=3.0).put("b", "other", sequence=2)
    assert waiting.take() == ["first", "other"]
    waiting.put("a", "far", sequence=1 + WINDOW, size=100, arrived=4.0)
    assert waiting.take() == []
    assert not waiting.queue
    assert not waiting.queue.is_full(LIMITS)
    assert waiting.queue.arrivals == (4.0, 4.0)
    waiting.put("a", "near", sequence=WINDOW, arrived=5.0)
    assert waiting.take() == ["near"]
    waiting.streams["a"].under_way[0].unacknowledged = 0
    waiting.streams["a"].advance()
    waiting.queue.look_again(waiting.streams["a"])
    assert waiting.take() == ["far"]


def test_a_range_that_comes_late_goes_before_those_that_follow_it():
    waiting = Waiting()
    for sequence in (1, 3, 4, 2):
        waiting.put("a", str(sequence), sequence=sequence)
    assert waiting.take() == ["1", "2", "3", "4"]
