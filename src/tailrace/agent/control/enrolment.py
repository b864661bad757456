"""Calls of the agent to its server beside the data: local enrolment, and where the server says that streams end."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tailrace.agent.control.calls import call
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.errors import ApiError, StateError, UnreachableError
from tailrace.pipeline.contract import Credentials

UNAUTHORIZED = 401
ENROL_PATH = "/api/v1/agents/enrol-local"
STREAMS_PATH = "/api/v1/agents/streams"
NO_EPOCH = "0" * 32
"""No checkpoint has it: asking for its streams asks only whether the key is known."""


def enrol_local(identity: AgentIdentity, endpoint: str, project: str, logstores: Sequence[str], admin_file: Path) -> None:
    """Get a key for a project from a server on this machine, whose admin key lies in `admin_file`, unless there is one that it knows.

    The agent's id stays, also towards a server that has lost what it knew. A server that has moved to this endpoint is known by its taking
    the key that it gave at another one. Raises UnreachableError, ApiError or StateError.
    """
    endpoint = endpoint.rstrip("/")
    if identity.is_joined(endpoint, project):
        return  # its keys come from the server by themselves
    known = _known_at(endpoint, identity, project)
    if known is not None:
        identity.add(known)
        if set(logstores) <= set(known.logstores):
            return
    wanted = sorted({*logstores, *(known.logstores if known else ())})
    asked = {"agent_id": identity.agent_id, "project": project, "logstores": wanted}
    answer = call(endpoint, "POST", ENROL_PATH, asked, key=_admin_key(admin_file))
    features, server = tuple(answer.get("features", ())), str(answer.get("server_id", ""))
    identity.add(Enrolment(endpoint, project, wanted, answer["key_id"], answer["key_secret"], features, server))


def moved_here(identity: AgentIdentity, former: str, endpoint: str, project: str) -> bool:
    """Whether the server that enrolled the agent for `project` at the endpoint `former` is at `endpoint` now."""
    if identity.enrolment(former, project) is None:
        return False
    known = _known_at(endpoint.rstrip("/"), identity, project)
    if known is None or former.rstrip("/") not in known.formerly:
        return False
    identity.add(known)
    return True


def stored_ends(identity: AgentIdentity, enrolment: Enrolment) -> dict[str, int]:
    """Stream id → end of what the server has of it. Empty when the server does not keep that. UnreachableError, ApiError."""
    answer = _asked(identity, enrolment, STREAMS_PATH)
    return {str(stream): int(end) for stream, end in answer.get("streams", {}).items()}


def stored_ranges(identity: AgentIdentity, enrolment: Enrolment, epoch: bytes, stream: str) -> list[tuple[int, int]]:
    """The ranges `[start, end)` of a stream that the server has whole. Empty when it does not keep that. UnreachableError, ApiError."""
    answer = _asked(identity, enrolment, f"{STREAMS_PATH}/{stream}", [("epoch", epoch.hex())])
    return [(int(start), int(end)) for start, end in answer.get("stored", [])]


def _asked(identity: AgentIdentity, enrolment: Enrolment, path: str, query: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """With the key and the address that hold now. Empty from a server that does not know the question."""
    endpoint, project = enrolment.endpoint, enrolment.project
    key, server = identity.credentials(endpoint, project), identity.server(endpoint, project)
    if key is None:
        raise UnreachableError(f"there is no key for `{endpoint}`: {identity.why_no_key(endpoint, project)}")
    unreachable: UnreachableError | None = None
    for address in (server.addresses if server else ()) or [endpoint]:
        try:
            return call(address, "GET", path, key=key, query=query, tls=identity.tls(endpoint, project))
        except UnreachableError as error:
            unreachable = unreachable or error
        except ApiError as error:
            if error.status in (404, 405):
                return {}
            raise
    raise unreachable or UnreachableError(f"`{endpoint}` has told no address")


def _known_at(endpoint: str, identity: AgentIdentity, project: str) -> Enrolment | None:
    """The enrolment of the server at `endpoint`: the one made there, or one made elsewhere whose key it takes; None when it takes none.

    A server that says nothing may come back and know the key.
    """
    there = identity.enrolment(endpoint, project)
    others = [one for one in identity.enrolments if one.project == project and one is not there]
    for one in [*([there] if there else []), *others]:
        try:
            answer = call(endpoint, "GET", STREAMS_PATH, key=one.credentials, query=[("epoch", NO_EPOCH)])
        except UnreachableError:
            return there
        except ApiError as error:
            if error.status == UNAUTHORIZED:
                continue
            return there
        formerly = [*one.formerly, *([one.endpoint] if one.endpoint != endpoint else [])]
        return replace(one, endpoint=endpoint, server=str(answer.get("server_id", one.server)), formerly=formerly)
    return None


def _admin_key(path: Path) -> Credentials:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(document["key_id"], document["key_secret"])
    except (OSError, ValueError, KeyError) as error:
        raise StateError(
            f"cannot enrol: there is no admin key in `{path}` ({error})",
            hint="start the server with the same home first, or give the flusher `AccessKeyId` and `AccessKeySecret`",
        ) from error
