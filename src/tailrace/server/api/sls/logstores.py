"""Logstores (sls-api §3.2)."""

import re
from collections.abc import Mapping
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.paging import page_of, text_in
from tailrace.server.db.records import Logstore
from tailrace.server.fleet.pipelines import logstores_of
from tailrace.server.limits import most_of

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]")
MAX_TTL, MAX_SHARDS = 3650, 256  # 3650 days stand for "for ever"
DEFAULT_TTL, DEFAULT_SHARDS, DEFAULT_SPLIT = 30, 2, 64

# Keys that are stored and given back: name → type. Others are ignored, as the service does.
OPTIONS: Mapping[str, type] = {
    "enable_tracking": bool,
    "autoSplit": bool,
    "maxSplitShard": int,
    "appendMeta": bool,
    "telemetryType": str,
    "mode": str,
    "hot_ttl": int,
    "infrequentAccessTTL": int,
    "encrypt_conf": dict,
    "enableModify": bool,
    "productType": str,
}
MODES = ("standard", "query")


async def create_logstore(call: Call) -> Response:
    body = call.json_object()
    name = body.get("logstoreName")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _invalid(f"logstore name `{name}` is not 2 to 63 of a-z, 0-9, - and _, with a letter or digit at both ends")
    shards = _number(body, "shardCount", DEFAULT_SHARDS, 1, MAX_SHARDS)
    ttl = _number(body, "ttl", DEFAULT_TTL, 1, MAX_TTL)
    project, options = call.require_project(), _options(body)
    most = most_of("logstores", project, call.settings)
    await call.catalog.create_logstore(project.name, name, ttl=ttl, shard_count=shards, options=options, most=most)
    return ok()


async def get_logstore(call: Call) -> Response:
    return json_response(_document(call.logstore()))


async def update_logstore(call: Call) -> Response:
    """Python writes the whole document back; what it leaves out stays. The number of shards is not changed here."""
    logstore, body = call.logstore(), call.json_object()
    if body.get("logstoreName", logstore.name) != logstore.name:
        raise _invalid(f"logstore `{logstore.name}` cannot be renamed to `{body['logstoreName']}`")
    ttl = _number(body, "ttl", logstore.ttl, 1, MAX_TTL)
    await call.catalog.update_logstore(logstore.project, logstore.name, ttl=ttl, options={**logstore.options, **_options(body)})
    return ok()


async def delete_logstore(call: Call) -> Response:
    logstore = call.logstore()
    writers = [
        one.name for one in call.collection.configs(logstore.project) if logstore.name in logstores_of(one.document, logstore.project)
    ]
    if writers:
        raise _invalid(f"logstore `{logstore.name}` is what the configs {', '.join(writers[:10])} write to: delete them first")
    await call.catalog.delete_logstore(logstore.project, logstore.name)
    await call.services.documents.untag(call.require_project(), ["logstore"], [f"{logstore.project}#{logstore.name}"], None)
    return ok()


async def list_logstores(call: Call) -> Response:
    part, telemetry_type = call.query.get("logstoreName", ""), call.query.get("telemetryType", "")
    stores = call.catalog.logstores(call.require_project().name)
    names = [store.name for store in stores if text_in(part, store.name) and telemetry_type in ("", store.options.get("telemetryType", ""))]
    page, counts = page_of(call, names)
    return json_response({**counts, "logstores": list(page)})


def _document(logstore: Logstore) -> dict[str, Any]:
    """Clients need each of the first seven."""
    return {
        "logstoreName": logstore.name,
        "ttl": logstore.ttl,
        "shardCount": sum(shard.status == "readwrite" for shard in logstore.shards),
        "enable_tracking": False,
        "appendMeta": False,
        "autoSplit": False,
        "maxSplitShard": DEFAULT_SPLIT,
        "telemetryType": "",
        "mode": "standard",
        "createTime": logstore.created,
        "lastModifyTime": logstore.modified,
        **logstore.options,
    }


def _number(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _invalid(f"{name} `{value}` is not a whole number from {low} to {high}")
    return value


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, kind in OPTIONS.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _invalid(f"{name} `{value}` is not of type {kind.__name__}")
        options[name] = value
    if options.get("mode", MODES[0]) not in MODES:
        raise _invalid(f"mode `{options['mode']}` is not one of {', '.join(MODES)}")
    return options


def _invalid(message: str) -> ApiError:
    return ApiError(400, "LogStoreInfoInvalid", message)


ROUTES = (
    Route("POST", "/logstores", "log:CreateLogStore", create_logstore),
    Route("GET", "/logstores", "log:ListLogStores", list_logstores),
    Route("GET", "/logstores/{logstore}", "log:GetLogStore", get_logstore),
    Route("PUT", "/logstores/{logstore}", "log:UpdateLogStore", update_logstore),
    Route("DELETE", "/logstores/{logstore}", "log:DeleteLogStore", delete_logstore),
)
