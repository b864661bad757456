"""Agents: enrolment on the server's own machine, and what the server holds of an agent's streams."""

import ipaddress
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.auth.keys import new_agent_key
from tailrace.server.db.records import Agent

router = APIRouter(prefix="/agents", tags=["agents"])

# What this server can do beyond the SLS API (docs/specs/batch-form.md).
FEATURES = ["batch_group"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,61}[a-z0-9]$")]


class Enrolment(BaseModel):
    """What a new agent asks for."""

    model_config = ConfigDict(extra="forbid")

    agent_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = Field(description="The agent's stable id.")
    project: Name = Field(description="Project that it writes to.")
    logstores: list[Name] = Field(min_length=1, max_length=1000, description="Logstores of it that it may write to.")


class AgentKey(BaseModel):
    """A write-only key, bound to the agent. Its secret is shown this once."""

    agent_id: str
    key_id: str
    key_secret: str
    features: list[str] = Field(description="What this server can do beyond the SLS API.")
    server_id: str = Field(description="What this server is known by, whatever its address.")


class StreamEnds(BaseModel):
    """Per stream, the end of the prefix that is stored."""

    streams: dict[str, int]
    server_id: str = Field(description="What this server is known by, whatever its address.")


@router.post("/enrol-local")
async def enrol_local(enrolment: Enrolment, request: Request, caller: Caller, server: Server) -> AgentKey:
    """Give an agent of this machine a key. A new enrolment of an agent ends its earlier keys."""
    authorize(caller, "tailrace:EnrolAgent", Resource(enrolment.project))
    if request.client is None or not _is_loopback(request.client.host):
        raise ApiError(403, "Unauthorized", "enrol-local is for agents on the server's own machine")
    if server.catalog.project(enrolment.project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {enrolment.project}")
    key, secret = new_agent_key(server.vault, enrolment.agent_id, enrolment.project, enrolment.logstores)
    agent = Agent(enrolment.agent_id, enrolment.project, tuple(enrolment.logstores), int(time.time()))
    await server.catalog.enrol_agent(agent, key)
    return AgentKey(agent_id=agent.id, key_id=key.id, key_secret=secret, features=FEATURES, server_id=server.server_id)


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
    return StreamEnds(streams=ends, server_id=server.server_id)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
