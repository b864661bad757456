"""The agent's bandwidth: all targets together send so many raw bytes per second, retries included."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

SAVED_SECS: Final = 0.25
"""So much time's worth may be saved up: a request that comes alone goes at once."""


class Bandwidth:
    """Belongs to the event loop. `bytes_per_sec` 0 is no limit."""

    def __init__(self, bytes_per_sec: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = bytes_per_sec
        self._now = now
        self._free_at = 0.0
        self.waited = False
        """Whether something had to wait since it was last set to False."""

    async def take(self, size: int) -> None:
        """Until `size` more bytes may go out, in the order of asking."""
        if (wait := self.book(size)) > 0:
            self.waited = True
            await asyncio.sleep(wait)

    def book(self, size: int) -> float:
        """The same without the wait: how long it is, in seconds."""
        if not self._rate:
            return 0.0
        now = self._now()
        start = max(self._free_at, now - SAVED_SECS)
        self._free_at = start + size / self._rate
        return start - now
