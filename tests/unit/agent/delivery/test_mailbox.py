"""Calls from other threads onto the event loop."""

import asyncio
import threading

import pytest

from tailrace.agent.delivery.mailbox import Mailbox


async def emptied(mailbox):
    done = asyncio.Event()
    mailbox.put(done.set)
    await asyncio.wait_for(done.wait(), 30)


async def test_calls_of_one_thread_keep_their_order_and_none_is_lost():
    mailbox, came = Mailbox(), {name: [] for name in range(4)}

    def put(name):
        for number in range(2000):
            mailbox.put(lambda number=number: came[name].append(number))

    threads = [threading.Thread(target=put, args=(name,)) for name in came]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await emptied(mailbox)
    assert came == {name: list(range(2000)) for name in came}


async def test_the_loop_is_woken_once_for_all_that_came_meanwhile(monkeypatch):
    loop, mailbox, woken, came = asyncio.get_running_loop(), Mailbox(), [], []
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *call: (woken.append(call), wake(*call)))
    for number in range(100):
        mailbox.put(lambda number=number: came.append(number))
    await emptied(mailbox)
    mailbox.put(lambda: came.append(100))
    await emptied(mailbox)
    assert came == list(range(101))
    assert len(woken) == 1


async def test_one_call_after_the_other_is_called_at_once(monkeypatch):
    loop, mailbox, later = asyncio.get_running_loop(), Mailbox(), []
    monkeypatch.setattr(loop, "call_later", lambda *call: later.append(call))
    for _ in range(3):
        done = asyncio.Event()
        mailbox.put(done.set)
        await done.wait()
        assert not mailbox
    assert not later


async def test_a_call_that_fails_holds_up_none_behind_it():
    loop, mailbox, failed, came = asyncio.get_running_loop(), Mailbox(), [], []
    loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))
    mailbox.put(lambda: 1 / 0)
    mailbox.put(lambda: came.append(1))
    await emptied(mailbox)
    assert came == [1]
    assert [type(one) for one in failed] == [ZeroDivisionError]


async def test_a_closed_loop_is_told_each_time():
    other = asyncio.new_event_loop()
    made = await asyncio.to_thread(lambda: other.run_until_complete(_made()))
    other.close()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="closed"):
            made.put(lambda: None)


async def _made():
    return Mailbox()
