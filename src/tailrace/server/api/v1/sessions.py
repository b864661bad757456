"""Logging in and out."""

import time
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.request import peer_of
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.auth.passwords import LONGEST
from tailrace.server.auth.sessions import COOKIE, csrf_token, token_of
from tailrace.server.auth.tls import is_loopback
from tailrace.server.db.changes import asked_for, changed

router = APIRouter(prefix="/sessions", tags=["users"])


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(max_length=64)]
    password: Annotated[str, StringConstraints(max_length=LONGEST)]


class LoggedIn(BaseModel):
    """A new session. The token goes into `Authorization: Bearer …`; browsers have it in a cookie as well."""

    user: str
    token: str = Field(description="Shown this once.")
    csrf_token: str = Field(description="For the header `x-tailrace-csrf`, where the token is in a cookie.")
    expires: int = Field(description="Unix seconds.")


class Self(BaseModel):
    """Who asks."""

    user: str
    key_id: str
    roles: dict[str, str] = Field(description="Project → reader, operator or admin; `*` stands for all projects and the server.")
    csrf_token: str = Field(description="Of a session, for the header `x-tailrace-csrf`; empty of a key.")


@router.post("")
async def log_in(login: Login, request: Request, response: Response, server: Server) -> LoggedIn:
    """Make a session of a name and a password: over TLS, or on the server's own machine."""
    address = peer_of(request.scope)
    secure = request.scope["scheme"] == "https"
    if not secure and not is_loopback(address):
        raise ApiError(403, "TlsRequired", "passwords are taken over TLS only")
    token, session = await server.sessions.login(login.name, login.password, address)
    asked_for("tailrace:Login", "", f"session {session.id}")
    changed(who=login.name)
    lives = max(1, session.expires - int(time.time()))
    response.set_cookie(COOKIE, token, max_age=lives, path="/api/v1", secure=secure, httponly=True, samesite="strict")
    return LoggedIn(user=session.user, token=token, csrf_token=csrf_token(token), expires=session.expires)


@router.get("/current")
async def who_am_i(caller: Caller, request: Request) -> Self:
    """Who asks, and what they may do."""
    authorize(caller, "tailrace:GetSelf", Resource())
    token, _ = token_of(request.headers)
    roles = {"*": "admin"} if caller.kind == "admin" else dict(caller.roles)
    return Self(user=caller.user, key_id=caller.key_id, roles=roles, csrf_token=csrf_token(token) if token else "")


@router.delete("/current")
async def log_out(caller: Caller, response: Response, server: Server) -> None:
    """End the session that asks."""
    authorize(caller, "tailrace:Logout", Resource())
    if not caller.key_id.startswith("session "):
        raise ApiError(400, "ParameterInvalid", "a key is no session: revoke it")
    await server.accounts.end_sessions(caller.user, lambda one: f"session {one.id}" == caller.key_id)
    response.delete_cookie(COOKIE, path="/api/v1")
