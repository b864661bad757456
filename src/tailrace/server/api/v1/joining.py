"""How agents join over the network and get their keys: over TLS only, known by a join token first and by their own key pair after that."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tailrace.errors import ApiError
from tailrace.server.api.call import Services
from tailrace.server.api.protocol import PEER_CERTIFICATE
from tailrace.server.api.v1.signed import PossibleCaller, Server
from tailrace.server.auth.tls import is_loopback
from tailrace.server.db.changes import asked_for, changed
from tailrace.server.fleet.boots import Boot
from tailrace.server.fleet.fleet import Joining, peer_certificate
from tailrace.wire import batch_form, internal_logs

router = APIRouter(tags=["agents"])

# What this server can do beyond the SLS API (docs/specs/batch-form.md, docs/specs/telemetry.md).
FEATURES = [batch_form.MODE, internal_logs.FEATURE]

AgentId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Opaque = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{0,64}$")]
BootId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
HostName = Annotated[str, StringConstraints(max_length=255)]


class Roots(BaseModel):
    """The server's root certificates. An agent that joins takes the one whose fingerprint its token carries, and no other."""

    server_id: str
    roots: list[str] = Field(description="Certificates, PEM.")


class JoiningAgent(BaseModel):
    """What a new agent says of itself."""

    model_config = ConfigDict(extra="forbid")

    agent_id: AgentId
    token: str = Field(max_length=256, description="Join token.")
    certificate_request: str = Field(max_length=8192, description="For the agent's own key, PEM; the key itself stays on its machine.")
    machine_id: Opaque = ""
    host_name: HostName = ""


class ServerFacts(BaseModel):
    """What an agent has to know of its server; it comes with every answer, so that changes reach the agents."""

    server_id: str
    roots: list[str] = Field(description="Root certificates to trust, PEM, the oldest first.")
    addresses: list[str] = Field(description="Where the server is reached, `https://host:port`, the best one first.")
    features: list[str] = Field(description="What this server can do beyond the SLS API.")
    poll_secs: float = Field(description="How often the agent is to ask for its keys.")


class Joined(ServerFacts):
    """What a new agent gets."""

    project: str
    logstores: list[str] = Field(description='Logstores that it may write to; `["*"]` are all.')
    certificate: str = Field(description="For the agent's key, PEM: it opens the way to the keys for data.")
    upgrade_root: dict[str, Any] = Field(description="Public root of trust for upgrades.")


class Beat(BaseModel):
    """An agent that asks for its keys says which start of which machine it is."""

    model_config = ConfigDict(extra="forbid")

    boot_id: BootId
    previous_boot_ids: list[BootId] = Field(
        default_factory=list, max_length=64, description="Starts before this one on the same home, since the last that this server knows."
    )
    machine_id: Opaque = ""
    host_name: HostName = ""
    held: dict[str, str] = Field(default_factory=dict, max_length=1000, description="Project → id of the key that the agent has for it.")
    home_is_known_to_be_older: bool = Field(
        default=False, description="The agent was told that its home is older, and will not forget it: its later starts need not be told."
    )


class DataKey(BaseModel):
    """A short-lived, write-only key. Its secret is shown this once."""

    project: str
    logstores: list[str]
    key_id: str
    key_secret: str
    lives_secs: int


class Membership(BaseModel):
    project: str
    logstores: list[str]


class Keys(ServerFacts):
    """New keys for the projects that need one."""

    projects: list[Membership] = Field(description="All projects that the agent may write to.")
    keys: list[DataKey]
    certificate: str = Field(description="A new certificate for the agent's key, PEM; empty when the present one is fine.")
    home_is_older: bool = Field(
        description="The agent's home knows nothing of its last start: it was restored from a copy. It renews its epoch before it sends."
    )


class GroupName(BaseModel):
    project: str
    name: str


class KeptOut(GroupName):
    reason: str


class Standing(BaseModel):
    """How the server sees the agent that asks."""

    agent_id: str
    state: Literal["enrolled", "revoked"]
    projects: list[Membership] = Field(description="All projects that the agent may write to.")
    reported: bool = Field(description="Whether the server has heard what machine this is.")
    addresses: list[str] = Field(description="Of the machine, as the agent told them.")
    user_defined_ids: list[str] = Field(description="Likewise.")
    groups: list[GroupName] = Field(description="Machine groups that the agent belongs to.")
    kept_out: list[KeptOut] = Field(description="Those that name it, and do not have it.")


