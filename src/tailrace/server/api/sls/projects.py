"""Projects (sls-api §3.1)."""

import re
from collections.abc import Mapping
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.paging import page_of, text_in
from tailrace.server.api.sls.parameters import known_zone
from tailrace.server.auth.authorize import SYSTEM_PROJECT, may_see
from tailrace.server.db.records import Project
from tailrace.server.limits import check_room
from tailrace.server.settings import Settings

NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
KEPT_OPTIONS = ("resourceGroupId", "dataRedundancyType")
TIME_ZONE = "timeZone"
"""Option of ours: the zone of SQL's functions of time in this project."""
MAX_DESCRIPTION = 4096


async def create_project(call: Call) -> Response:
    """Python sends it with the new project in the host, Node without: the body's name counts."""
    body = call.json_object()
    name = body.get("projectName")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ApiError(400, "ParameterInvalid", f"project name `{name}` is not 3 to 63 of a-z, 0-9, - with a letter or digit at both ends")
    if name == SYSTEM_PROJECT:
        raise ApiError(400, "ProjectAlreadyExist", f"project `{name}` is the server's own")
    options = {option: body[option] for option in KEPT_OPTIONS if isinstance(body.get(option), str)} | _time_zone(body)
    present = [one for one in call.catalog.projects() if one.name != SYSTEM_PROJECT]
    check_room(present, call.settings.max_projects, "projects")
    await call.catalog.create_project(name, _description(body.get("description")), options)
    return ok()


async def get_project(call: Call) -> Response:
    return json_response(_document(call.require_project(), call.settings))


async def update_project(call: Call) -> Response:
    body = call.json_object()
    await call.catalog.update_project(call.require_project().name, _description(body.get("description")), _time_zone(body))
    return ok()


async def delete_project(call: Call) -> Response:
    await call.catalog.delete_project(call.require_project().name)
    return ok()


async def list_projects(call: Call) -> Response:
    name, description = call.query.get("projectName", ""), call.query.get("description", "")
    seen = [project for project in call.catalog.projects() if may_see(call.principal, project.name)]
    found = [project for project in seen if text_in(name, project.name) and text_in(description, project.description)]
    page, counts = page_of(call, found)
    return json_response({**counts, "projects": [_document(project, call.settings) for project in page]})


def _description(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
        raise ApiError(400, "ParameterInvalid", f"the description has to be a text of up to {MAX_DESCRIPTION} characters")
    return value


def _time_zone(body: Mapping[str, Any]) -> dict[str, str]:
    """The option, when the body names it."""
    return {TIME_ZONE: known_zone(body[TIME_ZONE])} if body.get(TIME_ZONE) else {}


def _document(project: Project, settings: Settings) -> dict[str, str]:
    """Clients need each of the first seven, all as texts."""
    return {
        "status": "Normal",
        "description": project.description,
        "projectName": project.name,
        "region": settings.region,
        "owner": "",
        "createTime": str(project.created),
        "lastModifyTime": str(project.modified),
        "resourceGroupId": "",
        **project.options,
    }


ROUTES = (
    Route("POST", "/", "log:CreateProject", create_project, project=None),
    Route("GET", "/", "log:GetProject", get_project),
    Route("PUT", "/", "log:UpdateProject", update_project),
    Route("DELETE", "/", "log:DeleteProject", delete_project),
    Route("GET", "/", "log:ListProject", list_projects, project=False),
)
