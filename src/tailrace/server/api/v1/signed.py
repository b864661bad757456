"""Lets only requests of known callers through to `/api/v1`: signed ones, and those of a session; with their bodies read within the bound of
control requests.

A few paths are open: they describe and hold no data, or they know their callers otherwise, by a join token or a client certificate.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tailrace.errors import TailraceError
from tailrace.server.api.answer import as_api_error, error_response
from tailrace.server.api.call import Services
from tailrace.server.api.request import read_body, read_head
from tailrace.server.auth.authenticate import Authenticator
from tailrace.server.auth.principal import Principal
from tailrace.server.auth.sessions import Sessions, check_csrf, token_of
from tailrace.wire.signature import SignedRequest

OPEN_PATHS = frozenset({"/openapi.json", "/roots", "/agents/enrol", "/agents/keys", "/agents/self", "/sessions"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_OPEN_BYTES = 65_536


class Signed:
    """Authenticates on the headers, reads the body, compares its hash, and hands both on."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, sessions: Sessions, max_body_bytes: int) -> None:
        self._app = app
        self._sessions = sessions
        self._authenticator = authenticator
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            head = read_head(scope)
            token, by_browser = token_of(head.headers)
            if _is_open(scope) and "authorization" not in head.headers:
                body = await read_body(head.headers, receive, MAX_OPEN_BYTES)
            elif token:
                scope["state"]["principal"] = self._of_session(head, token, by_browser=by_browser)
                scope["state"]["principal_by_now"] = partial(self._sessions.principal, token)
                body = await read_body(head.headers, receive, self._max_body_bytes)
            else:
                scope["state"]["principal"], body = await self._signed(head, receive)
                scope["state"]["principal_by_now"] = partial(self._authenticator.again, scope["state"]["principal"].key_id)
            scope["state"]["body"] = body
        except TailraceError as error:
            await error_response(as_api_error(error))(scope, receive, send)
            return
        await self._app(scope, _body_first(body, receive), send)

    async def _signed(self, head: SignedRequest, receive: Receive) -> tuple[Principal, bytes]:
        principal, authorization = self._authenticator.authenticate(head)
        body = await read_body(head.headers, receive, self._max_body_bytes)
        self._authenticator.check_body(head, body, authorization)
        return principal, body

    def _of_session(self, head: SignedRequest, token: str, *, by_browser: bool) -> Principal:
        principal = self._sessions.principal(token)
        if by_browser and head.method not in READING:
            check_csrf(token, head.headers)
        return principal


def _is_open(scope: Scope) -> bool:
    return scope["path"].removeprefix(scope.get("root_path", "")) in OPEN_PATHS


def _body_first(body: bytes, receive: Receive) -> Receive:
    """The body was taken off the wire: give it once, then go on with what comes."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return pending.pop() if pending else await receive()

    return next_message


def principal_of(request: Request) -> Principal:
    """Who signed the request."""
    return request.state.principal


def principal_by_now(request: Request) -> Callable[[], Principal]:
    """Who signed the request, with what they may do by now: for answers that last. Raises ApiError 401 once key or session are gone."""
    return request.state.principal_by_now


def services_of(request: Request) -> Services:
    """The running server's parts."""
    return request.app.state.services


def possible_principal(request: Request) -> Principal | None:
    """Who signed a request on an open path; None when nobody did."""
    return getattr(request.state, "principal", None)


Caller = Annotated[Principal, Depends(principal_of)]
CallerByNow = Annotated[Callable[[], Principal], Depends(principal_by_now)]
PossibleCaller = Annotated[Principal | None, Depends(possible_principal)]
Server = Annotated[Services, Depends(services_of)]
