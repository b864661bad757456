"""New events as they arrive, for those who follow a logstore."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.places import Place, Readable
from tailrace.server.db.records import Logstore
from tailrace.server.query.following import Now, Turn, follow

router = APIRouter(prefix="/projects/{project}/logstores/{logstore}", tags=["logs"])


LONGEST_SECS = 3600.0


class Arrivals(BaseModel):
    """Events in the order of arrival; all values are text, as in GetLogs."""

    rows: list[dict[str, str]]
    cursor: str = Field(description="What `after` has to be in the next call.")


class Wanted(BaseModel):
    """Which of the arrivals."""

    after: str = Field("", description="Cursor of the call before; without it, now: the answer has no events.")
    query: str = Field("", description="Search; no SQL.")
    limit: int = Field(100, ge=1, le=1000, description="Events per shard and call.")


@router.get("/tail", response_model=Arrivals)
async def tail(place: Readable, wanted: Annotated[Wanted, Query()]) -> Response:
    """What has arrived since the cursor and matches the search."""
    frontiers = await _frontiers(place.server, place.logstore)
    rows, cursor = await place.queries.tail(place.logstore.table, wanted.query, wanted.after, wanted.limit, frontiers)
    return Response(await asyncio.to_thread(_arrivals, rows, cursor), media_type="application/json")


def _arrivals(rows: list[dict[str, str]], cursor: str) -> str:
    return Arrivals(rows=rows, cursor=cursor).model_dump_json()


@router.get("/tail/stream", response_class=StreamingResponse)
async def stream(
    place: Readable, request: Request, query: str = "", after: str = "", secs: Annotated[float, Query(gt=0, le=LONGEST_SECS)] = LONGEST_SECS
) -> StreamingResponse:
    """Server-sent events: each `data` is `{"rows": […], "dropped": n, "waiting": false}`, each `id` the cursor to go on from (`after`, or
    the header `Last-Event-ID`). `dropped` is 0 as long as the listener keeps up; else it says how many events were passed. The stream ends
    after `secs`; who wants more goes on from there, as browsers do. It also ends when the caller may no longer read."""
    after = after or request.headers.get("last-event-id", "")
    now = partial(_now, place)
    turns = follow(place.queries, place.logstore.table, query, after, now)
    first = await anext(turns)
    return StreamingResponse(
        _events(first, turns, time.monotonic() + secs), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def _events(first: Turn, turns: AsyncIterator[Turn], until: float) -> AsyncIterator[str]:
    """`until` is in monotonic seconds."""
    yield await asyncio.to_thread(_event, first)
    while (left := until - time.monotonic()) > 0:
        try:
            turn = await asyncio.wait_for(anext(turns, None), left)
        except TimeoutError:
            return
        if turn is None:
            return
        yield await asyncio.to_thread(_event, turn)


def _event(turn: Turn) -> str:
    data = {"rows": turn.rows, "dropped": turn.dropped, "waiting": turn.waiting}
    return f"id: {turn.cursor}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _now(place: Place) -> Now | None:
    """Shards come and columns go while somebody listens; keys are revoked, and roles are taken away."""
    try:
        found = place.readable_by_now()
    except ApiError:
        return None
    return Now(found.table, await _frontiers(place.server, found))


async def _frontiers(server: Services, logstore: Logstore) -> dict[int, int]:
    return {shard.id: (await server.store.frontier(logstore.id, shard.id)).row for shard in logstore.shards}
