"""The audit log of one project. All of it is the logstore `internal-operation_log` of the project `tailrace-system`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.audit.shipping import LOGSTORE
from tailrace.server.auth.authorize import SYSTEM_PROJECT, Resource, authorize
from tailrace.server.query.search.lexer import split_statement
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.service import Page, Queries
from tailrace.server.query.window import NS, Window

router = APIRouter(prefix="/projects/{project}", tags=["users"])

ProjectName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]


class Wanted(BaseModel):
    """Which of the changes."""

    start: int = Field(alias="from", ge=0, le=1 << 33, description="Unix seconds.")
    end: int = Field(alias="to", ge=0, le=1 << 33, description="Unix seconds, not included.")
    query: str = Field("", max_length=4096, description="Search; no SQL: `action: CreateConfig and not user: anna`.")
    line: int = Field(100, ge=0, le=100)
    offset: int = Field(0, ge=0, le=100_000)


class Changes(BaseModel):
    """The newest first. `before` and `after` are JSON, without secrets."""

    rows: list[dict[str, str]]


@router.get("/changes")
async def changes(project: ProjectName, wanted: Annotated[Wanted, Query()], caller: Caller, server: Server) -> Changes:
    """Who changed what in a project."""
    authorize(caller, "tailrace:GetChanges", Resource(project))
    if server.catalog.project(project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    search, sql = split_statement(wanted.query)
    if sql is not None:
        raise ApiError(400, "ParameterInvalid", "`query` is a search here, without SQL")
    parse_search(search)  # by itself: a bracket too many must not end what it is put into
    found = server.catalog.logstore(SYSTEM_PROJECT, LOGSTORE)
    if found is None:
        return Changes(rows=[])
    own = f'project: "{project}"'
    query = f"{own} and ({search})" if search.strip() not in ("", "*") else own
    window, page = Window(wanted.start * NS, wanted.end * NS, ""), Page(wanted.line, wanted.offset, reverse=True)
    answer = await Queries(server.store).ask(found.table, LOGSTORE, query, window, page)
    return Changes(rows=[row for row in answer.rows if row.get("project") == project])
