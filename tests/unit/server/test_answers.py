"""What a client sees when something fails inside, and how slow or broken bodies end."""

import asyncio
import json
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tailrace.errors import ApiError, BusyError, EngineError
from tailrace.server.api import request as request_module
from tailrace.server.api.answer import Answering, answer_crash, as_api_error
from tailrace.server.api.request import memory_of, query_values, read_body, read_head


async def crash(_request: Request) -> Response:
    raise RuntimeError("the secret inside")


async def call(app: Any, path: str) -> list[dict[str, Any]]:
    """The messages that the application sends."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
    try:
        await app(scope, receive, send)
    except RuntimeError:
        sent.append({"type": "raised"})
    return sent


async def test_what_nobody_foresaw_is_500_with_its_request_id_and_without_details() -> None:
    app = Answering(Starlette(routes=[Route("/", crash)], exception_handlers={Exception: answer_crash}))
    start, body, raised = await call(app, "/")
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert start["status"] == 500
    assert len(headers["x-log-requestid"]) == 24
    assert json.loads(body["body"])["errorCode"] == "InternalServerError"
    assert b"secret" not in body["body"]
    assert raised["type"] == "raised"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ApiError(404, "LogStoreNotExist", "x"), 404, "LogStoreNotExist"),
        (BusyError("full"), 503, "ServerBusy"),
        (EngineError("Code: 241. secret table ls_7"), 500, "InternalServerError"),
    ],
)
def test_our_own_errors_become_codes_that_clients_know(error: Any, status: int, code: str) -> None:
    answer = as_api_error(error)
    assert (answer.status, answer.error_code) == (status, code)
    assert "ls_7" not in answer.message


def body_in(*parts: bytes, then: dict[str, Any] | None = None) -> Any:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append(then or {"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Any:
        return messages.pop(0)

    return receive


async def test_a_body_comes_in_parts() -> None:
    assert await read_body({"content-length": "6"}, body_in(b"abc", b"def"), 6) == b"abcdef"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"content-length": "7"}, 400, "PostBodyTooLarge"),
        ({"content-length": "six"}, 400, "ParameterInvalid"),
        ({"transfer-encoding": "chunked"}, 411, "MissingContentLength"),
    ],
)
async def test_a_body_is_refused_before_it_is_read(headers: dict[str, str], status: int, code: str) -> None:
    async def receive() -> Any:
        raise AssertionError("read")

    with pytest.raises(ApiError) as caught:
        await read_body(headers, receive, 6)
    assert (caught.value.status, caught.value.error_code) == (status, code)


async def test_a_body_that_breaks_off_is_no_body() -> None:
    with pytest.raises(ApiError, match="in the middle of the body"):
        await read_body({"content-length": "6"}, body_in(b"abc", then={"type": "http.disconnect"}), 6)


async def test_a_body_that_comes_too_slowly_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "BODY_SECS", 0.01)

    async def receive() -> Any:
        await asyncio.sleep(30)

    with pytest.raises(ApiError) as caught:
        await read_body({"content-length": "6"}, receive, 6)
    assert caught.value.error_code == "RequestTimeout"


def test_a_claim_of_memory_is_bounded() -> None:
    assert memory_of({"content-length": "10", "x-log-bodyrawsize": "50"}, 1000) == 60
    assert memory_of({"content-length": "10", "x-log-bodyrawsize": "9" * 18}, 1000) == 1010
    assert memory_of({"content-length": "10", "x-log-bodyrawsize": "lots"}, 1000) == 10


def test_a_head_is_read_as_it_was_sent() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/logstores/a b",
        "raw_path": b"/logstores/a%20b",
        "query_string": b"query=a%3D1+and&empty=&query=%E6%97%A5&bad=%ff",
        "headers": [(b"Host", b"web.localhost"), (b"x-log-apiversion", b"0.6.0")],
    }
    head = read_head(scope)
    assert (head.path, head.headers["host"]) == ("/logstores/a%20b", "web.localhost")
    assert query_values(head.query) == {"query": "日", "empty": "", "bad": "\ufffd"}
    with pytest.raises(ApiError, match="stands twice"):
        read_head({**scope, "headers": [(b"host", b"a"), (b"Host", b"b")]})
