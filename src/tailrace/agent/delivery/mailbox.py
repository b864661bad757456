"""Calls from other threads onto the event loop, in their order: it is woken once for all that came meanwhile.

Waking it is a system call at each end, and thousands of small files hand over thousands of ranges a second.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Mailbox:
    """Made on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: deque[Callable[[], object]] = deque()
        self._awaited = False
        """The loop has been woken and has not begun to look."""

    def put(self, call: Callable[[], object]) -> None:
        """Have it called on the loop, after all that was put before. From any thread. RuntimeError when the loop is closed."""
        self._calls.append(call)
        if not self._awaited:
            self._wake()

    def _wake(self) -> None:
        self._awaited = True
        try:
            self._loop.call_soon_threadsafe(self._empty)
        except RuntimeError:
            self._awaited = False
            raise

    def _empty(self) -> None:
        self._awaited = False  # first: who puts something from now on wakes the loop again
        try:
            for _ in range(len(self._calls)):
                self._calls.popleft()()
        finally:
            if self._calls and not self._awaited:  # one of them failed
                self._wake()
