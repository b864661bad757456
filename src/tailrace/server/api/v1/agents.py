"""Agents: the list of them, revocation, and what the server holds of an agent's streams."""

import time
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.v1.joining import AgentId
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize, is_allowed
from tailrace.server.auth.principal import Principal
from tailrace.server.db.records import Agent, Grant

router = APIRouter(prefix="/agents", tags=["agents"])
LIST = "tailrace:ListAgents"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$")]


class KnownAgent(BaseModel):
    """An agent as the server knows it. Times are Unix seconds."""

    agent_id: str
    host_name: str
    state: Literal["enrolled", "revoked"]
    enrolled_by: Literal["token", "local"] = Field(description="`local`: by an older release, without a key pair of its own.")
    projects: dict[str, list[str]] = Field(description="Project → logstores that it may write to.")
    created: int
    revoked: int | None


class StreamEnds(BaseModel):
    """Per stream, the end of the prefix that is stored."""

    streams: dict[str, int]
    last: dict[str, tuple[int, str]] = Field(
        description="Per stream the start of the range that ends there, and its fingerprint in hex: what an agent reads there must be "
        "that, else its file is another one. A stream that is not here was stored by a release that did not keep it."
    )
    server_id: str = Field(description="What this server is known by, whatever its address.")


class StoredRanges(BaseModel):
    """What is stored of one stream."""

    stored: list[tuple[int, int]] = Field(description="Start and end of each range, in order; what is between them is not stored.")


@router.get("")
async def agents(caller: Caller, server: Server) -> list[KnownAgent]:
    """All agents that are or were enrolled; those of their projects, for callers who may not see all."""
    authorize(caller, "tailrace:GetSelf", Resource())
    everything = is_allowed(caller, LIST, Resource())
    found = [(agent, _seen(server, agent, caller)) for agent in server.roster.agents()]
    return [_known(agent, grants) for agent, grants in found if grants or everything]


@router.post("/{agent_id}/revoke")
async def revoke(agent_id: AgentId, caller: Caller, server: Server) -> KnownAgent:
    """Shut an agent out: its keys stop working at once, and it gets no new ones."""
    authorize(caller, "tailrace:RevokeAgent", Resource())
    await server.roster.revoke_agent(agent_id, int(time.time()))
    return _known(server.roster.known_agent(agent_id), server.roster.grants(agent_id))


@router.post("/{agent_id}/reinstate")
async def reinstate(agent_id: AgentId, caller: Caller, server: Server) -> KnownAgent:
    """Let a revoked agent in again."""
    authorize(caller, "tailrace:ReinstateAgent", Resource())
    await server.roster.reinstate_agent(agent_id)
    return _known(server.roster.known_agent(agent_id), server.roster.grants(agent_id))


@router.delete("/{agent_id}/projects/{project}")
async def revoke_project(agent_id: AgentId, project: Name, caller: Caller, server: Server) -> KnownAgent:
    """Take one project from an agent."""
    authorize(caller, "tailrace:RevokeAgent", Resource(project))
    await server.roster.revoke_grant(agent_id, project)
    agent = server.roster.known_agent(agent_id)
    return _known(agent, _seen(server, agent, caller))


@router.get("/streams")
async def stream_ends(
    caller: Caller,
    server: Server,
    epoch: Annotated[str | None, Query(pattern="^[0-9a-fA-F]{32}$", description="Of one epoch only, in hex.")] = None,
) -> StreamEnds:
    """Where the calling agent may resume when it has lost its checkpoint."""
    authorize(caller, "tailrace:GetAgentStreams", Resource())
    if not caller.agent:
        raise ApiError(400, "ParameterInvalid", f"key `{caller.key_id}` is not an agent's")
    ends = await server.store.stream_ends(caller.agent, None if epoch is None else bytes.fromhex(epoch))
    return StreamEnds(
        streams={stream: one.end for stream, one in ends.items()},
        last={stream: (one.start, one.fingerprint.hex()) for stream, one in ends.items() if one.fingerprint},
        server_id=server.server_id,
    )


@router.get("/streams/{stream}")
async def stored_ranges(
    stream: Annotated[str, Path(pattern="^[0-9a-fA-F]{16}$", description="The stream's id.")],
    caller: Caller,
    server: Server,
    epoch: Annotated[str, Query(pattern="^[0-9a-fA-F]{32}$", description="The epoch of the agent's checkpoint, in hex.")],
) -> StoredRanges:
    """Whether what the calling agent cannot read any more had arrived before."""
    authorize(caller, "tailrace:GetAgentStreams", Resource())
    if not caller.agent:
        raise ApiError(400, "ParameterInvalid", f"key `{caller.key_id}` is not an agent's")
    return StoredRanges(stored=await server.store.stored_ranges(caller.agent, bytes.fromhex(epoch), int(stream, 16)))


def _seen(server: Services, agent: Agent, caller: Principal) -> list[Grant]:
    return [grant for grant in server.roster.grants(agent.id) if is_allowed(caller, LIST, Resource(grant.project))]


def _known(agent: Agent, grants: Sequence[Grant]) -> KnownAgent:
    return KnownAgent(
        agent_id=agent.id,
        host_name=agent.host_name,
        state="enrolled" if agent.revoked is None else "revoked",
        enrolled_by="token" if agent.public_key else "local",
        projects={grant.project: list(grant.logstores) for grant in grants},
        created=agent.created,
        revoked=agent.revoked,
    )
