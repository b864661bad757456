"""Reading a shard group by group, and the events around one: cursors, PullLogs, GetContextLogs, ListTopics (sls-api §2.4, §2.5)."""

import asyncio

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, bytes_response, json_response
from tailrace.server.api.sls.connected import while_connected
from tailrace.server.api.sls.parameters import number, queries_of
from tailrace.server.api.sls.shards import reader_of, shard_of
from tailrace.server.query import context
from tailrace.server.query.pulling import Pulled, ShardReader
from tailrace.server.query.spl.program import Program

MAX_GROUPS = 1000
MAX_TOPICS = 100


async def get_cursor(call: Call) -> Response:
    """`from` is `begin`, `end` or a time of receipt."""
    reader, wanted = _reader(call), call.query.get("from", "")
    if wanted == "begin":
        cursor = reader.begin()
    elif wanted == "end":
        cursor = reader.end()
    else:
        cursor = reader.since(number(call.query, "from", None, "ParameterInvalid"))
    return json_response({"cursor": await while_connected(call, cursor)})


async def get_cursor_time(call: Call) -> Response:
    return json_response({"cursor_time": await while_connected(call, _reader(call).received_at(call.query.get("cursor", "")))})


async def pull_logs(call: Call) -> Response:
    """Whole log groups as they were written, or what `query` leaves of them; the answer says where to go on."""
    if call.query.get("processor"):
        raise ApiError(400, "ParameterInvalid", "this server keeps no `processor`: say what it does in `query`")
    program = await asyncio.to_thread(Program, call.query["query"]) if call.query.get("query") else None
    count = number(call.query, "count", MAX_GROUPS, "ParameterInvalid")
    if not 1 <= count <= MAX_GROUPS:
        raise ApiError(400, "ParameterInvalid", f"`count` is {count}: it has to be from 1 to {MAX_GROUPS}")
    cursor, end_cursor = call.query.get("cursor", ""), call.query.get("end_cursor", "")
    pulled = await while_connected(call, _reader(call).pull(cursor, count, end_cursor, program))
    return await asyncio.to_thread(_pulled, call, pulled)


def _pulled(call: Call, pulled: Pulled) -> Response:
    """Some MB to be put together and compressed."""
    headers = {"x-log-cursor": pulled.next, "x-log-count": str(len(pulled.groups))}
    if pulled.read is not None:
        headers |= {
            "x-log-rawdatacount": str(pulled.read.groups),
            "x-log-rawdatasize": str(pulled.read.size),
            "x-log-rawdatalines": str(pulled.read.lines),
            "x-log-resultlines": str(pulled.read.kept),
            "x-log-failedlines": str(pulled.read.failed),
        }
    return bytes_response(pulled.body, "application/x-protobuf", headers=headers, compression=call.accept_compression)


async def get_context_logs(call: Call) -> Response:
    place = context.Place.parse(call.query.get("pack_id", ""), call.query.get("pack_meta", ""))
    back, forward = (number(call.query, name, 0, "ParameterInvalid") for name in ("back_lines", "forward_lines"))
    found = await while_connected(call, context.around(queries_of(call).run, call.logstore().table, place, back, forward))
    counts = {"total_lines": len(found.events), "back_lines": found.before, "forward_lines": found.after}
    return await asyncio.to_thread(json_response, {"progress": "Complete", **counts, "logs": found.events})


async def list_topics(call: Call) -> Response:
    """Page by page: the token is the last name of the page before."""
    count = min(max(number(call.query, "line", MAX_TOPICS, "InvalidLine"), 1), MAX_TOPICS)
    topics = await while_connected(call, queries_of(call).topics(call.logstore().table, call.query.get("token", ""), count))
    token = topics[-1] if len(topics) == count else ""
    return json_response(topics, headers={"x-log-count": str(len(topics)), "x-log-nexttoken": token if token.isascii() else ""})


def _reader(call: Call) -> ShardReader:
    return reader_of(call, shard_of(call).id)


_SHARD = "/logstores/{logstore}/shards/{shard}"
ROUTES = (
    Route("GET", _SHARD, "log:GetCursorOrData", get_cursor, match={"type": "cursor"}),
    Route("GET", _SHARD, "log:GetCursorOrData", get_cursor_time, match={"type": "cursor_time"}),
    Route("GET", _SHARD, "log:GetCursorOrData", pull_logs, match={"type": "log"}),
    Route("GET", _SHARD, "log:GetCursorOrData", pull_logs, match={"type": "logs"}),  # as the Go SDK has it
    Route("GET", "/logstores/{logstore}", "log:GetLogStoreLogs", get_context_logs, match={"type": "context_log"}),
    Route("GET", "/logstores/{logstore}", "log:GetLogStoreLogs", list_topics, match={"type": "topic"}),
)
