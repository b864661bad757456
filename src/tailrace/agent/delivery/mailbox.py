"""Calls from other threads onto the event loop, in their order: it is woken for the first, and fetches what follows after a short rest.

Waking it costs a system call at each end, and the thread that wakes it its turn at the interpreter: more than most calls themselves, when
thousands of small files hand over thousands of ranges a second.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

REST_SECS: Final = 0.02
"""As long as several calls come in such a time, nobody wakes the loop."""


class Mailbox:
    """Made on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: deque[Callable[[], object]] = deque()
        self._awaited = False
        """The loop has been woken, or will look by itself."""

    def __bool__(self) -> bool:
        """Whether something has not been called yet."""
        return bool(self._calls)

    def put(self, call: Callable[[], object]) -> None:
        """Have it called on the loop, after all that was put before. From any thread. RuntimeError when the loop is closed."""
        self._calls.append(call)
        if not self._awaited:
            self._awaited = True
            try:
                self._loop.call_soon_threadsafe(self._empty)
            except RuntimeError:
                self._awaited = False
                raise

    def _empty(self) -> None:
        self._awaited = False  # first: who puts something from now on wakes the loop again
        count = left = len(self._calls)
        if count > 1:
            self._awaited = True
            self._loop.call_later(REST_SECS, self._empty)
        try:
            while left:
                left -= 1
                self._calls.popleft()()
        finally:
            if left:  # one of them failed
                self._loop.call_soon(self._empty)
