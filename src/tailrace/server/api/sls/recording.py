"""Puts every operation of the SLS API that changes something into the audit log, with what it changes before and after: both are what the
operation that reads the same thing answers."""

import json
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from tailrace.errors import TailraceError
from tailrace.server.api.call import Call, Response, Route
from tailrace.server.api.routing import RouteTable
from tailrace.server.auth.roles import is_change
from tailrace.server.db.changes import Change

NAMES: Final = ("projectName", "logstoreName", "configName", "groupName", "name")
"""Where the body of a creating operation names what it makes."""
PARTS: Final = ("/machinegroups/{group}/machines", "/machinegroups/{group}/configs/{config}")
"""What these change stands in the thing above them."""


async def run(table: RouteTable, route: Route, call: Call) -> Response:
    """Run the operation; if it changes something, that is recorded."""
    if not is_change(route.action):
        return await route.handler(call)
    asked = _asked(call)
    project, place = _place(route, call, asked)
    change = Change(
        call.principal.who,
        key_id=call.principal.key_id,
        address=call.peer,
        request_id=call.request_id,
        action=route.action,
        project=project,
        resource=place,
        asked=asked,
    )
    change.before = await _state(table, call, project, place)
    async with call.services.audit.recording(change):
        response = await route.handler(call)
        change.after = await _state(table, call, project, place)
    return response


def _asked(call: Call) -> Any:
    try:
        return json.loads(call.body) if call.body else None
    except (ValueError, RecursionError):
        return None  # the operation will refuse it


def _place(route: Route, call: Call, asked: Any) -> tuple[str, str]:
    """Project and path of the thing that is changed."""
    project = call.project.name if call.project is not None else ""
    path = call.path if call.path.startswith("/") else f"/{call.path}"
    if route.method == "POST" and isinstance(asked, dict):
        name = next((str(asked[key]) for key in NAMES if isinstance(asked.get(key), str)), "")
        if route.pattern == "/":
            return name, "/"
        if name:
            return project, f"{path.rstrip('/')}/{quote(name, safe='')}"
    return project, path.rpartition("/")[0] if route.pattern in PARTS else path


async def _state(table: RouteTable, call: Call, project: str, place: str) -> Any:
    """What stands there, as the API shows it; None where nothing does."""
    known = call.services.catalog.project(project)
    if known is None:
        return None
    try:
        route, parameters = table.find("GET", place, {}, has_project=True)
        if route.action.startswith("log:List"):
            return None
        found = await route.handler(replace(call, method="GET", path=place, query={}, body=b"", project=known, parameters=parameters))
    except TailraceError:
        return None
    return json.loads(bytes(found.body))
