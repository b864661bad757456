"""The logstore that a call of our own API reads, once it is known that the caller may."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.db.records import Logstore, Project
from tailrace.server.query.service import Queries

READ, EXPORT = "log:GetLogStoreLogs", "log:CreateExport"


@dataclass(frozen=True, slots=True)
class Place:
    """What the path `/projects/{project}/logstores/{logstore}` names."""

    server: Services
    project: Project
    logstore: Logstore

    @property
    def queries(self) -> Queries:
        return Queries(self.server.store, str(self.project.options.get("timeZone") or self.server.settings.time_zone))


def readable(project: str, logstore: str, caller: Caller, server: Server) -> Place:
    """Raises ApiError 401, 404."""
    authorize(caller, READ, Resource(project, logstore))
    owner, found = server.catalog.project(project), server.catalog.logstore(project, logstore)
    if owner is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    if found is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore `{logstore}` does not exist")
    return Place(server, owner, found)


def exportable(place: Annotated[Place, Depends(readable)], caller: Caller) -> Place:
    """Jobs take room on the server's disk: reading alone is not enough. Raises ApiError 401, 404."""
    authorize(caller, EXPORT, Resource(place.project.name, place.logstore.name))
    return place


Readable = Annotated[Place, Depends(readable)]
Exportable = Annotated[Place, Depends(exportable)]
