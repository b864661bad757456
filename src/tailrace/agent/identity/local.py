"""Joining the server that runs on the same home: the agent makes a join token for itself with the administrator's key, which lies there,
and joins as any other agent does, over TLS, known by the roots that the server has laid down in the home.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tailrace.agent.control.calls import call
from tailrace.agent.control.stored import STREAMS_PATH
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.agent.identity.joining import ROOTS_PATH, join
from tailrace.agent.identity.proof import STANDING_PATH, own_context
from tailrace.errors import ApiError, StateError, UnreachableError
from tailrace.pipeline.contract import Credentials
from tailrace.wire.tls import certificates_in, client_context

TOKENS_PATH: Final = "/api/v1/tokens"
TOKEN_SECS: Final = 300
NO_EPOCH: Final = "0" * 32
"""No checkpoint has it: asking for its streams asks only whether the key is known."""
REVOKED: Final = "revoked"

Target = tuple[str, str, str]
"""Endpoint, project and logstore of a flusher without a key of its own."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """Its own id, its TLS address on this machine, its roots (PEM)."""

    id: str
    address: str
    roots: Sequence[str]


def join_local(identity: AgentIdentity, home: Path, endpoint: str, targets: Sequence[Target]) -> None:
    """Let the agent write to what `targets` name at `endpoint`, or at one that the same server had before.

    What it may do already stays as it is; it keeps its id, also towards a server that has lost what it knew. A server that has revoked it
    is not asked again. Raises UnreachableError when the server does not answer and was not joined before, ApiError, StateError.
    """
    endpoint = endpoint.rstrip("/")
    try:
        server = _server(home)
    except UnreachableError:
        if all(identity.is_joined(url, project) for url, project, _ in targets if url == endpoint):
            return  # the keeper of keys goes on asking
        raise
    _recognise(identity, server)
    _moved(identity, server)
    for project, logstores in _wanted(identity, server, endpoint, targets).items():
        if not _may_write(identity, server, project, logstores):
            token = _token(home, server, project, sorted(logstores))
            join(identity, home / "secret", server.address, token, proof=_proof(identity, server))
        found = next((one for one in identity.enrolments if (one.project, one.server) == (project, server.id)), None)
        if found is not None:
            identity.add(replace(found, endpoint=endpoint))


def _server(home: Path) -> LocalServer:
    """The one that runs on this home, by the files that it keeps there and its own word."""
    try:
        address = str(json.loads((home / "run" / "server.json").read_bytes())["tls_address"])
        roots = certificates_in((home / "ca.pem").read_text(encoding="ascii"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreachableError(
            f"no server runs on the home `{home}`", hint="start it with the same home first, or join with a token: `tailrace agent enroll`"
        ) from error
    answer = call(address, "GET", ROOTS_PATH, tls=client_context(roots))
    return LocalServer(str(answer.get("server_id", "")), address, roots)


def _recognise(identity: AgentIdentity, server: LocalServer) -> None:
    """Enrolments of the oldest form do not name their server: it is the one that takes their key."""
    identity.enrolments = [replace(one, server=server.id) if not one.server and _takes(server, one) else one for one in identity.enrolments]


def _takes(server: LocalServer, one: Enrolment) -> bool:
    try:
        call(server.address, "GET", STREAMS_PATH, key=one.credentials, query=[("epoch", NO_EPOCH)], tls=client_context(server.roots))
    except ApiError:
        return False
    return True


def _moved(identity: AgentIdentity, server: LocalServer) -> None:
    """Where a server that is known is now."""
    known = identity.servers.get(server.id)
    if known is not None:
        others = [address for address in known.addresses if address != server.address]
        identity.servers = {**identity.servers, server.id: replace(known, addresses=[server.address, *others], roots=server.roots)}


def _wanted(identity: AgentIdentity, server: LocalServer, endpoint: str, targets: Sequence[Target]) -> dict[str, set[str]]:
    """Project → logstores."""
    wanted: dict[str, set[str]] = {}
    for url, project, logstore in targets:
        found = identity.enrolment(url, project)
        if url == endpoint or (found is not None and found.server == server.id):
            wanted.setdefault(project, set()).add(logstore)
    return wanted


def _may_write(identity: AgentIdentity, server: LocalServer, project: str, logstores: set[str]) -> bool:
    """Whether there is nothing to ask for."""
    known = identity.servers.get(server.id)
    if known is None:
        return False
    try:
        standing = call(server.address, "GET", STANDING_PATH, tls=own_context(identity, known))
    except ApiError as error:
        if error.error_code == "AgentNotExist":
            return False
        raise
    return standing.get("state") == REVOKED or _covers(standing, project, logstores)


def _covers(standing: Mapping[str, Any], project: str, logstores: set[str]) -> bool:
    allowed = next((set(one["logstores"]) for one in standing.get("projects", []) if one["project"] == project), set[str]())
    return "*" in allowed or logstores <= allowed


def _proof(identity: AgentIdentity, server: LocalServer) -> Credentials | None:
    """A key from before the agent had a key pair, that this server takes."""
    if server.id in identity.servers:
        return None
    former = [one for one in identity.enrolments if one.server == server.id and one.has_key]
    return next((one.credentials for one in former if _takes(server, one)), None)


def _token(home: Path, server: LocalServer, project: str, logstores: Sequence[str]) -> str:
    document = {"project": project, "logstores": logstores, "expires_secs": TOKEN_SECS, "note": "for the agent on the server's own home"}
    key, tls = _admin_key(home / "secret" / "admin.json"), client_context(server.roots)
    answer = call(server.address, "POST", TOKENS_PATH, document, key=key, tls=tls)
    return str(answer["token"])


def _admin_key(path: Path) -> Credentials:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(document["key_id"], document["key_secret"])
    except (OSError, ValueError, KeyError) as error:
        raise StateError(
            f"cannot enrol: there is no admin key in `{path}` ({error})",
            hint="start the server with the same home first, or join with a token: `tailrace agent enroll`",
        ) from error
