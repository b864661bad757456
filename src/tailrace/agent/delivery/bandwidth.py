"""The agent's bandwidth: all targets together send so many raw bytes per second, retries included."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from tailrace.agent.delivery.precedence import LAST, Precedence

SAVED_SECS: Final = 0.25
"""So much time's worth may be saved up: a request that comes alone goes at once."""


class Bandwidth:
    """Belongs to the event loop. `bytes_per_sec` 0 is no limit."""

    def __init__(self, bytes_per_sec: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = bytes_per_sec
        self._now = now
        self._free_at = 0.0
        self._precedence = Precedence()
        self._waiting: dict[int, dict[str, deque[tuple[int, asyncio.Future[None]]]]] = {}
        """By class and target, these in the order of their turns; none is empty."""
        self.waited = False
        """Whether something had to wait since it was last set to False."""

    def limit(self, bytes_per_sec: int) -> None:
        """From now on; from any thread."""
        self._rate = bytes_per_sec

    async def take(self, size: int, target: str = "", precedence: int = LAST) -> None:
        """Until `size` more bytes may go out; who waits goes by class (`Precedence`), and within it targets go in turn: one that catches up
        asks for much, and fresh lines of another do not stand behind it."""
        if not self._rate or (not self._waiting and self._now() >= self._free_at):
            self.book(size)
            return
        self.waited = True
        loop = asyncio.get_running_loop()
        free = loop.create_future()
        if not self._waiting:
            loop.call_later(self._free_at - self._now(), self._let_go)
        self._waiting.setdefault(precedence, {}).setdefault(target, deque()).append((size, free))
        await free

    def book(self, size: int) -> float:
        """They go out, in their turn: how long that is from now, in seconds."""
        rate, now = self._rate, self._now()
        if not rate:
            return 0.0
        start = max(self._free_at, now - SAVED_SECS)
        self._free_at = start + size / rate
        return start - now

    def _next(self, precedence: int) -> tuple[int, asyncio.Future[None]]:
        """Of a class; its target goes behind the others."""
        targets = self._waiting[precedence]
        target = next(iter(targets))
        waiting = targets.pop(target)
        taken = waiting.popleft()
        if waiting:
            targets[target] = waiting
        elif not targets:
            del self._waiting[precedence]
        return taken

    def _let_go(self) -> None:
        """As many as may go now; then those that wait are looked at when the next one may."""
        while self._waiting and self._free_at <= self._now():
            first = self._precedence.order(self._waiting)[0]
            size, free = self._next(first)
            if not free.done():  # else its request was cancelled
                self._precedence.charge(first, size)
                self.book(size)
                free.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_later(self._free_at - self._now(), self._let_go)
