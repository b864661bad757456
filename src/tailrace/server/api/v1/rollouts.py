"""Rollouts: a new version of a config that goes out to the agents in stages."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.pipeline.documents import MAX_BYTES
from tailrace.server.api.call import Services
from tailrace.server.api.v1.collection import ProjectName, allowed_in, checked_next
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.fleet.rollout import STAGES, Progress, Rollout
from tailrace.server.fleet.rollouts import Plan

router = APIRouter(prefix="/projects/{project}/rollouts", tags=["rollouts"])

RolloutId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Stage = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}%?$")]
UPDATE = "log:UpdateLogtailPipelineConfig"


class NewRollout(BaseModel):
    """A new version of a config that is there already, and how it is to go out."""

    model_config = ConfigDict(extra="forbid")

    config: str = Field(max_length=128)
    text: Annotated[str, StringConstraints(max_length=MAX_BYTES)] = Field(description="The config in its form, as YAML or JSON.")
    stages: Annotated[list[Stage], Field(min_length=1, max_length=20)] = Field(
        default_factory=lambda: list(STAGES), description="Numbers of agents (`3`) and shares (`25%`), rising; the last one is always all."
    )
    soak_secs: int = Field(default=60, ge=0, le=604_800, description="How long a stage has to run well before the next one.")
    max_failures: int = Field(default=0, ge=0, le=100_000, description="How many agents may be unable to run it.")
    max_lag_mb: int = Field(default=0, ge=0, le=1_000_000, description="By how much an agent may fall behind with it; 0: no bound.")


class AgentProgress(BaseModel):
    agent_id: str
    outcome: Literal["applied", "applying", "failed", "silent"]
    message: str


class KnownRollout(BaseModel):
    """Times are Unix seconds."""

    id: int
    config: str
    version: int
    before: int = Field(description="Version that the other agents keep.")
    state: Literal["running", "paused", "stopped", "done", "rolled back", "superseded"]
    reason: str
    stages: list[str]
    stage: int = Field(description="The present one, the first being 1.")
    agents: int = Field(description="Agents that have it.")
    members: int = Field(description="Agents that are to have it in the end.")
    author: str
    created: int
    changed: int
    soak_secs: int
    max_failures: int
    max_lag_mb: int
    progress: list[AgentProgress] = Field(description="Of the agents that have it; only of one rollout at a time.")


@router.post("")
async def begin(project: ProjectName, body: NewRollout, caller: Caller, server: Server) -> KnownRollout:
    """Save a version and let it out to the agents of the first stage."""
    owner = allowed_in(caller, server, project, UPDATE)
    config = server.collection.config(project, body.config)
    if config.form == "classic":
        allowed_in(caller, server, project, "log:UpdateConfig")
    document = checked_next(server, config, body.text)
    plan = Plan(body.stages, body.soak_secs, body.max_failures, body.max_lag_mb * 1_048_576)
    begun = await server.rollouts.begin(owner, body.config, document, caller.author, plan)
    return _known(server, begun, await server.rollouts.progress(begun))


@router.get("")
async def rollouts(project: ProjectName, caller: Caller, server: Server) -> list[KnownRollout]:
    """The latest first."""
    allowed_in(caller, server, project, "tailrace:ListRollouts")
    found: list[KnownRollout] = []
    for one in server.rollouts.of(project):
        found.append(_known(server, one))
        await asyncio.sleep(0)  # each counts its members, who may be thousands
    return found


@router.get("/{rollout}")
async def rollout(project: ProjectName, rollout: RolloutId, caller: Caller, server: Server) -> KnownRollout:
    """With what became of it on each agent."""
    allowed_in(caller, server, project, "tailrace:ListRollouts")
    known = server.rollouts.get(project, rollout)
    return _known(server, known, await server.rollouts.progress(known))


@router.post("/{rollout}/pause")
async def pause(project: ProjectName, rollout: RolloutId, caller: Caller, server: Server) -> KnownRollout:
    """No further agent gets it until it is resumed."""
    allowed_in(caller, server, project, UPDATE)
    return _known(server, await server.rollouts.pause(project, rollout))


@router.post("/{rollout}/resume")
async def resume(project: ProjectName, rollout: RolloutId, caller: Caller, server: Server) -> KnownRollout:
    """Go on, also where it has stopped by itself: what failed so far is put up with."""
    allowed_in(caller, server, project, UPDATE)
    return _known(server, await server.rollouts.resume(project, rollout))


@router.post("/{rollout}/rollback")
async def roll_back(project: ProjectName, rollout: RolloutId, caller: Caller, server: Server) -> KnownRollout:
    """Give all agents the version before."""
    allowed_in(caller, server, project, UPDATE)
    return _known(server, await server.rollouts.roll_back(project, rollout, caller.author))


def _known(server: Services, rollout: Rollout, progress: Sequence[Progress] = ()) -> KnownRollout:
    return KnownRollout(
        id=rollout.id,
        config=rollout.config,
        version=rollout.version,
        before=rollout.before,
        state=rollout.state,
        reason=rollout.reason,
        stages=list(rollout.stages),
        stage=rollout.stage + 1,
        agents=len(rollout.admitted),
        members=len(server.rollouts.members(rollout)),
        author=rollout.author,
        created=rollout.created,
        changed=rollout.changed,
        soak_secs=rollout.soak_secs,
        max_failures=rollout.max_failures,
        max_lag_mb=rollout.max_lag_bytes // 1_048_576,
        progress=[AgentProgress(agent_id=one.agent, outcome=one.outcome, message=one.message) for one in progress],
    )
