"""Tags of projects, and of what is in them (sls-api §3.6)."""

import json
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.parameters import number
from tailrace.server.auth.authorize import Resource, is_allowed

LIST = "log:ListTagResources"
MAX_TEXT, PAGE = 128, 200


async def tag(call: Call) -> Response:
    project, body = call.require_project(), call.json_object()
    kind, resources = _resources(call, body)
    tags = body.get("tags")
    if not isinstance(tags, list) or not all(isinstance(each, dict) for each in tags):
        raise _invalid("`tags` is not a list of keys with values")
    pairs = {_text(each.get("key"), "key"): _text(each.get("value", ""), "value", least=0) for each in tags}
    await call.services.documents.tag(project, kind, resources, pairs)
    return ok()


async def untag(call: Call) -> Response:
    project, body = call.require_project(), call.json_object()
    kind, resources = _resources(call, body)
    keys = body.get("tags") or []
    if not isinstance(keys, list):
        raise _invalid("`tags` is not a list of keys")
    wanted = None if body.get("all") is True else [_text(key, "key") for key in keys]
    await call.services.documents.untag(project, [kind], resources, wanted)
    return ok()


async def list_tags(call: Call) -> Response:
    """Page by page: the token is how many came before. Without a project in the host, of all that the caller may list."""
    kind = call.query.get("resourceType", "").lower()
    resources, filters = _json_list(call, "resourceId"), _json_list(call, "tags")
    begin = number(call.query, "nextToken", 0, "ParameterInvalid")
    found = [
        tag
        for tag in await call.services.documents.tags(kind, call.project)
        if (not resources or tag.resource in resources)
        and all(_matches(tag.key, tag.value, wanted) for wanted in filters)
        and is_allowed(call.principal, LIST, Resource(tag.resource.partition("#")[0]))
    ]
    page = found[begin : begin + PAGE]
    return json_response({
        "nextToken": str(begin + PAGE) if begin + PAGE < len(found) else "",
        "tagResources": [
            {"resourceId": tag.resource, "resourceType": tag.type, "tagKey": tag.key, "tagValue": tag.value} for tag in page
        ],
    })  # fmt: skip


def _resources(call: Call, body: dict[str, Any]) -> tuple[str, list[str]]:
    """What is tagged: of this project, and there."""
    project = call.require_project().name
    kind, resources = _text(body.get("resourceType"), "resourceType").lower(), body.get("resourceId")
    if not isinstance(resources, list) or not 1 <= len(resources) <= 100:
        raise _invalid("`resourceId` is not a list of 1 to 100 names")
    for resource in resources:
        owner, _, name = _text(resource, "resourceId", most=320).partition("#")
        if owner != project or (kind == "project") != (not name):
            raise _invalid(f"`{resource}` is no {kind} of project `{project}`, such as `{project}{'' if kind == 'project' else '#name'}`")
        if kind == "logstore":
            call.logstore(name)
    return kind, resources


def _matches(key: str, value: str, wanted: object) -> bool:
    return isinstance(wanted, dict) and wanted.get("key") == key and wanted.get("value") in (None, "", value)


def _json_list(call: Call, name: str) -> list[Any]:
    try:
        found = json.loads(call.query.get(name) or "[]")
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise _invalid(f"`{name}` is not a list in JSON")
    return found


def _text(value: object, name: str, *, least: int = 1, most: int = MAX_TEXT) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise _invalid(f"`{name}` is not a text of {least} to {most} characters")
    return value


def _invalid(message: str) -> ApiError:
    return ApiError(400, "ParameterInvalid", message)


ROUTES = (
    Route("POST", "/tag", "log:TagResources", tag),
    Route("POST", "/untag", "log:UntagResources", untag),
    Route("GET", "/tags", LIST, list_tags, project=None),
)
