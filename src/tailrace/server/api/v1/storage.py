"""What the logstores of a project take on disk."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize, is_allowed
from tailrace.server.store.port import Usage

router = APIRouter(prefix="/projects/{project}/storage", tags=["storage"])


class LogstoreStorage(BaseModel):
    """Of what has gone from the journal into the engine."""

    logstore: str
    events: int
    bytes: int = Field(description="On disk, with all indexes.")
    index_bytes: int = Field(description="What of them text indexes take.")
    oldest_day: str = Field(description="Day of receipt (UTC) of the oldest events, `20260131`; empty without events.")
    ttl_days: int
    max_bytes: int = Field(description="Beyond it the oldest events go; 0 is no bound.")


@router.get("")
async def project_storage(project: str, caller: Caller, server: Server) -> list[LogstoreStorage]:
    """Of each logstore that the caller may read, by name."""
    authorize(caller, "log:ListLogStores", Resource(project))
    if server.catalog.project(project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    usage, none = await server.store.usage(), Usage()
    return [
        LogstoreStorage(
            logstore=logstore.name,
            events=usage.get(logstore.id, none).rows,
            bytes=usage.get(logstore.id, none).bytes,
            index_bytes=usage.get(logstore.id, none).index_bytes,
            oldest_day=usage.get(logstore.id, none).oldest_day,
            ttl_days=logstore.ttl,
            max_bytes=logstore.quota.get("max_bytes") or 0,
        )
        for logstore in server.catalog.logstores(project)
        if is_allowed(caller, "log:GetLogStore", Resource(project, logstore.name))
    ]
