"""Puts every request of `/api/v1` that changes something into the audit log, with what stood and stands at its path, if that can be read,
else with its answer. A route that knows more calls `changed` (`server.db.changes`)."""

import json
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tailrace.server.api.request import peer_of
from tailrace.server.audit.audit import Audit
from tailrace.server.auth.principal import Principal
from tailrace.server.db.changes import DONE, Change

READING: Final = ("GET", "HEAD", "OPTIONS")
REPLACING: Final = ("PUT", "PATCH", "DELETE")


class Recorded:
    """Stands behind `Signed`, which leaves who asks, and what, in the scope's state."""

    def __init__(self, app: ASGIApp, *, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        change = self._change(scope)
        if scope["method"] in REPLACING:
            change.before = await self._look(scope)
        answer = _Answer(send)
        async with self._audit.recording(change):
            await self._app(scope, receive, answer)
            change.outcome = answer.outcome
            if change.after is None and scope["method"] in REPLACING and answer.outcome == DONE:
                change.after = await self._look(scope)
            elif change.after is None and scope["method"] == "POST" and answer.outcome == DONE:
                change.after = answer.document

    def _change(self, scope: Scope) -> Change:
        caller: Principal | None = scope["state"].get("principal")
        return Change(
            caller.who if caller is not None else "",
            key_id=caller.key_id if caller is not None else "",
            address=peer_of(scope),
            request_id=scope["state"].get("request_id", ""),
            resource=scope["path"],
            asked=_document(scope["state"].get("body", b"")),
        )

    async def _look(self, scope: Scope) -> Any:
        """What the caller may read at the same path; None where that is nothing."""
        answer = _Answer(None)
        looking = {**scope, "method": "GET", "query_string": b"", "state": dict(scope["state"])}
        await self._app(looking, _nothing, answer)
        return answer.document if answer.outcome == DONE else None


class _Answer:
    """Passes an answer on, if there is somebody to pass it to, and remembers it."""

    def __init__(self, send: Send | None) -> None:
        self._send = send
        self._status = 500
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
        if self._send is not None:
            await self._send(message)

    @property
    def document(self) -> Any:
        return _document(self._body)

    @property
    def outcome(self) -> str:
        if self._status < 300:
            return DONE
        document = self.document
        return str(document.get("errorCode") if isinstance(document, dict) else self._status)


def _document(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return None


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
