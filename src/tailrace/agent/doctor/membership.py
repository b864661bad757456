"""How the servers that were joined see this agent: whether it may send, and which machine groups it belongs to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tailrace.agent.control.calls import call
from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.keys import ENROL
from tailrace.agent.doctor.scene import Scene
from tailrace.agent.identity.identity import AgentIdentity, JoinedServer
from tailrace.agent.identity.joining import IDENTITY
from tailrace.agent.identity.proof import STANDING_PATH, own_context
from tailrace.errors import ApiError, UnreachableError

REFUSED: Final = {
    "AgentNotExist": (
        "the server at `{address}` does not know this agent: the server was set up anew",
        "enrol the agent again: `tailrace agent enroll`",
    ),
    "AgentRevoked": (
        "the server at `{address}` has another key for this agent: it was enrolled anew, and this home is an old copy",
        "enrol this one as an agent of its own: `tailrace agent enroll --new-id`",
    ),
}
"""Error code → text and remedy."""


def check_membership(scene: Scene) -> Iterator[Finding]:
    """What each server that was joined says of this agent. It is asked without a start of the agent being announced."""
    if scene.identity is None:
        return
    for server in scene.identity.servers.values():
        yield from _standing(scene, scene.identity, server)


def _standing(scene: Scene, identity: AgentIdentity, server: JoinedServer) -> Iterator[Finding]:
    address = server.addresses[0] if server.addresses else ""
    try:
        answer = _asked(identity, server)
    except (UnreachableError, OSError) as error:
        yield info(f"the server cannot be asked about this agent: {error}", error.hint if isinstance(error, UnreachableError) else "")
        return
    except ApiError as error:
        if error.error_code in REFUSED:
            text, remedy = REFUSED[error.error_code]
            yield warning(text.format(address=address), remedy)
        else:
            yield info(f"the server at `{address}` does not say how it sees this agent: {error.message}")
        return
    if "projects" not in answer:
        yield info(f"what answers at `{address}` does not say how it sees this agent", "what `connection` says comes first")
    elif answer.get("state") == "revoked":
        remedy = f"on the server: `tailrace agent reinstate {identity.agent_id}` lets it in again"
        yield warning(f"the server at `{address}` has revoked this agent; it takes nothing from it", remedy)
    else:
        yield from _projects(scene, identity, server, answer)
        yield from _groups(scene, answer)


def _projects(scene: Scene, identity: AgentIdentity, server: JoinedServer, answer: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the server lets the agent write to what its pipelines name there."""
    allowed = {str(one["project"]): set(one["logstores"]) for one in answer.get("projects", [])}
    missing = False
    for target in scene.targets:
        found = identity.enrolment(target.url, target.project)
        if target.access_key_id or found is None or found.server != server.id:
            continue
        if not {"*", target.logstore} & allowed.get(target.project, set[str]()):
            missing = True
            text = f"the server does not let this agent write to logstore `{target.logstore}` of project `{target.project}`"
            yield warning(text, ENROL.format(project=target.project))
    if not missing:
        names = ", ".join(sorted(allowed)) or "no project"
        yield ok(f"the server at `{server.addresses[0]}` knows this agent as `{identity.agent_id}`; it may write to {names}")


def _groups(scene: Scene, answer: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether a machine group has this machine, by what the agent told the server of it."""
    groups = [f"`{one['project']}/{one['name']}`" for one in answer.get("groups", [])]
    labels = [f"`{one}`" for one in [*answer.get("addresses", []), *answer.get("user_defined_ids", [])]]
    for one in answer.get("kept_out", []):
        text = f"the machine group `{one['project']}/{one['name']}` names this machine, and does not have it: {one['reason']}"
        yield warning(text, "make a group for each system; Windows and Linux are never in one")
    if groups:
        yield ok(f"it belongs to the machine groups {', '.join(groups)}")
    elif answer.get("reported"):
        text = f"no machine group of its projects has this machine, which goes by {', '.join(labels) or 'no address and no id'}"
        remedy = "put its address into a group, or the group's user-defined id into HOME/user_defined_id; `working_ip` sets the address"
        yield info(text, remedy) if scene.pipelines else warning(text, remedy)


def _asked(identity: AgentIdentity, server: JoinedServer) -> dict[str, Any]:
    """The answer of the first address that gives one. UnreachableError, ApiError."""
    last: UnreachableError | None = None
    context = own_context(identity, server)
    for address in server.addresses:
        try:
            return call(address, "GET", STANDING_PATH, tls=context)
        except UnreachableError as error:
            last = last or error
    raise last or UnreachableError(f"it has told no address (`secret/{IDENTITY}`)", hint="enrol the agent again: `tailrace agent enroll`")
