"""How the server is."""

import time

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tailrace import __version__, telemetry
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize

router = APIRouter(tags=["status"])

STARTED = time.monotonic()


class RecentAlarm(BaseModel):
    kind: str
    message: str


class Status(BaseModel):
    version: str
    uptime_secs: float
    projects: int
    logstores: int
    store: dict[str, object] = Field(description="State of the engine, journal backlog in bytes, age of its oldest record in seconds.")
    alarms: list[RecentAlarm] = Field(description="The last alarms of this process, oldest first.")


@router.get("/status")
async def status(caller: Caller, server: Server) -> Status:
    """State of the engine, backlog, sizes and recent alarms."""
    authorize(caller, "tailrace:GetStatus", Resource())
    projects = server.catalog.projects()
    return Status(
        version=__version__,
        uptime_secs=round(time.monotonic() - STARTED, 3),
        projects=len(projects),
        logstores=sum(len(server.catalog.logstores(project.name)) for project in projects),
        store=server.store.health(),
        alarms=[RecentAlarm(kind=alarm.kind, message=alarm.message) for alarm in telemetry.recent_alarms()],
    )
