"""Join tokens: what lets an agent in."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize, is_allowed
from tailrace.server.db.records import ALL_LOGSTORES, Token
from tailrace.server.fleet.tokens import new_token

router = APIRouter(prefix="/tokens", tags=["agents"])

Logstore = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_-]{0,61}[a-z0-9]|\*)$")]


class NewToken(BaseModel):
    """What a token is for."""

    model_config = ConfigDict(extra="forbid")

    project: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
    logstores: list[Logstore] = Field(default=list(ALL_LOGSTORES), min_length=1, max_length=1000, description="`*` stands for all.")
    uses: int | None = Field(1, ge=1, le=1_000_000, description="How many agents may join with it; null is any number.")
    expires_secs: int = Field(86_400, ge=1, le=31_536_000, description="How long it is valid.")
    note: Annotated[str, StringConstraints(max_length=255)] = ""


class KnownToken(BaseModel):
    """A token without its secret. Times are Unix seconds."""

    id: str
    project: str
    logstores: list[str]
    note: str
    state: Literal["valid", "used up", "expired", "revoked"]
    uses_left: int | None
    used: int
    created: int
    expires: int


class MadeToken(KnownToken):
    token: str = Field(description="The token itself, shown this once.")
    addresses: list[str] = Field(description="Where agents reach this server, the best address first.")


@router.post("")
async def create(wanted: NewToken, caller: Caller, server: Server) -> MadeToken:
    """Make a join token."""
    authorize(caller, "tailrace:CreateToken", Resource(wanted.project))
    if server.catalog.project(wanted.project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {wanted.project}")
    now = int(time.time())
    token, shown = new_token(
        wanted.project,
        ALL_LOGSTORES if "*" in wanted.logstores else sorted(set(wanted.logstores)),
        uses=wanted.uses,
        expires=now + wanted.expires_secs,
        now=now,
        fingerprint=server.authority.signer.fingerprint,
        note=wanted.note,
    )
    await server.roster.put_token(token)
    return MadeToken(**_known(token, now).model_dump(), token=shown.text, addresses=list(server.addresses))


@router.get("")
async def tokens(caller: Caller, server: Server) -> list[KnownToken]:
    """The tokens of the caller's projects, the newest first."""
    authorize(caller, "tailrace:GetSelf", Resource())
    now = int(time.time())
    return [_known(one, now) for one in server.roster.tokens() if is_allowed(caller, "tailrace:ListTokens", Resource(one.project))]


@router.post("/{token_id}/revoke")
async def revoke(token_id: str, caller: Caller, server: Server) -> KnownToken:
    """Nobody joins with it any more; who has joined stays."""
    known = server.roster.token(token_id)
    authorize(caller, "tailrace:RevokeToken", Resource(known.project if known is not None else ""))
    now = int(time.time())
    return _known(await server.roster.revoke_token(token_id, now), now)


def _known(token: Token, now: int) -> KnownToken:
    return KnownToken(
        id=token.id,
        project=token.project,
        logstores=list(token.logstores),
        note=token.note,
        state=_state(token, now),
        uses_left=token.uses_left,
        used=token.used,
        created=token.created,
        expires=token.expires,
    )


def _state(token: Token, now: int) -> Literal["valid", "used up", "expired", "revoked"]:
    if token.revoked is not None:
        return "revoked"
    if token.uses_left == 0:
        return "used up"
    return "expired" if token.expires <= now else "valid"