@router.get("/roots")
async def roots(server: Server) -> Roots:
    """The root certificates. They are public; what they are worth, the fingerprint in a join token says."""
    return Roots(server_id=server.server_id, roots=[root.pem for root in server.authority.known])


@router.post("/agents/enrol")
async def enrol(joining: JoiningAgent, request: Request, caller: PossibleCaller, server: Server) -> Joined:
    """Let an agent in that has a join token."""
    _require_tls(request)
    address = request.client.host if request.client else ""
    asked_for("tailrace:EnrolAgent", "", joining.agent_id)
    asked = Joining(joining.agent_id, joining.token, joining.certificate_request, joining.machine_id, joining.host_name, address)
    grant, certificate = await server.fleet.enrol(asked, proven=caller.agent if caller else "")
    changed(project=grant.project, who=f"agent {joining.agent_id}", after={"logstores": list(grant.logstores), "host": joining.host_name})
    return Joined(
        **_facts(request, server),
        project=grant.project,
        logstores=list(grant.logstores),
        certificate=certificate,
        upgrade_root=dict(server.upgrade_root),
    )


@router.post("/agents/keys")
async def keys(beat: Beat, request: Request, server: Server) -> Keys:
    """Give an agent that shows its certificate new keys for data, and whatever has changed."""
    der = _shown_certificate(request)
    peer = peer_certificate(der)
    boot = Boot(beat.boot_id, frozenset(beat.previous_boot_ids), beat.machine_id, beat.home_is_known_to_be_older)
    agent = await server.fleet.announce(peer, boot, beat.host_name)
    issued = await server.fleet.keys(agent, beat.held)
    return Keys(
        **_facts(request, server),
        projects=[Membership(project=grant.project, logstores=list(grant.logstores)) for grant in server.roster.grants(agent.id)],
        keys=[
            DataKey(
                project=one.key.project,
                logstores=list(one.key.logstores),
                key_id=one.key.id,
                key_secret=one.secret,
                lives_secs=one.lives_secs,
            )
            for one in issued
        ],
        certificate=server.fleet.renewed_certificate(peer, der),
        home_is_older=server.fleet.is_older(agent),
    )


@router.get("/agents/self")
async def standing(request: Request, server: Server) -> Standing:
    """Tell an agent that shows its certificate how it stands, for whoever looks for a fault. Nothing is given, nothing changes by it."""
    agent = server.fleet.known(peer_certificate(_shown_certificate(request)))
    grants, report = server.roster.grants(agent.id), server.reports.get(agent.id)
    groups = server.membership.groups_of(report) if report is not None else ()
    kept_out = server.membership.kept_out(report) if report is not None else ()
    return Standing(
        agent_id=agent.id,
        state="enrolled" if agent.revoked is None else "revoked",
        projects=[Membership(project=grant.project, logstores=list(grant.logstores)) for grant in grants],
        reported=report is not None,
        addresses=list(report.addresses) if report is not None else [],
        user_defined_ids=list(report.user_defined_ids) if report is not None else [],
        groups=[GroupName(project=group.project, name=group.name) for group in groups],
        kept_out=[KeptOut(project=group.project, name=group.name, reason=reason) for group, reason in kept_out],
    )


def _facts(request: Request, server: Services) -> dict[str, Any]:
    """An agent on the server's own machine is told the way that it came by first: the others may not lead there from inside."""
    return ServerFacts(
        server_id=server.server_id,
        roots=[root.pem for root in server.authority.trusted],
        addresses=list(dict.fromkeys([*_loopback(request), *server.addresses])),
        features=FEATURES,
        poll_secs=server.settings.agent_poll_secs,
    ).model_dump()


def _loopback(request: Request) -> list[str]:
    host, port = request.scope["server"] or ("", 0)
    if request.client is None or not is_loopback(request.client.host) or not is_loopback(host):
        return []
    return [f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"]


def _shown_certificate(request: Request) -> bytes:
    """The one that the TLS handshake has verified."""
    _require_tls(request)
    der = getattr(request.state, PEER_CERTIFICATE, None)
    if der is None:
        raise ApiError(401, "Unauthorized", "the agent has shown no certificate")
    return der


def _require_tls(request: Request) -> None:
    if request.scope["scheme"] != "https":
        raise ApiError(403, "TlsRequired", "keys are given over TLS only")
