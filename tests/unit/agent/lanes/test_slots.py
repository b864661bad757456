"""One pipeline never keeps the others from working."""

import threading
import time

from tailrace.agent.lanes.slots import PATIENCE_SECS, Slots, Stopwatch


def hold(slots, until):
    inside = threading.Event()

    def work():
        with slots.one():
            inside.set()
            until.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(5)
    return thread


def test_batches_that_take_for_ever_do_not_stop_another_one():
    slots, over = Slots(2), threading.Event()
    threads = [hold(slots, over) for _ in range(4)]
    began = time.monotonic()
    with slots.one():
        waited = time.monotonic() - began
    over.set()
    for thread in threads:
        thread.join()
    assert waited < 3 * PATIENCE_SECS + 0.5


def test_an_ordinary_batch_waits_for_a_core_that_is_free():
    slots, over, order = Slots(1), threading.Event(), []
    first = hold(slots, over)

    def second():
        with slots.one():
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    time.sleep(PATIENCE_SECS / 10)
    order.append("first is done")
    over.set()
    first.join()
    waiting.join()
    assert order == ["first is done", "second"]


def test_a_slow_pipeline_works_beside_the_slots_and_keeps_nobody_waiting_for_one():
    slots = Slots(1)
    with slots.one(beside=True):
        assert slots._free.acquire(blocking=False)
        slots._free.release()
    with slots.one():
        assert not slots._free.acquire(blocking=False), "it has given back none that it had not taken"


def test_slots_are_given_back_by_those_that_had_one_only():
    slots, over = Slots(1), threading.Event()
    holder = hold(slots, over)
    with slots.one():
        pass
    began = time.monotonic()
    with slots.one():
        assert time.monotonic() - began > PATIENCE_SECS / 2, "the one that went beside has given back what it had not"
    over.set()
    holder.join()


def test_waiting_is_no_work_and_work_is_counted_once():
    watch = Stopwatch()
    began = watch.begin()
    time.sleep(2 * PATIENCE_SECS)
    assert watch.took(began) < PATIENCE_SECS, "it has slept"
    began, until = watch.begin(), time.thread_time() + 2 * PATIENCE_SECS
    while time.thread_time() < until:
        pass
    worked = watch.took(began)
    assert worked >= 2 * PATIENCE_SECS
    assert watch.took(watch.begin()) < PATIENCE_SECS, "what was counted is not counted again"


def test_each_thread_has_a_watch_of_its_own():
    watch, took = Stopwatch(), list[float]()
    until = time.thread_time() + 2 * PATIENCE_SECS
    watch.begin()
    while time.thread_time() < until:
        pass

    def other():
        began = watch.begin()
        time.sleep(2 * PATIENCE_SECS)
        took.append(watch.took(began))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert took[0] < PATIENCE_SECS
