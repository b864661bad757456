"""The agent's bandwidth: all targets together send so many raw bytes per second, retries included."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from tailrace.agent.delivery.precedence import LAST, Precedence

SAVED_SECS: Final = 0.25
"""So much time's worth may be saved up: a request that comes alone goes at once."""


class Bandwidth:
    """Belongs to the event loop, and to the next one after it: what is booked outlives a session. `bytes_per_sec` 0 is no limit."""

    def __init__(self, bytes_per_sec: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = self._wanted = bytes_per_sec
        self._now = now
        self._free_at = 0.0
        self._precedence = Precedence()
        self._waiting: dict[int, dict[str, deque[tuple[int, asyncio.Future[None]]]]] = {}
        """By class and target, these in the order of their turns; none is empty."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """Of those that wait, or waited last."""
        self._timer: asyncio.TimerHandle | None = None
        self.waited = False
        """Whether something had to wait since it was last set to False."""

    def limit(self, bytes_per_sec: int) -> None:
        """From now on, also for what waits already; from any thread."""
        self._wanted = bytes_per_sec
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._let_go)

    async def take(self, size: int, target: str = "", precedence: int = LAST) -> None:
        """Until `size` more bytes may go out; who waits goes by class (`Precedence`), and within it targets go in turn: one that catches up
        asks for much, and fresh lines of another do not stand behind it."""
        self._keep_to_limit()
        if not self._rate or (not self._waiting and self._now() >= self._free_at):
            self.book(size)
            return
        self.waited = True
        entry = size, asyncio.get_running_loop().create_future()
        is_first = not self._waiting
        self._waiting.setdefault(precedence, {}).setdefault(target, deque()).append(entry)
        if is_first:
            self._look_later()
        try:
            await entry[1]
        finally:
            self._leave(precedence, target, entry)

    def book(self, size: int) -> float:
        """They go out, in their turn: how long that is from now, in seconds."""
        self._keep_to_limit()
        rate, now = self._rate, self._now()
        if not rate:
            return 0.0
        start = max(self._free_at, now - SAVED_SECS)
        self._free_at = start + size / rate
        return start - now

    def _keep_to_limit(self) -> None:
        """What is booked and has not gone out goes at the rate that is wanted now."""
        before, self._rate = self._rate, self._wanted
        if before != self._rate:
            left = max(0.0, self._free_at - self._now()) * before
            self._free_at = self._now() + left / self._rate if self._rate and left else 0.0

    def _leave(self, precedence: int, target: str, entry: tuple[int, asyncio.Future[None]]) -> None:
        """It was let go, or cancelled, as all that wait when a session ends."""
        targets = self._waiting.get(precedence, {})
        waiting = targets.get(target, ())
        if entry in waiting:
            targets[target].remove(entry)
            if not targets[target]:
                del targets[target]
            if not targets:
                del self._waiting[precedence]

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
        self._keep_to_limit()
        while self._waiting and self._free_at <= self._now():
            first = self._precedence.order(self._waiting)[0]
            size, free = self._next(first)
            if not free.done():  # else its request was cancelled
                self._precedence.charge(first, size)
                self.book(size)
                free.set_result(None)
        if self._waiting:
            self._look_later()

    def _look_later(self) -> None:
        """When the next one may go; with one timer, whoever asks."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = asyncio.get_running_loop()  # before the limit is looked at: whoever sets another one meanwhile calls
        self._keep_to_limit()
        self._timer = self._loop.call_later(self._free_at - self._now(), self._let_go)
