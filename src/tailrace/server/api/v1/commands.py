"""Commands: things that agents do once, such as to start anew or to import history; what became of them on each, what they laid down."""

import json
import re
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.collection import ProjectName, allowed_in
from tailrace.server.api.v1.joining import AgentId
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, is_allowed
from tailrace.server.auth.principal import Principal
from tailrace.server.db.changes import TOO_LONG, changed
from tailrace.server.fleet.command import Command, Outcome
from tailrace.server.fleet.commands import reached
from tailrace.wire.commands import Detail, Import, of

router = APIRouter(prefix="/projects/{project}/commands", tags=["commands"])

Agents = Annotated[bool, Query(description="`false` for the counts alone.")]
CommandId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
RUN, LIST, RESULT = "tailrace:RunCommand", "tailrace:ListCommands", "tailrace:GetResult"
MOST_AGENTS: Final = 10_000
MOST_LARGE: Final = 100
"""Agents that may be asked at once for what takes megabytes."""
LARGE: Final = frozenset({"diagnostics", "sample"})
NOTED_AGENTS: Final = 100
NOTED_BYTES: Final = 131_072
"""What the audit log shows of a command."""
ZIP: Final = re.compile(rb"PK\x03\x04")


class NewCommand(BaseModel):
    """What is to be done, by whom, and until when it may be begun."""

    model_config = ConfigDict(extra="forbid")

    command: Detail
    agents: list[AgentId] = Field(default_factory=list, max_length=MOST_AGENTS)
    group: str = Field(default="", max_length=128, description="Machine group whose present members do it, too.")
    expires_secs: int = Field(default=3600, ge=1, le=2_592_000, description="Who has not taken it by then does not do it.")


class AgentOutcome(BaseModel):
    agent_id: str
    state: Literal["waiting", "running", "done", "failed", "expired", "cancelled"]
    message: str
    changed: int
    result_bytes: int = Field(description="Size of the result that can be fetched; 0: there is none beside the message.")


class KnownCommand(BaseModel):
    """Times are Unix seconds."""

    id: str
    kind: str
    command: Detail
    author: str
    created: int
    expires: int
    states: dict[str, int] = Field(description="How many agents are how far.")
    agents: list[AgentOutcome] = Field(description="By agent; only of one command at a time.")


@router.post("")
async def give(project: ProjectName, body: NewCommand, caller: Caller, server: Server) -> KnownCommand:
    """Let agents do something once. It reaches those that are silent when they come back, until it expires."""
    allowed_in(caller, server, project, RUN)
    agents = _addressed(server, project, body)
    if not agents:
        raise ApiError(400, "InvalidParameter", "the command is for no agent: name some, or a group that has members")
    if body.command.kind in LARGE and len(agents) > MOST_LARGE:
        raise ApiError(400, "InvalidParameter", f"`{body.command.kind}` may be asked of {MOST_LARGE} agents at once, not of {len(agents)}")
    others: dict[str, list[str]] = {}
    if isinstance(body.command, Import):
        server.collection.config(project, body.command.config)
    else:
        for agent in agents:
            _check_whole(caller, RUN, project, agent, _projects(server, agent))
        others = {agent: sorted(found) for agent in agents if (found := _projects(server, agent) - {project})}
    outcomes = [reached(server.reports.get(agent), agent) for agent in agents]
    given = await server.commands.give(project, body.command.model_dump(), outcomes, caller.author, body.expires_secs, others=others)
    changed(after=noted(given, body.group, agents))
    return _known(server, given, with_agents=True)


@router.get("")
async def commands(project: ProjectName, caller: Caller, server: Server) -> list[KnownCommand]:
    """The latest first."""
    allowed_in(caller, server, project, LIST)
    return [_known(server, one) for one in server.commands.of(project)[:1000]]


@router.get("/{command}")
async def command(project: ProjectName, command: CommandId, caller: Caller, server: Server, agents: Agents = True) -> KnownCommand:
    """With what became of it on each agent."""
    allowed_in(caller, server, project, LIST)
    return _known(server, server.commands.get(project, command), with_agents=agents)


@router.post("/{command}/cancel")
async def cancel(project: ProjectName, command: CommandId, caller: Caller, server: Server) -> KnownCommand:
    """Take it back from the agents that do not have it yet."""
    allowed_in(caller, server, project, RUN)
    known = server.commands.get(project, command)
    await server.commands.cancel(known)
    return _known(server, known, with_agents=True)


@router.get("/{command}/results/{agent_id}", response_class=Response)
async def result(
    project: ProjectName, command: CommandId, agent_id: Annotated[AgentId, Path()], caller: Caller, server: Server
) -> Response:
    """What an agent laid down: a ZIP file of diagnostics, or lines of a file as JSON."""
    allowed_in(caller, server, project, RESULT)
    known = server.commands.get(project, command)
    if known.is_whole and server.commands.is_for(known, agent_id):  # it may show what the agent does for any of them
        _check_whole(caller, RESULT, project, agent_id, known.projects(agent_id) | _projects(server, agent_id))
    data = await server.commands.result(known, agent_id)
    return Response(data, media_type="application/zip" if ZIP.match(data) else "application/json")


def _addressed(server: Services, project: str, body: NewCommand) -> list[str]:
    """Of the project's own agents. ApiError 404 AgentNotExist, MachineGroupNotExist."""
    members = server.membership.members(server.collection.group(project, body.group)) if body.group else []
    for agent in body.agents:
        known = server.roster.agent(agent)
        if known is None or known.revoked is not None or project not in _projects(server, agent):
            raise ApiError(404, "AgentNotExist", f"there is no agent `{agent}` in project `{project}`")
    return list(dict.fromkeys([*body.agents, *(report.agent for report in members)]))


def _projects(server: Services, agent: str) -> set[str]:
    return {grant.project for grant in server.roster.grants(agent)}


def _check_whole(caller: Principal, action: str, project: str, agent: str, projects: set[str]) -> None:
    """What concerns an agent as a whole is the business of all of its projects."""
    for other in projects - {project}:
        if not is_allowed(caller, action, Resource(other)):
            raise ApiError(401, "Unauthorized", f"agent `{agent}` works for other projects as well, which this caller may not act for")


def noted(given: Command, group: str, agents: list[str]) -> dict[str, Any]:
    """For the audit log: short, however many agents there are and however much they are told."""
    size = len(json.dumps(given.detail))
    told = given.detail if size <= NOTED_BYTES else {"kind": given.kind, TOO_LONG: size}
    some = agents[:NOTED_AGENTS]
    return {"id": given.id, "command": told, "group": group, "expires": given.expires, "count": len(agents), "agents": some}


def _known(server: Services, known: Command, *, with_agents: bool = False) -> KnownCommand:
    return KnownCommand(
        id=known.id,
        kind=known.kind,
        command=of(known.detail),
        author=known.author,
        created=known.created,
        expires=known.expires,
        states=server.commands.states(known),
        agents=[_outcome(one) for one in server.commands.outcomes(known)] if with_agents else [],
    )


def _outcome(one: Outcome) -> AgentOutcome:
    return AgentOutcome(agent_id=one.agent, state=one.state, message=one.message, changed=one.changed, result_bytes=one.result_bytes)
