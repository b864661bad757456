"""What agents ask over their own certificate: version 2 of the ConfigServer protocol (`wire.control`), and a long wait for changes.

A refusal of the caller is an HTTP error with our JSON body, as everywhere; one of a message has the protocol's own status.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tailrace.errors import ApiError, TailraceError
from tailrace.server.api.answer import as_api_error, error_response
from tailrace.server.api.call import Services
from tailrace.server.api.protocol import PEER_CERTIFICATE
from tailrace.server.api.request import read_body
from tailrace.server.db.records import Agent
from tailrace.server.fleet.fleet import peer_certificate
from tailrace.server.fleet.waking import subjects_of
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

PROTOBUF = "application/x-protobuf"
LONGEST_WAIT_SECS = 50.0
BAD_REQUEST = 400

Handler = Callable[[Services, Agent, Request], Awaitable[Response]]


def routes(services: Services) -> list[Route]:
    return [
        Route("/Agent/Heartbeat", partial(_known, services, heartbeat), methods=["POST"]),
        Route("/Agent/FetchConfig", partial(_known, services, fetch_config), methods=["POST"]),
        Route("/agent/v1/wait", partial(_known, services, wait), methods=["GET"]),
        Route(f"{RESULT_PATH}/{{command}}", partial(_known, services, keep_result), methods=["POST"]),
    ]


async def heartbeat(services: Services, agent: Agent, request: Request) -> Response:
    try:
        beat = decode(HeartbeatRequest, await _body(services, request))
    except WireError as error:
        return _protobuf(HeartbeatResponse(common_response=CommonResponse(BAD_REQUEST, str(error).encode())), BAD_REQUEST)
    return _protobuf(services.heartbeats.answer(agent.id, beat))


async def fetch_config(services: Services, agent: Agent, request: Request) -> Response:
    try:
        asked = decode(FetchConfigRequest, await _body(services, request))
    except WireError as error:
        return _protobuf(FetchConfigResponse(common_response=CommonResponse(BAD_REQUEST, str(error).encode())), BAD_REQUEST)
    return _protobuf(services.heartbeats.fetch(agent.id, asked))


async def wait(services: Services, agent: Agent, request: Request) -> Response:
    """Answers with the state of the agent's projects as soon as it is not `since` any more, after `secs` at the latest."""
    subjects = subjects_of(agent.id, [grant.project for grant in services.roster.grants(agent.id)])
    text = request.query_params.get("secs", "")
    secs = min(float(text), LONGEST_WAIT_SECS) if text.isascii() and text.isdigit() and len(text) < 5 else LONGEST_WAIT_SECS
    state = await services.waking.wait(subjects, request.query_params.get("since", ""), secs)
    return PlainTextResponse(state)


async def keep_result(services: Services, agent: Agent, request: Request) -> Response:
    """Keeps what a command has brought forth, where it is more than a sentence."""
    await services.commands.keep_result(agent.id, request.path_params["command"], await _body(services, request, MAX_RESULT_BYTES))
    return PlainTextResponse("")


async def _known(services: Services, handler: Handler, request: Request) -> Response:
    try:
        der = getattr(request.state, PEER_CERTIFICATE, None)
        if der is None:
            raise ApiError(401, "Unauthorized", "the agent has shown no certificate")
        return await handler(services, services.fleet.admitted(peer_certificate(der)), request)
    except TailraceError as error:
        return error_response(as_api_error(error))


async def _body(services: Services, request: Request, most: int = sys.maxsize) -> bytes:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return await read_body(headers, request.receive, min(most, services.settings.max_control_bytes))


def _protobuf(message: object, status: int = 200) -> Response:
    return Response(encode(message), status, media_type=PROTOBUF)
