"""A logstore followed live: what arrives, turn by turn, for as long as somebody listens.

Nothing is left out while the listener keeps up. One that falls behind by more than `MOST_BEHIND` events is taken to the newest ones, and
told how many it did not see.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from tailrace.errors import BusyError, EngineError
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.query.service import Queries
from tailrace.server.query.tailing import Cursor
from tailrace.server.store.port import TableSpec

TURN_SECS = 0.5
PER_TURN = 1000
"""Events of one shard in one turn."""
MOST_BEHIND = 100_000
QUIET_SECS = 15.0
"""A turn without events is told of after that, so that nobody takes the connection for dead."""


@dataclass(frozen=True, slots=True)
class Turn:
    """`dropped` counts the events that this listener did not see, whether they match or not; `waiting`: the store does not answer now."""

    rows: list[dict[str, str]]
    cursor: str
    dropped: int = 0
    waiting: bool = False


async def follow(
    queries: Queries, table: TableSpec, search: str, after: str, frontiers: Callable[[], Awaitable[Mapping[int, int]]]
) -> AsyncIterator[Turn]:
    """Turns with events, and some without. Raises ApiError 400 at once for a search that cannot be read."""
    Predicates(table, Binder()).write(parse_search(search))
    turn = Turn([], Cursor.parse(after).text if after else (await queries.tail(table, search, "", PER_TURN))[1])
    yield turn
    told_at = time.monotonic()
    while True:
        before, turn = turn, await _next(queries, table, search, turn, frontiers)
        if turn.rows or turn.dropped != before.dropped or turn.waiting != before.waiting or time.monotonic() - told_at > QUIET_SECS:
            told_at = time.monotonic()
            yield turn
        if len(turn.rows) < PER_TURN:
            await asyncio.sleep(TURN_SECS)


async def _next(queries: Queries, table: TableSpec, search: str, turn: Turn, frontiers: Callable[[], Awaitable[Mapping[int, int]]]) -> Turn:
    try:
        arrivals = await queries.arrivals(table, search, turn.cursor, PER_TURN, await frontiers())
    except (EngineError, BusyError):
        return replace(turn, rows=[], waiting=True)
    if arrivals.behind > MOST_BEHIND:
        return Turn(arrivals.rows, arrivals.newest, turn.dropped + arrivals.behind)
    return Turn(arrivals.rows, arrivals.cursor, turn.dropped)
