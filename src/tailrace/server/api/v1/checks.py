"""What is missing of what a logstore has taken."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.store.gaps import Cause, Hole, Judged, StreamGap

router = APIRouter(prefix="/projects/{project}/logstores/{logstore}/check", tags=["storage"])


class ShardHole(BaseModel):
    """Rows that are not there."""

    shard: int
    first: int
    last: int
    rows: int
    after: float = Field(description="When the row before them was received; Unix seconds, 0 where there is none.")
    before: float = Field(description="When the row behind them was received.")
    cause: Judged = Field(description="`retention`: they are so old that they may go, or lie where older ones have gone.")


class SequenceGap(BaseModel):
    """Sequences of an agent's stream whose first event is not there, between others that are."""

    agent: str
    epoch: str = Field(description="32 hexadecimal digits.")
    stream: str = Field(description="16 hexadecimal digits.")
    first: int
    last: int
    sequences: int
    after: float = Field(description="When the sequence before them was received; Unix seconds.")
    before: float = Field(description="When the sequence behind them was received.")
    cause: Cause = Field(
        description="`missing`: rows of the shard are missing at this place; `unclear`: at about this time; `pending`: the agent has not"
        " said yet that they are acknowledged; `empty`: nothing was stored under them, such as where a filter took all events;"
        " `retention`: as of rows."
    )


class LogstoreCheck(BaseModel):
    """Of all that has to be readable by now."""

    complete: bool = Field(description="Whether nothing is missing.")
    events: int = Field(description="That are there.")
    missing_events: int = Field(description="That were acknowledged and are not there; at least so many when `cut`.")
    set_aside_blocks: int = Field(description="That could never be inserted; they lie in the quarantine.")
    shards: list[ShardHole]
    streams: list[SequenceGap] = Field(description="The worst causes first.")
    cut: bool = Field(description="Whether there are more holes and gaps than are listed.")


@router.get("")
async def check_logstore(project: str, logstore: str, caller: Caller, server: Server) -> LogstoreCheck:
    """Look for what is missing: row numbers of shards, and sequences of agents' streams. Reads a few columns of all events."""
    authorize(caller, "tailrace:CheckStore", Resource(project, logstore))
    known = server.catalog.logstore(project, logstore)
    if known is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore `{logstore}` does not exist")
    found = await server.store.check(known.table)
    return LogstoreCheck(
        complete=not found.missing,
        events=found.rows,
        missing_events=found.missing,
        set_aside_blocks=found.set_aside,
        shards=_holes(found.holes),
        streams=_gaps(found.gaps),
        cut=found.cut,
    )


def _holes(holes: Sequence[Hole]) -> list[ShardHole]:
    return [
        ShardHole(
            shard=hole.shard, first=hole.first, last=hole.last, rows=hole.rows,
            after=hole.before_ms / 1000, before=hole.after_ms / 1000, cause=hole.judged,
        )
        for hole in holes
    ]  # fmt: skip


def _gaps(gaps: Sequence[StreamGap]) -> list[SequenceGap]:
    return [
        SequenceGap(
            agent=gap.agent, epoch=gap.epoch.hex().upper(), stream=f"{gap.stream:016X}", first=gap.first, last=gap.last,
            sequences=gap.sequences, after=gap.before.at_ms / 1000, before=gap.after.at_ms / 1000, cause=gap.cause,
        )
        for gap in gaps
    ]  # fmt: skip
