"""A logstore followed live: what arrives, turn by turn, for as long as somebody listens.

Nothing is left out while the listener keeps up. One that falls behind by more than `MOST_BEHIND` events is taken to the newest ones, and
told how many it did not see. So is one for whom it takes more than a query may use to tell what it missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from tailrace.errors import ApiError, BusyError, EngineError
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.query.service import Queries
from tailrace.server.query.tailing import DAY_MS, Cursor, now_ms
from tailrace.server.store.port import TableSpec

TURN_SECS = 0.5
PER_TURN = 1000
"""Events of one shard in one turn."""
MOST_BEHIND = 100_000
QUIET_SECS = 15.0
"""A turn without events is told of after that, so that nobody takes the connection for dead."""


@dataclass(frozen=True, slots=True)
class Now:
    """What can be read at this moment: the table as queries use it, and the row up to which each shard can be read (`Frontier.row`)."""

    table: TableSpec
    frontiers: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """`dropped` counts the events that this listener did not see, whether they match or not; `waiting`: the store does not answer now."""

    rows: list[dict[str, str]]
    cursor: str
    dropped: int = 0
    waiting: bool = False


async def follow(
    queries: Queries, table: TableSpec, search: str, after: str, now: Callable[[], Awaitable[Now | None]]
) -> AsyncIterator[Turn]:
    """Turns with events, and some without, until `now` says that the logstore is gone or its index no longer fits the search.
    Raises ApiError 400 at once for a search that cannot be read."""
    _check(table, search)
    turn = Turn([], Cursor.parse(after).text if after else (await queries.tail(table, search, "", PER_TURN))[1])
    yield turn
    told_at = time.monotonic()
    while (following := await _next(queries, search, turn, now)) is not None:
        before, turn = turn, following
        if turn.rows or turn.dropped != before.dropped or turn.waiting != before.waiting or time.monotonic() - told_at > QUIET_SECS:
            told_at = time.monotonic()
            yield turn
        if len(turn.rows) < PER_TURN:
            await asyncio.sleep(TURN_SECS)


async def _next(queries: Queries, search: str, turn: Turn, now: Callable[[], Awaitable[Now | None]]) -> Turn | None:
    waiting = replace(turn, rows=[], waiting=True)
    try:
        found = await now()
    except (EngineError, BusyError):
        return waiting
    if found is None or not _can_ask(found.table, search):
        return None
    try:
        arrivals = await queries.arrivals(found.table, search, turn.cursor, PER_TURN, found.frontiers)
    except (EngineError, BusyError):
        return waiting
    except ApiError:  # more time or memory than a query may use
        return _passed(turn, found.frontiers) or waiting
    if arrivals.behind > MOST_BEHIND:
        return Turn(arrivals.rows, arrivals.newest, turn.dropped + arrivals.behind)
    return Turn(arrivals.rows, arrivals.cursor, turn.dropped)


def _passed(turn: Turn, frontiers: Mapping[int, int]) -> Turn | None:
    """At the newest events, None for one who is near them. Of a shard that the cursor does not know all rows count, old ones too."""
    cursor = Cursor.parse(turn.cursor)
    behind = sum(max(0, end - cursor.next.get(shard, 0)) for shard, end in frontiers.items())
    if behind <= MOST_BEHIND:
        return None
    newest = Cursor(max(cursor.floor, now_ms() - DAY_MS), {**cursor.next, **frontiers})
    return Turn([], newest.text, turn.dropped + behind)


def _can_ask(table: TableSpec, search: str) -> bool:
    try:
        _check(table, search)
    except ApiError:
        return False
    return True


def _check(table: TableSpec, search: str) -> None:
    """Raises ApiError 400."""
    Predicates(table, Binder()).write(parse_search(search))
