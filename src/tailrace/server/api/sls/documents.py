"""Saved searches, dashboards with their charts, and jobs (alerts, scheduled SQL, …): kept word for word for the clients that make them
(sls-api §3.6). The server reads their names and acts on none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.paging import page_of, text_in
from tailrace.server.db.records import Document

MAX_NAME = 256
ENABLE, DISABLE = ("enable", "start", "restart"), ("disable", "stop")


@dataclass(frozen=True, slots=True)
class Kind:
    """`path` is that of the list, `key` what holds the name; `title` begins the error codes and ends the actions."""

    path: str
    key: str
    title: str
    tag_types: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.title.lower()


SEARCHES = Kind("/savedsearches", "savedsearchName", "SavedSearch", ("savedsearch",))
DASHBOARDS = Kind("/dashboards", "dashboardName", "Dashboard", ("dashboard",))
JOBS = Kind("/jobs", "name", "Job", ("job", "alert"))


async def create(call: Call, *, kind: Kind) -> Response:
    content = call.json_object()
    name = content.get(kind.key)
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or "/" in name or not name.isprintable():
        raise ApiError(400, "ParameterInvalid", f"{kind.key} `{str(name)[:40]}` is not 1 to {MAX_NAME} printable characters without /")
    if not await call.services.documents.insert(call.require_project(), kind.name, name, content):
        raise ApiError(400, f"{kind.title}AlreadyExist", f"{kind.name} `{name}` already exists")
    return ok()


async def get(call: Call, *, kind: Kind) -> Response:
    document = await _known(call, kind)
    return json_response(_whole(document) if kind is JOBS else document.content)


async def update(call: Call, *, kind: Kind) -> Response:
    content, name = call.json_object(), call.parameters["name"]
    if content.get(kind.key, name) != name:
        raise ApiError(400, "ParameterInvalid", f"{kind.name} `{name}` cannot be renamed to `{str(content[kind.key])[:MAX_NAME]}`")
    await _change(call, kind, lambda _: {**content, kind.key: name})
    return ok()


async def remove(call: Call, *, kind: Kind) -> Response:
    """With its tags."""
    project, name = call.require_project(), call.parameters["name"]
    if not await call.services.documents.delete(project, kind.name, name):
        raise _missing(kind, name)
    await call.services.documents.untag(project, kind.tag_types, [f"{project.name}#{name}"], None)
    return ok()


async def list_names(call: Call, *, kind: Kind) -> Response:
    part = call.query.get(kind.key, "")
    found = [each for each in await call.services.documents.documents(call.require_project(), kind.name) if text_in(part, each.name)]
    page, counts = page_of(call, found)
    items = [{kind.key: each.name, "displayName": each.content.get("displayName", each.name)} for each in page]
    plural = kind.path.removeprefix("/")
    return json_response({**counts, plural: [each.name for each in page], f"{kind.name}Items": items})


async def list_jobs(call: Call) -> Response:
    """Whole ones, of one type, perhaps of one logstore."""
    wanted, logstore = call.query.get("jobType", ""), call.query.get("logstore", "")
    found = [
        each
        for each in await call.services.documents.documents(call.require_project(), JOBS.name)
        if wanted in ("", each.content.get("type")) and logstore in ("", _logstore_of(each.content))
    ]
    page, counts = page_of(call, found)
    return json_response({**counts, "results": [_whole(each) for each in page]})


async def update_job(call: Call) -> Response:
    """With `action` it is enabled or disabled; a restart may bring a new document."""
    action = call.query.get("action", "").lower()
    if not action:
        return await update(call, kind=JOBS)
    if action not in (*ENABLE, *DISABLE):
        raise ApiError(400, "ParameterInvalid", f"action `{action}` is not one of {', '.join((*ENABLE, *DISABLE))}")
    content, enabled = call.json_object() if call.body.strip() else {}, action in ENABLE
    state = {"state": "Enabled" if enabled else "Disabled", "status": "ENABLED" if enabled else "DISABLED"}
    await _change(call, JOBS, lambda old: {**old, **content, "name": call.parameters["name"], **state})
    return ok()


# --- charts -----------------------------------------------------------------------------------------------------------------------
async def create_chart(call: Call) -> Response:
    chart = call.json_object()
    if not isinstance(chart.get("title"), str) or not chart["title"]:
        raise ApiError(400, "ParameterInvalid", "the chart has no `title`")

    def add(dashboard: Mapping[str, Any]) -> Mapping[str, Any]:
        charts = _charts(dashboard)
        if any(each.get("title") == chart["title"] for each in charts):
            raise ApiError(400, "ChartAlreadyExist", f"chart `{chart['title']}` already exists")
        return {**dashboard, "charts": [*charts, chart]}

    await _change(call, DASHBOARDS, add)
    return ok()


async def get_chart(call: Call) -> Response:
    return json_response(_chart((await _known(call, DASHBOARDS)).content, call.parameters["chart"]))


async def update_chart(call: Call) -> Response:
    chart, title = call.json_object(), call.parameters["chart"]

    def replace(dashboard: Mapping[str, Any]) -> Mapping[str, Any]:
        old = _chart(dashboard, title)
        return {**dashboard, "charts": [{**chart, "title": title} if each is old else each for each in _charts(dashboard)]}

    await _change(call, DASHBOARDS, replace)
    return ok()


async def delete_chart(call: Call) -> Response:
    def take_out(dashboard: Mapping[str, Any]) -> Mapping[str, Any]:
        gone = _chart(dashboard, call.parameters["chart"])
        return {**dashboard, "charts": [each for each in _charts(dashboard) if each is not gone]}

    await _change(call, DASHBOARDS, take_out)
    return ok()


def _charts(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    charts = dashboard.get("charts")
    return [each for each in charts if isinstance(each, dict)] if isinstance(charts, list) else []


def _chart(dashboard: Mapping[str, Any], title: str) -> dict[str, Any]:
    found = next((each for each in _charts(dashboard) if each.get("title") == title), None)
    if found is None:
        raise ApiError(404, "ChartNotExist", f"chart `{title}` does not exist")
    return found


# --- all of them ------------------------------------------------------------------------------------------------------------------
async def _known(call: Call, kind: Kind) -> Document:
    document = await call.services.documents.document(call.require_project(), kind.name, call.parameters["name"])
    if document is None:
        raise _missing(kind, call.parameters["name"])
    return document


async def _change(call: Call, kind: Kind, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    if not await call.services.documents.change(call.require_project(), kind.name, call.parameters["name"], change):
        raise _missing(kind, call.parameters["name"])


def _missing(kind: Kind, name: str) -> ApiError:
    return ApiError(404, f"{kind.title}NotExist", f"{kind.name} `{name}` does not exist")


def _whole(document: Document) -> dict[str, Any]:
    return {**document.content, "createTime": document.created, "lastModifiedTime": document.modified}


def _logstore_of(job: Mapping[str, Any]) -> object:
    configuration = job.get("configuration")
    return configuration.get("logstore") if isinstance(configuration, dict) else None


def _routes(kind: Kind) -> tuple[Route, ...]:
    one = kind.path + "/{name}"
    return (
        Route("POST", kind.path, f"log:Create{kind.title}", partial(create, kind=kind)),
        Route("GET", one, f"log:Get{kind.title}", partial(get, kind=kind)),
        Route("DELETE", one, f"log:Delete{kind.title}", partial(remove, kind=kind)),
    )


_CHARTS = "/dashboards/{name}/charts"
ROUTES = (
    *_routes(SEARCHES),
    Route("GET", SEARCHES.path, "log:ListSavedSearch", partial(list_names, kind=SEARCHES)),
    Route("PUT", SEARCHES.path + "/{name}", "log:UpdateSavedSearch", partial(update, kind=SEARCHES)),
    *_routes(DASHBOARDS),
    Route("GET", DASHBOARDS.path, "log:ListDashboard", partial(list_names, kind=DASHBOARDS)),
    Route("PUT", DASHBOARDS.path + "/{name}", "log:UpdateDashboard", partial(update, kind=DASHBOARDS)),
    Route("POST", _CHARTS, "log:UpdateDashboard", create_chart),
    Route("GET", _CHARTS + "/{chart}", "log:GetDashboard", get_chart),
    Route("PUT", _CHARTS + "/{chart}", "log:UpdateDashboard", update_chart),
    Route("DELETE", _CHARTS + "/{chart}", "log:UpdateDashboard", delete_chart),
    *_routes(JOBS),
    Route("GET", JOBS.path, "log:ListJobs", list_jobs),
    Route("PUT", JOBS.path + "/{name}", "log:UpdateJob", update_job),
)
