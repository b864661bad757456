"""Who may use the handles of one limit class next: tenants take turns, so that many queries of one do not hold up the few of another.

A handle that becomes free goes to the tenant that holds the fewest, among these to the one that has waited longest. Where there are several
handles one tenant never holds all of them: a query of another begins at once, whatever the first one's take.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tailrace.errors import ApiError, BusyError

MAX_WAITING = 64
"""Queries of one tenant that may wait for a handle of one limit class; more are told to come back later."""
MAX_WAITING_IN_ALL = 1024
RETRY_SECS = 1.0


@dataclass(frozen=True, slots=True)
class Use:
    """What a tenant has at work in a limit class, what waits, and what was refused so far."""

    running: int = 0
    waiting: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Tenant:
    running: int = 0
    waiting: deque[tuple[int, int, asyncio.Future[None]]] = field(default_factory=deque[tuple[int, int, asyncio.Future[None]]])
    """The number of each in the order of all who came, and how many of its tenant may run when it begins."""
    refused: int = 0


class Turns:
    """Of the `size` handles of one limit class."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._tenants: dict[str, _Tenant] = {}
        self._came = 0
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, tenant: str, most: int = 0) -> AsyncGenerator[None]:
        """Hold a handle. `most` of the tenant's may run at the same time; 0: as many as one tenant can have. "" is the server itself, which
        may have all. Raises ApiError 403 ReadQuotaExceed where the tenant has too many waiting, BusyError where all have."""
        mine = self._tenants.setdefault(tenant, _Tenant())
        try:
            await self._enter(tenant, mine, self._most(tenant, most))
            try:
                yield
            finally:
                mine.running -= 1
                self._free += 1
                self._hand_on()
        finally:
            # It may be another by now: one that had nothing left went away while its last one was about to learn that it is cancelled.
            if self._tenants.get(tenant) is mine and not (mine.running or mine.waiting or mine.refused):
                del self._tenants[tenant]

    def use(self) -> Mapping[str, Use]:
        """By tenant, of those that have anything here."""
        return {name: Use(one.running, len(one.waiting), one.refused) for name, one in self._tenants.items()}

    def _most(self, tenant: str, most: int) -> int:
        own = self._size if not tenant else max(1, self._size - 1)
        return min(most, own) if most else own

    async def _enter(self, tenant: str, mine: _Tenant, most: int) -> None:
        if self._free and mine.running < most and not mine.waiting:
            self._take(mine)
            return
        if len(mine.waiting) >= MAX_WAITING:
            mine.refused += 1
            raise ApiError(
                403, "ReadQuotaExceed", f"{len(mine.waiting)} queries of project `{tenant}` are waiting already", retry_after=RETRY_SECS
            )
        if self._waiting >= MAX_WAITING_IN_ALL:
            raise BusyError("too many queries are waiting", hint="try again in a few seconds")
        await self._wait(mine, most)

    async def _wait(self, mine: _Tenant, most: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._came += 1
        place = (self._came, most, turn)
        mine.waiting.append(place)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if place in mine.waiting:
                mine.waiting.remove(place)
                self._waiting -= 1
            elif not turn.cancelled():  # it was given a handle at the same moment
                mine.running -= 1
                self._free += 1
            self._hand_on()
            raise

    def _take(self, mine: _Tenant) -> None:
        mine.running += 1
        self._free -= 1

    def _hand_on(self) -> None:
        while self._free:
            ready = [one for one in self._tenants.values() if one.waiting and one.running < one.waiting[0][1]]
            if not ready:
                return
            next_one = min(ready, key=lambda one: (one.running, one.waiting[0][0]))
            _, _, turn = next_one.waiting.popleft()
            self._waiting -= 1
            if not turn.done():
                self._take(next_one)
                turn.set_result(None)
