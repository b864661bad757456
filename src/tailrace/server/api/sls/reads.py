"""Reading logs: GetLogs in its two forms, and GetHistograms (sls-api §2.2 to §2.4)."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from tailrace.server.api.call import Call, Response, Route, json_response
from tailrace.server.api.sls.connected import while_connected
from tailrace.server.api.sls.parameters import page_of, queries_of, window_of
from tailrace.server.auth.authorize import Resource, is_allowed
from tailrace.server.query.service import Answer, Counts
from tailrace.server.store.port import TableSpec

T = TypeVar("T")
COMPLETE, INCOMPLETE = "Complete", "Incomplete"
SCAN, SCAN_SQL = 2, 3
READ = "log:GetLogStoreLogs"


async def get_logs(call: Call) -> Response:
    """The new form: parameters and answer as JSON, the answer perhaps compressed."""
    answer = await _ask(call, call.json_object())
    mode = _mode(answer)
    meta = {
        "progress": _progress(answer),
        "count": len(answer.rows),
        "processedRows": answer.read_rows,
        "processedBytes": answer.read_bytes,
        "elapsedMillisecond": _milliseconds(answer),
        "hasSQL": answer.sql is not None,
        "whereQuery": answer.search,
        "aggQuery": answer.sql or "",
        "cpuSec": 0.0,
        "cpuCores": 0,
        "mode": mode,
        "keys": answer.keys,
        "columnTypes": answer.types,
        "terms": [],
        "limited": 0,
        "powerSql": False,
        "isAccurate": not answer.partial,
        "insertedSQL": "",
        "highlights": [],
        "marker": "",
        "telementryType": "",  # sic
        "scanBytes": answer.read_bytes if mode else 0,
        "unindexed": answer.unindexed,
    }
    return await asyncio.to_thread(json_response, {"meta": meta, "data": answer.rows}, compression=call.accept_compression)


async def get_logs_old(call: Call) -> Response:
    """The old form: parameters in the query, rows in the body, all else in headers."""
    return await asyncio.to_thread(_with_headers, await _ask(call, call.query))


async def get_project_logs(call: Call) -> Response:
    """SQL over the logstores of the project; the answer is that of the old form."""
    query = call.query.get("query", "")
    queries = queries_of(call, call.query)
    answer = await while_connected(call, queries.analyse_project(_readable(call, query), query))
    return await asyncio.to_thread(_with_headers, answer)


def _with_headers(answer: Answer) -> Response:
    mode = _mode(answer)
    info: dict[str, object] = {"keys": answer.keys, "terms": [], "limited": "0", "mode": mode, "isAccurate": int(not answer.partial)}
    if mode:
        info["scanBytes"], info["unindexed"] = answer.read_bytes, answer.unindexed
    headers = {
        "x-log-progress": _progress(answer),
        "x-log-count": str(len(answer.rows)),
        "x-log-processed-rows": str(answer.read_rows),
        "x-log-processed-bytes": str(answer.read_bytes),
        "x-log-elapsed-millisecond": str(_milliseconds(answer)),
        "x-log-has-sql": "true" if answer.sql is not None else "false",
        "x-log-cpu-sec": "0",
        "x-log-cpu-cores": "0",
        "x-log-query-info": json.dumps(info),
        **_query_headers(answer),
    }
    return json_response(answer.rows, headers=headers)


async def get_histograms(call: Call) -> Response:
    """Counts over equal intervals that cover the range; the same range is always cut in the same way."""
    window = window_of(call.query)
    logstore = call.logstore()
    found = await while_connected(call, queries_of(call).histogram(logstore.table, call.query.get("query", ""), window))
    progress = _progress(found)
    data = [{"from": each.start, "to": each.end, "count": each.count, "progress": progress} for each in found.intervals]
    total = sum(each.count for each in found.intervals)
    return json_response(data, headers={"x-log-progress": progress, "x-log-count": str(total)})


ROUTES = (
    Route("POST", "/logstores/{logstore}/logs", READ, get_logs),
    Route("GET", "/logstores/{logstore}", READ, get_logs_old, match={"type": "log"}),
    Route("GET", "/logs", "log:GetProjectLogs", get_project_logs),
    Route("GET", "/logstores/{logstore}", "log:GetLogStoreHistogram", get_histograms, match={"type": "histogram"}),
    Route("GET", "/logstores/{logstore}/index", "log:GetLogStoreHistogram", get_histograms, match={"type": "histogram"}),  # Java's place
)


async def _ask(call: Call, parameters: Mapping[str, Any]) -> Answer:
    window, page = window_of(parameters), page_of(parameters)
    logstore = call.logstore()
    query = str(parameters.get("query") or "")
    queries = queries_of(call, parameters)
    return await while_connected(call, queries.ask(logstore.table, logstore.name, query, window, page, others=_readable(call, query)))


def _readable(call: Call, query: str) -> dict[str, TableSpec]:
    """The logstores of the project that a query may mean: those that its text names, as far as the caller may read them."""
    project, text = call.require_project().name, query.lower()
    return {
        each.name: each.table
        for each in call.catalog.logstores(project)
        if each.name in text and is_allowed(call.principal, READ, Resource(project, each.name))
    }


def _progress(answer: Answer | Counts) -> str:
    return INCOMPLETE if answer.partial else COMPLETE


def _mode(answer: Answer) -> int:
    """That of a search in which no index helped with a field, with and without SQL behind it (sls-api §2.2)."""
    if not answer.unindexed:
        return 0
    return SCAN if answer.sql is None else SCAN_SQL


def _milliseconds(answer: Answer) -> int:
    return round(answer.elapsed * 1000)


def _query_headers(answer: Answer) -> dict[str, str]:
    """Both halves of the query, where a header can hold them."""
    both = {"x-log-where-query": answer.search, "x-log-agg-query": answer.sql or ""}
    return {name: text for name, text in both.items() if text.isascii() and text.isprintable()}
