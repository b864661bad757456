"""The fleet: how each agent of a project is and what it runs, why a machine is not where it should be, agents that are gone for good."""

from collections import Counter
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tailrace.errors import ApiError
from tailrace.server.api.v1.collection import ProjectName
from tailrace.server.api.v1.joining import AgentId
from tailrace.server.api.v1.signed import Caller, Server
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.fleet.report import Report, outcome_of
from tailrace.server.fleet.roll import Entry, Filter
from tailrace.server.fleet.status import Status
from tailrace.wire.control import ConfigInfo

router = APIRouter(tags=["fleet"])

StatusName = Literal["retired", "silent", "lagging", "failed to apply", "applying", "degraded", "healthy", "new"]
Text = Annotated[str, Query(max_length=256)]
MOST = 1000


class ConfigRun(BaseModel):
    """A config as the agent says that it runs it."""

    name: str
    version: str = Field(description="Hash of the pipeline that it is.")
    outcome: str = Field(description="`applied`, `applying`, or `failed: `, and why.")


class AgentAlarm(BaseModel):
    kind: str
    message: str
    count: int
    last_at: int


class FleetAgent(BaseModel):
    """An agent as it says that it is. Times are Unix seconds."""

    agent_id: str
    host_name: str
    status: StatusName
    reason: str
    since: int
    version: str
    system: str
    addresses: list[str]
    user_defined_ids: list[str]
    machine_id: str
    boot_id: str
    groups: list[str] = Field(description="Machine groups of the project that it belongs to.")
    configs: list[ConfigRun]
    settings: list[ConfigRun] = Field(description="What it made of the settings of its groups, `project@group`.")
    started: int
    first_beat: int
    last_beat: int
    in_events: int = Field(description="Since it started.")
    out_events: int = Field(description="Since it started.")
    in_bytes_per_sec: int
    lag_bytes: int = Field(description="Written and not read.")
    waiting_secs: int = Field(description="For so long the oldest of what was read waits for its delivery.")
    alarms: list[AgentAlarm] = Field(description="Of an agent that works for this project alone.")


class FleetAgents(BaseModel):
    count: int
    total: int
    statuses: dict[str, int] = Field(description="Of all agents that the other filters let through.")
    agents: list[FleetAgent]


class WhyFinding(BaseModel):
    ok: bool
    what: str
    hint: str


@router.get("/projects/{project}/agents")
async def fleet_agents(
    project: ProjectName,
    caller: Caller,
    server: Server,
    *,
    status: StatusName | None = None,
    group: Text = "",
    host: Annotated[str, Query(max_length=256, description="May have `*` and `?`.")] = "",
    ip: Text = "",
    user_defined_id: Text = "",
    version: Text = "",
    config: Annotated[str, Query(max_length=256, description="One that it has been given.")] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> FleetAgents:
    """The agents of a project that all filters let through, by id."""
    authorize(caller, "tailrace:ListAgents", Resource(project))
    if server.catalog.project(project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    found = await server.roll.listed(project, Filter("", group, host, ip, user_defined_id, version, config))
    known = Counter(entry.standing.status for entry in found)
    counts = {one.value: known[one] for one in Status}
    found = [entry for entry in found if status in (None, entry.standing.status.value)]
    page = [_agent(entry, project) for entry in found[offset : offset + size]]
    return FleetAgents(count=len(page), total=len(found), statuses={name: count for name, count in counts.items() if count}, agents=page)


@router.get("/projects/{project}/why")
async def why(
    project: ProjectName, caller: Caller, server: Server, *, machine: Text, group: Text = "", config: Text = ""
) -> list[WhyFinding]:
    """Why a machine (an address, a user-defined id, a host name or an agent's id) is not in a group, or does not collect."""
    authorize(caller, "tailrace:ListAgents", Resource(project))
    if server.catalog.project(project) is None:
        raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project}")
    findings = server.roll.why(project, machine, group=group, config=config)
    return [WhyFinding(ok=one.ok, what=one.what, hint=one.hint) for one in findings]


@router.delete("/agents/{agent_id}")
async def purge(agent_id: Annotated[AgentId, Path()], caller: Caller, server: Server) -> None:
    """Forget an agent that is silent, retired or never reported: its keys stop working, and should it come back it has to join again."""
    authorize(caller, "tailrace:PurgeAgent", Resource())
    entry = server.roll.entry(server.roster.known_agent(agent_id), "")
    if entry.standing.status not in (Status.SILENT, Status.RETIRED, Status.NEW):
        raise ApiError(409, "AgentAlive", f"agent `{agent_id}` is {entry.standing.status.value}: only one that is silent can be purged")
    if entry.agent.revoked is not None:
        raise ApiError(409, "AgentRevoked", f"agent `{agent_id}` was revoked, which is not to be forgotten: a token would let it in again")
    server.heartbeats.forget(agent_id)
    await server.roster.delete_agent(agent_id)


def _agent(entry: Entry, project: str) -> FleetAgent:
    """As far as it is the project's business."""
    report, agent = entry.report or _silence(entry), entry.agent
    vitals = report.vitals
    return FleetAgent(
        agent_id=agent.id,
        host_name=report.host_name or agent.host_name,
        status=entry.standing.status.value,
        reason=entry.standing.reason,
        since=entry.standing.since,
        version=report.version,
        system=report.system,
        addresses=list(report.addresses),
        user_defined_ids=list(report.user_defined_ids),
        machine_id=report.machine_id or agent.machine_id,
        boot_id=vitals.boot_id,
        groups=[group.name for group in entry.groups],
        configs=[_run(report.continuous[name]) for name in sorted(report.continuous) if name.partition("@")[0] == project],
        settings=[_run(report.instance[name]) for name in sorted(report.instance) if name.partition("@")[0] == project],
        started=report.started,
        first_beat=report.first_beat,
        last_beat=report.last_beat,
        in_events=vitals.in_events,
        out_events=vitals.out_events,
        in_bytes_per_sec=vitals.in_bytes_per_sec,
        lag_bytes=vitals.lag_bytes,
        waiting_secs=vitals.waiting_secs,
        alarms=[AgentAlarm(kind=one.kind, message=one.message, count=one.count, last_at=one.last_at) for one in entry.alarms],
    )


def _run(info: ConfigInfo) -> ConfigRun:
    return ConfigRun(name=info.name, version=f"{info.version & ((1 << 64) - 1):016x}", outcome=outcome_of(info))


def _silence(entry: Entry) -> Report:
    return Report(entry.agent.id, 0, 0, (), "", "", "", "", "", (), 0, "", {}, {}, {}, 0, 0)
