"""How far a logstore's index is, and building it anew from the events that are there."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.db.records import Logstore
from tailrace.server.store.port import Filling

router = APIRouter(prefix="/projects/{project}/logstores/{logstore}/index", tags=["indexes"])


class IndexStatus(BaseModel):
    """Of one logstore."""

    state: Literal["none", "building", "ready"] = Field(
        description="`building`: queries use the index from before until the new one holds all events; `ready`: they use what was saved."
    )
    keys: int = Field(description="Keys that queries use an index of.")
    full_text: bool = Field(description="Whether queries use a line index.")
    started: float = Field(description="When building began, or went on after a restart; Unix seconds.")
    events: int = Field(description="Events of which an index is being built.")
    done: int = Field(description="Those of them that it holds.")
    trouble: str = Field(description="Why it does not go on at present; it is tried again.")


@router.get("")
async def index_status(project: str, logstore: str, caller: Caller, server: Server) -> IndexStatus:
    """What queries use, and how far what was saved last is."""
    authorize(caller, "log:GetIndex", Resource(project, logstore))
    return _status(server, _known(server, project, logstore))


@router.post("/rebuild")
async def rebuild_index(project: str, logstore: str, caller: Caller, server: Server) -> IndexStatus:
    """Build all of the index anew, in the background. Queries use what there is until then."""
    authorize(caller, "log:UpdateIndex", Resource(project, logstore))
    _known(server, project, logstore)
    await server.catalog.rebuild_index(project, logstore)
    return _status(server, _known(server, project, logstore))


def _status(server: Services, logstore: Logstore) -> IndexStatus:
    table, build = logstore.table, server.catalog.builds.progress(logstore.id) if logstore.building is not None else None
    filling = Filling() if build is None else build.filling
    return IndexStatus(
        state="building" if build is not None else "none" if logstore.index is None else "ready",
        keys=len(table.fields),
        full_text=table.line is not None,
        started=0.0 if build is None else build.started,
        events=filling.rows,
        done=filling.done,
        trouble=filling.trouble,
    )


def _known(server: Services, project: str, name: str) -> Logstore:
    found = server.catalog.logstore(project, name)
    if found is None:
        raise ApiError(404, "LogStoreNotExist", f"logstore `{name}` does not exist")
    return found
