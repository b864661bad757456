"""Shards: list, split, merge (sls-api §2.6)."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response
from tailrace.server.api.sls.parameters import hash_key, number, queries_of
from tailrace.server.db import sharding
from tailrace.server.db.records import Shard
from tailrace.server.query.pulling import ShardReader


async def list_shards(call: Call) -> Response:
    logstore = call.logstore()
    return _answer(sharding.readable(logstore.shards, logstore.ttl, int(time.time())))


async def split_shard(call: Call) -> Response:
    """At `key`, or without one into `shardCount` even parts, two by default."""
    logstore, shard = call.logstore(), shard_of(call)
    if call.query.get("key"):
        keys = [hash_key(call.query["key"])]
    else:
        count = number(call.query, "shardCount", 2, "ParameterInvalid")
        if not 2 <= count <= sharding.MAX_WRITABLE:
            raise ApiError(400, "ParameterInvalid", f"`shardCount` is {count}: it has to be from 2 to {sharding.MAX_WRITABLE}")
        keys = sharding.even_keys(logstore.shards, shard.id, count)
    return _answer(await call.catalog.split_shard(logstore.project, logstore.name, shard.id, keys))


async def merge_shards(call: Call) -> Response:
    logstore = call.logstore()
    return _answer(await call.catalog.merge_shard(logstore.project, logstore.name, shard_of(call).id))


def shard_of(call: Call) -> Shard:
    """The one that the path names. Raises ApiError 400 ShardNotExist."""
    logstore, text = call.logstore(), call.parameters["shard"]
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    shard = next((each for each in logstore.shards if each.id == wanted), None)
    if shard is None:
        raise ApiError(400, "ShardNotExist", f"logstore `{logstore.name}` has no shard `{text[:20]}`")
    return shard


def reader_of(call: Call, shard: int) -> ShardReader:
    table = call.logstore().table
    return ShardReader(table, shard, queries_of(call).run, partial(call.store.frontier, table.logstore, shard))


def _answer(shards: Sequence[Shard]) -> Response:
    return json_response([_document(shard) for shard in shards])


def _document(shard: Shard) -> dict[str, Any]:
    return {
        "shardID": shard.id,
        "status": shard.status,
        "inclusiveBeginKey": shard.begin,
        "exclusiveEndKey": shard.end,
        "createTime": shard.created,
    }


_SHARD = "/logstores/{logstore}/shards/{shard}"
ROUTES = (
    Route("GET", "/logstores/{logstore}/shards", "log:ListShards", list_shards),
    Route("POST", _SHARD, "log:SplitShard", split_shard, match={"action": "split"}),
    Route("POST", _SHARD, "log:MergeShards", merge_shards, match={"action": "merge"}),
)
