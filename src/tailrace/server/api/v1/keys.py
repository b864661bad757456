"""Access keys of people and programs. Those of agents are made by the server and are not told here."""

import time
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize, is_allowed
from tailrace.server.auth.keys import new_secret, new_user_key
from tailrace.server.auth.principal import Principal
from tailrace.server.db.records import Key

router = APIRouter(prefix="/keys", tags=["users"])

KeyId = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{1,64}$")]
ProjectScope = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9-]{1,61}[a-z0-9])?$")]
LogstoreName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$")]
Action = Annotated[str, StringConstraints(pattern=r"^(log|tailrace|\*):?[A-Za-z*]{0,64}$")]


class NewKey(BaseModel):
    """What a key is for. It belongs to a user and may do no more than they; or it has a role of its own, for a program."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, StringConstraints(max_length=64)] = ""
    role: Literal["", "reader", "operator", "admin"] = ""
    project: ProjectScope = Field("", description="The only project that it reaches; empty: all.")
    logstores: list[LogstoreName] = Field(default_factory=list, max_length=1000, description="The only logstores that it reaches.")
    actions: list[Action] = Field(default_factory=list, max_length=100, description="The only actions: `log:Get*`; none: as the role says.")
    expires_secs: int | None = Field(None, ge=1, le=315_360_000, description="How long it is valid; null: until it is revoked.")
    note: Annotated[str, StringConstraints(max_length=255)] = ""


class KnownKey(BaseModel):
    """A key without its secret. Times are Unix seconds."""

    id: str
    kind: Literal["admin", "user"]
    user: str
    role: str
    project: str
    logstores: list[str]
    actions: list[str]
    note: str
    created: int
    expires: int | None


class MadeKey(KnownKey):
    key_secret: str = Field(description="Shown this once.")


@router.get("")
async def keys(caller: Caller, server: Server) -> list[KnownKey]:
    """Those that the caller may revoke, the newest first: all, those of a project, or their own."""
    authorize(caller, "tailrace:GetSelf", Resource())
    return [_known(key) for key in server.roster.user_keys() if _is_ones_own(caller, key) or _may(caller, "tailrace:ListKeys", key)]


@router.post("")
async def create(wanted: NewKey, caller: Caller, server: Server) -> MadeKey:
    """Make a key. Everybody makes keys of their own; an administrator of a project or of the server, others."""
    if bool(wanted.user) == bool(wanted.role):
        raise ApiError(400, "ParameterInvalid", "a key belongs to a `user` or has a `role`")
    _check(server, wanted)
    own = bool(wanted.user) and caller.user == wanted.user and not _is_scoped(caller)
    if own:
        authorize(caller, "tailrace:CreateOwnKey", Resource())
    elif caller.logstores or caller.actions:
        raise ApiError(401, "Unauthorized", f"key {caller.key_id} may do less than its role: it makes no other keys")
    else:
        authorize(caller, "tailrace:CreateKey", Resource("" if wanted.user else wanted.project))
    now = int(time.time())
    expires = None if wanted.expires_secs is None else now + wanted.expires_secs
    key, secret = new_user_key(
        server.vault,
        Key(
            "", "user", b"", now, project=wanted.project, logstores=tuple(wanted.logstores), actions=tuple(wanted.actions),
            expires=expires, user=wanted.user, role=wanted.role, note=wanted.note,
        ),
    )  # fmt: skip
    await server.roster.add_key(key)
    return MadeKey(**_known(key).model_dump(), key_secret=secret)


@router.get("/{key_id}")
async def key(key_id: KeyId, caller: Caller, server: Server) -> KnownKey:
    return _known(_allowed(caller, server, key_id, "tailrace:ListKeys"))


@router.post("/{key_id}/reset")
async def reset(key_id: KeyId, caller: Caller, server: Server) -> MadeKey:
    """Give a key another secret; the one before is worth nothing from then on."""
    known = _allowed(caller, server, key_id, "tailrace:ResetKey")
    sealed, secret = new_secret(server.vault, known.id)
    after = replace(known, secret=sealed)
    await server.roster.replace_key(after)
    if known == server.roster.admin_key() or after == server.roster.admin_key():
        server.keep_admin_key(after.id, secret)
    return MadeKey(**_known(after).model_dump(), key_secret=secret)


@router.delete("/{key_id}")
async def revoke(key_id: KeyId, caller: Caller, server: Server) -> None:
    """Nobody signs with it any more."""
    known = _allowed(caller, server, key_id, "tailrace:RevokeKey")
    if known == server.roster.admin_key():
        raise ApiError(400, "ParameterInvalid", "this is the server's own key: reset it instead")
    await server.roster.delete_key(known.id)


def _check(server: Services, wanted: NewKey) -> None:
    if wanted.project and server.catalog.project(wanted.project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {wanted.project}")
    if wanted.user:
        server.accounts.known_user(wanted.user)


def _allowed(caller: Principal, server: Services, key_id: str, action: str) -> Key:
    """Raises ApiError 404 KeyNotExist, also for a key that the caller may not know of."""
    known = server.roster.key(key_id)
    if known is None or known.kind == "agent" or not (_is_ones_own(caller, known) or _may(caller, action, known)):
        raise ApiError(404, "KeyNotExist", f"there is no key `{key_id}`")
    if _is_ones_own(caller, known):
        authorize(caller, "tailrace:ChangeOwnKey" if action != "tailrace:ListKeys" else "tailrace:GetSelf", Resource())
    else:
        authorize(caller, action, Resource(_reach(known)))
    return known


def _may(caller: Principal, action: str, key: Key) -> bool:
    return is_allowed(caller, action, Resource(_reach(key)))


def _reach(key: Key) -> str:
    """Who manages it: the administrators of its project, or of the server when it is a user's or reaches everything."""
    return "" if key.user or key.kind == "admin" else key.project


def _is_ones_own(caller: Principal, key: Key) -> bool:
    return bool(key.user) and key.user == caller.user and not _is_scoped(caller)


def _is_scoped(caller: Principal) -> bool:
    """A key that may do less than its user makes no key that may do more."""
    return bool(caller.project or caller.logstores or caller.actions)


def _known(key: Key) -> KnownKey:
    return KnownKey(
        id=key.id,
        kind="admin" if key.kind == "admin" else "user",
        user=key.user,
        role=key.role,
        project=key.project,
        logstores=list(key.logstores),
        actions=list(key.actions),
        note=key.note,
        created=key.created,
        expires=key.expires,
    )
