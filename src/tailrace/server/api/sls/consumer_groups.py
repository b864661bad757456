"""Consumer groups: their life, heartbeats and checkpoints (sls-api §2.7)."""

import re
from functools import partial
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.api.sls.connected import while_connected
from tailrace.server.api.sls.parameters import number
from tailrace.server.api.sls.shards import reader_of
from tailrace.server.query.pulling import decode

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,126}[A-Za-z0-9]|[A-Za-z0-9]")
MAX_TIMEOUT_SECS, MAX_CONSUMER, MAX_SHARDS = 86_400, 255, 65_536


async def create_group(call: Call) -> Response:
    logstore, body = call.logstore(), call.json_object()
    name = body.get("consumerGroup")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _invalid(f"consumer group name `{name}` is not 1 to 128 of letters, digits, - and _, with a letter or digit at both ends")
    timeout, in_order = _timeout(body), _order(body)
    if timeout is None:
        raise _invalid("`timeout` is missing")
    await call.services.consumers.create(logstore, name, timeout, in_order=bool(in_order))
    return ok()


async def list_groups(call: Call) -> Response:
    groups = await call.services.consumers.groups(call.logstore())
    return json_response([{"name": group.name, "timeout": group.silence_secs, "order": group.in_order} for group in groups])


async def update_group(call: Call) -> Response:
    body = call.json_object()
    await call.services.consumers.change(call.logstore(), call.parameters["group"], _timeout(body), in_order=_order(body))
    return ok()


async def delete_group(call: Call) -> Response:
    await call.services.consumers.delete(call.logstore(), call.parameters["group"])
    return ok()


async def heartbeat(call: Call) -> Response:
    """The body lists the shards that the consumer holds, the answer those that it is to hold."""
    held, consumer = call.json() if call.body.strip() else [], _consumer(call)
    if not isinstance(held, list) or not all(isinstance(shard, int) and 0 <= shard < MAX_SHARDS for shard in held):
        raise _invalid("the body is not a list of shards")
    beat = call.services.consumers.beat(call.logstore(), call.parameters["group"], consumer, held, partial(reader_of, call))
    return json_response(await while_connected(call, beat))


async def get_checkpoints(call: Call) -> Response:
    """Of all shards, or of `shard` only."""
    found = await call.services.consumers.checkpoints(call.logstore(), call.parameters["group"])
    wanted = number(call.query, "shard", -1, "ParameterInvalid")
    if wanted >= 0 and wanted not in found:
        raise ApiError(400, "ShardNotExist", f"there is no shard {wanted}")
    return json_response(
        [
            {"shard": shard, "checkpoint": checkpoint.cursor, "updateTime": checkpoint.updated, "consumer": checkpoint.consumer}
            for shard, checkpoint in sorted(found.items())
            if wanted in (-1, shard)
        ]
    )


async def set_checkpoint(call: Call) -> Response:
    logstore, body = call.logstore(), call.json_object()
    shard, cursor = body.get("shard"), body.get("checkpoint")
    if not isinstance(shard, int) or shard not in (each.id for each in logstore.shards):
        raise ApiError(400, "ShardNotExist", f"logstore `{logstore.name}` has no shard `{shard}`")
    if not isinstance(cursor, str) or not _is_cursor(cursor):
        raise ApiError(400, "InvalidShardCheckPoint", f"`{str(cursor)[:40]}` is no cursor")
    owner = None if call.query.get("forceSuccess", "").lower() == "true" else _consumer(call)
    await call.services.consumers.set_checkpoint(logstore, call.parameters["group"], shard, cursor.strip(), owner)
    return ok()


def _is_cursor(text: str) -> bool:
    try:
        decode(text)
    except ApiError:
        return False
    return True


def _consumer(call: Call) -> str:
    consumer = call.query.get("consumer", "")
    if not consumer or len(consumer) > MAX_CONSUMER:
        raise _invalid(f"`consumer` has to be a name of up to {MAX_CONSUMER} characters")
    return consumer


def _timeout(body: dict[str, Any]) -> int | None:
    timeout = body.get("timeout")
    if timeout is None:
        return None
    if not isinstance(timeout, int) or isinstance(timeout, bool) or not 1 <= timeout <= MAX_TIMEOUT_SECS:
        raise _invalid(f"timeout `{timeout}` is not a number of seconds from 1 to {MAX_TIMEOUT_SECS}")
    return timeout


def _order(body: dict[str, Any]) -> bool | None:
    in_order = body.get("order")
    if not isinstance(in_order, bool | None):
        raise _invalid(f"order `{in_order}` is not true or false")
    return in_order


def _invalid(message: str) -> ApiError:
    return ApiError(400, "ParameterInvalid", message)


_GROUPS = "/logstores/{logstore}/consumergroups"
_GROUP = _GROUPS + "/{group}"
ROUTES = (
    Route("POST", _GROUPS, "log:CreateConsumerGroup", create_group),
    Route("GET", _GROUPS, "log:ListConsumerGroup", list_groups),
    Route("PUT", _GROUP, "log:UpdateConsumerGroup", update_group),
    Route("DELETE", _GROUP, "log:DeleteConsumerGroup", delete_group),
    Route("POST", _GROUP, "log:ConsumerGroupHeartBeat", heartbeat, match={"type": "heartbeat"}),
    Route("POST", _GROUP, "log:ConsumerGroupUpdateCheckPoint", set_checkpoint, match={"type": "checkpoint"}),
    Route("GET", _GROUP, "log:GetConsumerGroupCheckPoint", get_checkpoints),
)
