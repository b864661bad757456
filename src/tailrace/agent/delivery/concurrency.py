"""How many requests to one target are under way at a time: one more for each round of successes, half as many after a failure (AIMD).

It grows only while all places are taken, so that a target which keeps up is never asked for more than it needs.
"""

import asyncio
from collections import deque
from typing import Final

START: Final = 4
LEAST: Final = 2
"""One that is refused for ever must not hold the only place; while the target fails, one at a time asks it anyhow (`Target`)."""
OVER_QUOTA: Final = 0.5
FAILED: Final = 0.8
"""What is left after a failure: a quota is known to be exceeded, any other failure may be a passing one (the descendant's factors)."""


class Concurrency:
    """Places for requests. It belongs to the event loop."""

    def __init__(self, most: int = 16) -> None:
        self.most = most
        self._limit = float(min(START, most))
        self._used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        return int(self._limit)

    async def acquire(self) -> None:
        """Take a place, once there is one."""
        while self._used >= self.limit:
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()  # the place may have been given to the one that goes
                raise
        self._used += 1

    def release(self) -> None:
        self._used -= 1
        self._wake()

    def succeeded(self) -> None:
        if self._used >= self.limit:
            self._limit = min(float(self.most), self._limit + 1 / self._limit)
            self._wake()

    def failed(self, *, over_quota: bool) -> None:
        self._limit = max(float(min(LEAST, self.most)), self._limit * (OVER_QUOTA if over_quota else FAILED))

    def _wake(self) -> None:
        for _ in range(max(0, self.limit - self._used)):
            while self._waiting and self._waiting[0].done():
                self._waiting.popleft()
            if self._waiting:
                self._waiting.popleft().set_result(None)
