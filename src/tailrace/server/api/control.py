"""What agents ask over their own certificate: version 2 of the ConfigServer protocol (`wire.control`), and results of commands.

A refusal of the caller is an HTTP error with our JSON body, as everywhere; one of a message has the protocol's own status. Ten thousand
agents beat a thousand times in a second: what they ask goes past the framework that everything else is served by.
"""

import sys
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tailrace.errors import ApiError, TailraceError
from tailrace.server.api.answer import answer_crash, as_api_error, error_response
from tailrace.server.api.call import Services
from tailrace.server.api.protocol import PEER_CERTIFICATE
from tailrace.server.api.request import read_body
from tailrace.server.db.records import Agent
from tailrace.server.fleet.fleet import peer_certificate
from tailrace.wire.commands import MAX_RESULT_BYTES, RESULT_PATH
from tailrace.wire.control import (
    CommonResponse,
    FetchConfigRequest,
    FetchConfigResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    decode,
    encode,
)
from tailrace.wire.protobuf import WireError

PROTOBUF = b"application/x-protobuf"
LONGEST_WAIT_SECS = 50.0
BAD_REQUEST = 400

Answer = tuple[int, bytes]
"""Status and body."""
Handler = Callable[[Services, Agent, Scope, Receive], Awaitable[Answer]]


class Control:
    """An ASGI application that answers what agents ask, and leaves everything else to `app`."""

    def __init__(self, services: Services, app: ASGIApp) -> None:
        self._services = services
        self._app = app
        self._guarded = ServerErrorMiddleware(self._answer, handler=answer_crash)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._guarded if scope["type"] == "http" and _handler(scope) is not None else self._app
        await app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = _handler(scope)
        assert handler is not None
        try:
            der = scope.get("state", {}).get(PEER_CERTIFICATE)
            if der is None:
                raise ApiError(401, "Unauthorized", "the agent has shown no certificate")
            agent = self._services.fleet.admitted(peer_certificate(der))
            status, body = await handler(self._services, agent, scope, receive)
        except TailraceError as error:
            await error_response(as_api_error(error))(scope, receive, send)
            return
        headers = [(b"content-type", PROTOBUF), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _handler(scope: Scope) -> Handler | None:
    if scope["method"] != "POST":
        return None
    path: str = scope["path"]
    return HANDLERS.get(path) or (keep_result if path.startswith(f"{RESULT_PATH}/") else None)


async def heartbeat(services: Services, agent: Agent, scope: Scope, receive: Receive) -> Answer:
    """With `wait=SECS` in its query, a beat to which there is nothing to say is answered when there is something, or after that time."""
    try:
        beat = decode(HeartbeatRequest, await _body(services, scope, receive))
    except WireError as error:
        return BAD_REQUEST, encode(HeartbeatResponse(common_response=CommonResponse(BAD_REQUEST, str(error).encode())))
    if secs := _wait_secs(scope["query_string"]):
        return 200, encode(await services.heartbeats.held(agent.id, beat, secs))
    return 200, encode(services.heartbeats.answer(agent.id, beat))


async def fetch_config(services: Services, agent: Agent, scope: Scope, receive: Receive) -> Answer:
    try:
        asked = decode(FetchConfigRequest, await _body(services, scope, receive))
    except WireError as error:
        return BAD_REQUEST, encode(FetchConfigResponse(common_response=CommonResponse(BAD_REQUEST, str(error).encode())))
    return 200, encode(services.heartbeats.fetch(agent.id, asked))


async def keep_result(services: Services, agent: Agent, scope: Scope, receive: Receive) -> Answer:
    """Keeps what a command has brought forth, where it is more than a sentence."""
    command = scope["path"].removeprefix(f"{RESULT_PATH}/")
    await services.commands.keep_result(agent.id, command, await _body(services, scope, receive, MAX_RESULT_BYTES))
    return 200, b""


HANDLERS: dict[str, Handler] = {"/Agent/Heartbeat": heartbeat, "/Agent/FetchConfig": fetch_config}


def _wait_secs(query: bytes) -> float:
    text = parse_qs(query.decode("latin-1")).get("wait", [""])[0] if query else ""
    return min(float(text), LONGEST_WAIT_SECS) if text.isascii() and text.isdigit() and len(text) < 5 else 0.0


async def _body(services: Services, scope: Scope, receive: Receive, most: int = sys.maxsize) -> bytes:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return await read_body(headers, receive, min(most, services.settings.max_control_bytes))
