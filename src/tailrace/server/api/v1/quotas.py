"""Write quotas of projects and logstores, and how many things a project may hold."""

from fastapi import APIRouter

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.db.records import Logstore, Project
from tailrace.server.quota import LogstoreQuota, ProjectQuota

router = APIRouter(prefix="/projects/{project}", tags=["quotas"])


@router.get("/quota")
async def project_quota(project: str, caller: Caller, server: Server) -> ProjectQuota:
    """What was set for a project; what is null follows the server's settings."""
    authorize(caller, "tailrace:GetQuota", Resource(project))
    return ProjectQuota.model_validate(_project(server, project).quota)


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
