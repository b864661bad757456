"""New events as they arrive, for those who follow a logstore."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.query.service import Queries

router = APIRouter(tags=["logs"])


class Arrivals(BaseModel):
    """Events in the order of arrival; all values are text, as in GetLogs."""

    rows: list[dict[str, str]]
    cursor: str = Field(description="What `after` has to be in the next call.")


class Wanted(BaseModel):
    """Which of the arrivals."""

    after: str = Field("", description="Cursor of the call before; without it, now: the answer has no events.")
    query: str = Field("", description="Search; no SQL.")
    limit: int = Field(100, ge=1, le=1000, description="Events per shard and call.")


@router.get("/projects/{project}/logstores/{logstore}/tail")
async def tail(project: str, logstore: str, wanted: Annotated[Wanted, Query()], caller: Caller, server: Server) -> Arrivals:
    """What has arrived since the cursor and matches the search."""
    authorize(caller, "log:GetLogStoreLogs", Resource(project, logstore))
    found = server.catalog.logstore(project, logstore)
    if found is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore `{logstore}` does not exist")
    rows, cursor = await Queries(server.store).tail(found.table, wanted.query, wanted.after, wanted.limit)
    return Arrivals(rows=rows, cursor=cursor)
