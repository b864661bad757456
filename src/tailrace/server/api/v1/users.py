"""Users and their roles."""

import time
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.auth.passwords import LONGEST
from tailrace.server.auth.roles import EVERYTHING
from tailrace.server.db.records import User

router = APIRouter(tags=["users"])

USER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}[A-Za-z0-9]$"
PROJECT_NAME = r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"
UserName = Annotated[str, Path(pattern=USER_NAME)]
Project = Annotated[str, Path(pattern=PROJECT_NAME)]
RoleName = Literal["reader", "operator", "admin"]
RoleProject = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z0-9][a-z0-9-]{1,61}[a-z0-9])$")]
Roles = Annotated[
    dict[RoleProject, RoleName], Field(max_length=1000, description="Project → role; `*` stands for all projects and the server.")
]
Password = Annotated[str, StringConstraints(max_length=LONGEST)]


class NewUser(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(pattern=USER_NAME)]
    password: Password = Field(description="At least 10 characters.")
    roles: Roles = Field(default_factory=dict)


class UserChange(BaseModel):
    """What is null stays."""

    model_config = ConfigDict(extra="forbid")

    roles: Roles | None = None
    enabled: bool | None = None


class NewPassword(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: Password
    old_password: Password = Field("", description="Needed by those who are no administrator of the server.")


class KnownUser(BaseModel):
    """Times are Unix seconds."""

    name: str
    roles: dict[str, str]
    enabled: bool
    sessions: int
    created: int
    modified: int


class RoleChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: RoleName


class Holder(BaseModel):
    """Who may do something in a project; roles in all projects are not told here."""

    user: str
    role: str


@router.get("/users")
async def users(caller: Caller, server: Server) -> list[KnownUser]:
    """All users, by name."""
    authorize(caller, "tailrace:ListUsers", Resource())
    return [_known(server, user) for user in server.accounts.users()]


@router.post("/users")
async def create(wanted: NewUser, caller: Caller, server: Server) -> KnownUser:
    """Make a user."""
    authorize(caller, "tailrace:CreateUser", Resource())
    _check_projects(server, wanted.roles)
    now = int(time.time())
    user = User(wanted.name, await server.passwords.hash(wanted.password), dict(wanted.roles), now, now)
    await server.accounts.create_user(user)
    return _known(server, user)


@router.get("/users/{name}")
async def user(name: UserName, caller: Caller, server: Server) -> KnownUser:
    authorize(caller, "tailrace:GetUser", Resource())
    return _known(server, server.accounts.known_user(name))


@router.put("/users/{name}")
async def change(name: UserName, wanted: UserChange, caller: Caller, server: Server) -> KnownUser:
    """Give a user other roles, or shut them out: then their sessions end and their keys do not work."""
    authorize(caller, "tailrace:UpdateUser", Resource())
    _check_projects(server, wanted.roles or {})
    changed = await server.accounts.change_user(
        name,
        lambda known: replace(
            known,
            roles=known.roles if wanted.roles is None else dict(wanted.roles),
            enabled=known.enabled if wanted.enabled is None else wanted.enabled,
            modified=int(time.time()),
        ),
    )
    if not changed.enabled:
        await server.accounts.end_sessions(name)
    return _known(server, changed)


@router.put("/users/{name}/password")
async def set_password(name: UserName, wanted: NewPassword, caller: Caller, server: Server) -> KnownUser:
    """Give a user another password. All sessions of theirs end, but the one that asks."""
    own = caller.user == name
    authorize(caller, "tailrace:SetOwnPassword" if own else "tailrace:SetPassword", Resource())
    known = server.accounts.known_user(name)
    if own:
        await server.sessions.confirm(known, wanted.old_password)
    hashed = await server.passwords.hash(wanted.password)
    changed = await server.accounts.change_user(name, lambda one: replace(one, password_hash=hashed, modified=int(time.time())))
    await server.accounts.end_sessions(name, lambda one: f"session {one.id}" != caller.key_id)
    return _known(server, changed)


@router.delete("/users/{name}")
async def delete(name: UserName, caller: Caller, server: Server) -> None:
    """Delete a user with sessions and keys."""
    authorize(caller, "tailrace:DeleteUser", Resource())
    await server.accounts.delete_user(name)
    server.roster.user_deleted(name)


# --- in one project, by its own administrators ----------------------------------------------------------------------------------
@router.get("/projects/{project}/roles")
async def roles(project: Project, caller: Caller, server: Server) -> list[Holder]:
    """Who has a role in a project."""
    authorize(caller, "tailrace:ListRoles", Resource(project))
    _check_projects(server, [project])
    return [Holder(user=one.name, role=one.roles[project]) for one in server.accounts.users() if project in one.roles]


@router.put("/projects/{project}/roles/{name}")
async def set_role(project: Project, name: UserName, wanted: RoleChange, caller: Caller, server: Server) -> Holder:
    """Give a user a role in a project."""
    authorize(caller, "tailrace:SetRole", Resource(project))
    _check_projects(server, [project])
    now = int(time.time())
    await server.accounts.change_user(
        name, lambda one: replace(one, roles={**one.roles, project: wanted.role}, modified=now), project=project
    )
    return Holder(user=name, role=wanted.role)


@router.delete("/projects/{project}/roles/{name}")
async def remove_role(project: Project, name: UserName, caller: Caller, server: Server) -> None:
    """Take a user's role in a project."""
    authorize(caller, "tailrace:RemoveRole", Resource(project))
    _check_projects(server, [project])
    if project not in server.accounts.known_user(name).roles:
        raise ApiError(404, "RoleNotExist", f"user `{name}` has no role in project `{project}`")
    await server.accounts.change_user(name, lambda one: _without(one, project), project=project)


def _without(user: User, project: str) -> User:
    return replace(user, roles={name: role for name, role in user.roles.items() if name != project}, modified=int(time.time()))


def _check_projects(server: Services, names: object) -> None:
    for name in names if isinstance(names, list | dict) else ():
        if name != EVERYTHING and server.catalog.project(str(name)) is None:
            raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {name}")


def _known(server: Services, user: User) -> KnownUser:
    return KnownUser(
        name=user.name,
        roles=dict(user.roles),
        enabled=user.enabled,
        sessions=len(server.accounts.sessions(user.name)),
        created=user.created,
        modified=user.modified,
    )
