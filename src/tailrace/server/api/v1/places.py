"""The logstore that a call of our own API reads, once it is known that the caller may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, CallerByNow, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.auth.principal import Principal
from tailrace.server.db.records import Logstore, Project
from tailrace.server.query.allowance import allowance_of
from tailrace.server.query.service import Queries

READ, EXPORT = "log:GetLogStoreLogs", "log:CreateExport"


@dataclass(frozen=True, slots=True)
class Place:
    """What the path `/projects/{project}/logstores/{logstore}` names."""

    server: Services
    project: Project
    logstore: Logstore
    caller: Callable[[], Principal]
    """Who asks, with what they may do by now."""

    def readable_by_now(self) -> Logstore:
        """As `by_now`, for answers that last. Raises ApiError 401 when the caller may no longer read it."""
        authorize(self.caller(), READ, Resource(self.project.name, self.logstore.name))
        return self.by_now()

    def by_now(self) -> Logstore:
        """The same logstore as it is at this moment. Raises ApiError 404 when it is gone; what bears its name then is another."""
        found = self.server.catalog.logstore(self.project.name, self.logstore.name)
        if found is None or found.id != self.logstore.id:
            raise ApiError(404, "LogStoreNotExist", f"logstore `{self.logstore.name}` does not exist")
        return found

    @property
    def queries(self) -> Queries:
        settings = self.server.settings
        zone = str(self.project.options.get("timeZone") or settings.time_zone)
        return Queries(self.server.store, zone, allowance_of(self.project, settings), self.server.unfinished)


def readable(project: str, logstore: str, caller: Caller, caller_by_now: CallerByNow, server: Server) -> Place:
    """Raises ApiError 401, 404."""
    authorize(caller, READ, Resource(project, logstore))
    owner, found = server.catalog.project(project), server.catalog.logstore(project, logstore)
    if owner is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    if found is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore `{logstore}` does not exist")
    return Place(server, owner, found, caller_by_now)


def exportable(place: Annotated[Place, Depends(readable)], caller: Caller) -> Place:
    """Jobs take room on the server's disk: reading alone is not enough. Raises ApiError 401, 404."""
    authorize(caller, EXPORT, Resource(place.project.name, place.logstore.name))
    return place


Readable = Annotated[Place, Depends(readable)]
Exportable = Annotated[Place, Depends(exportable)]
