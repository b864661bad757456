"""Quotas of projects and logstores: set, shown, and beside what is used of them."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server import quota_use
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.db.records import Logstore, Project
from tailrace.server.quota import LogstoreQuota, ProjectQuota
from tailrace.server.store.port import Usage


class Used(BaseModel):
    """A quota and what is used of it now."""

    quota: str
    limit: int = Field(description="0 is no bound of its own.")
    set_for: str = Field(description="`project` or `logstore`, or `server` where its settings count.")
    used: float | None = Field(description="Rates are of the last seconds; null where each request counts for itself.")
    waiting: int = Field(description="Queries that wait for their turn.")
    refused: int = Field(description="Queries that were refused since the server began, because too many waited.")


router = APIRouter(prefix="/projects/{project}", tags=["quotas"])


@router.get("/quota")
async def project_quota(project: str, caller: Caller, server: Server) -> ProjectQuota:
    """What was set for a project; what is null follows the server's settings."""
    authorize(caller, "tailrace:GetQuota", Resource(project))
    return ProjectQuota.stored(_project(server, project).quota)


@router.put("/quota")
async def set_project_quota(project: str, quota: ProjectQuota, caller: Caller, server: Server) -> ProjectQuota:
    """Set a project's quota, in force at once."""
    authorize(caller, "tailrace:SetQuota", Resource(project))
    _project(server, project)
    await server.catalog.set_project_quota(project, quota.model_dump(exclude_none=True))
    return quota


@router.get("/logstores/{logstore}/quota")
async def logstore_quota(project: str, logstore: str, caller: Caller, server: Server) -> LogstoreQuota:
    """What was set for a logstore; what is null follows the server's settings."""
    authorize(caller, "tailrace:GetQuota", Resource(project, logstore))
    return LogstoreQuota.model_validate(_logstore(server, project, logstore).quota)


@router.put("/logstores/{logstore}/quota")
async def set_logstore_quota(project: str, logstore: str, quota: LogstoreQuota, caller: Caller, server: Server) -> LogstoreQuota:
    """Set a logstore's quota, in force at once."""
    authorize(caller, "tailrace:SetQuota", Resource(project, logstore))
    _logstore(server, project, logstore)
    await server.catalog.set_logstore_quota(project, logstore, quota.model_dump(exclude_none=True))
    return quota


@router.get("/quota/use")
async def project_use(project: str, caller: Caller, server: Server) -> list[Used]:
    """What a project uses of its quotas."""
    authorize(caller, "tailrace:GetQuota", Resource(project))
    return [_used(one) for one in quota_use.of_project(server, _project(server, project))]


@router.get("/logstores/{logstore}/quota/use")
async def logstore_use(project: str, logstore: str, caller: Caller, server: Server) -> list[Used]:
    """What a logstore uses of its own quotas."""
    authorize(caller, "tailrace:GetQuota", Resource(project, logstore))
    found = _logstore(server, project, logstore)
    usage = (await server.store.usage()).get(found.id, Usage())
    return [_used(one) for one in quota_use.of_logstore(server, _project(server, project), found, usage)]


def _used(use: quota_use.QuotaUse) -> Used:
    return Used.model_validate(use, from_attributes=True)


def _project(server: Services, name: str) -> Project:
    found = server.catalog.project(name)
    if found is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {name}")
    return found


def _logstore(server: Services, project: str, name: str) -> Logstore:
    _project(server, project)
    found = server.catalog.logstore(project, name)
    if found is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore `{name}` does not exist")
    return found
