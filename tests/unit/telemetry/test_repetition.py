"""The first in full, then one summary per interval with the count."""

import threading

from tailrace.telemetry.repetition import MAX_KEYS, RepeatLimit
from tailrace.testing.clock import Clock

KEY = ("log", "warning", "cannot send")


def test_only_the_first_of_an_interval_passes():
    limit = RepeatLimit(lambda *_: None, interval=60, clock=Clock())
    assert [limit.passes(KEY) for _ in range(3)] == [True, False, False]
    limit.flush()


def test_after_a_quiet_interval_the_next_one_passes_in_full():
    clock = Clock()
    limit = RepeatLimit(lambda *_: None, interval=60, clock=clock)
    limit.passes(KEY)
    clock.now = 61
    assert limit.passes(KEY)


def test_the_summary_comes_by_itself_with_the_count():
    done = threading.Event()
    seen: list[tuple[tuple[str, ...], int]] = []

    def summarise(key: tuple[str, ...], count: int) -> None:
        seen.append((key, count))
        done.set()

    limit = RepeatLimit(summarise, interval=0.05)
    for _ in range(4):
        limit.passes(KEY)
    assert done.wait(5)
    assert seen == [(KEY, 3)]


def test_the_end_of_the_process_writes_what_is_pending():
    seen: list[int] = []
    limit = RepeatLimit(lambda _key, count: seen.append(count), interval=3600)
    limit.passes(KEY)
    limit.passes(KEY)
    limit.flush()
    assert seen == [1]


def test_a_flood_of_different_messages_stays_bounded():
    limit = RepeatLimit(lambda *_: None)
    passed = sum(limit.passes(("log", "warning", str(number))) for number in range(MAX_KEYS + 10))
    assert passed == MAX_KEYS + 10
    assert limit.passes(("log", "warning", "0")), "the oldest was forgotten"
    assert not limit.passes(("log", "warning", str(MAX_KEYS + 9))), "the latest is remembered"
    limit.flush()
