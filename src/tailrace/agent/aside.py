"""Blocking work of unknown length, each on a daemon thread of its own: it takes none of the few that everything else shares."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises. Who is cancelled meanwhile leaves the thread to itself: the process does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def answer(give: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if done.done() else give())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised again, where it is waited for
            failure = error
            answer(lambda: done.set_exception(failure))
        else:
            answer(lambda: done.set_result(result))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
