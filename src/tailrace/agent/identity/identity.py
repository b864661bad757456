"""Who this agent is: its stable id and its own key pair, the servers it has joined, and the keys for data that enrolment gave it.

All of it lies in `secret/agent.json` (0600), so that it changes as a whole. The private key never leaves this machine.
"""

import contextlib
import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tailrace.agent.kinds import checked
from tailrace.errors import DamagedError, NewerFormatError
from tailrace.journal import write_private
from tailrace.pipeline.contract import Credentials, ServerName
from tailrace.wire.tls import client_context

FORMAT = 3
"""1: without the server's id; 2: without servers that were joined."""
ELSEWHERE: Mapping[int, str] = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation: nobody has them, and they are not on this machine's own network."""
WAITING = "it has not asked the server for one yet"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a server gave: a key of kind *agent* for some logstores of one project, and what it can do.

    `server` is the server's own id ("" when it has none), `formerly` are endpoints that it had before. A key that expires does so at
    `expires_at` (Unix seconds, 0: never); without `key_id` it is still to come.
    """

    endpoint: str
    project: str
    logstores: Sequence[str]
    key_id: str
    key_secret: str = field(repr=False)
    features: Sequence[str] = ()
    server: str = ""
    formerly: Sequence[str] = ()
    expires_at: float = 0.0

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.key_id, self.key_secret)

    @property
    def has_key(self) -> bool:
        return bool(self.key_id) and not (self.expires_at and self.expires_at <= time.time())


@dataclass(frozen=True, slots=True)
class JoinedServer:
    """A server that was joined with a token, by its own id. `roots` are its root certificates as PEM: no others are trusted.

    `certificate` is the one that it gave for the agent's key: it opens the way to keys for data.
    """

    id: str
    addresses: Sequence[str]
    roots: Sequence[str]
    certificate: str
    features: Sequence[str] = ()
    poll_secs: float = 20.0


@dataclass(slots=True)
class AgentIdentity:
    """Implements `FlusherContext`. The keeper of keys changes it from its own thread: whole values are replaced, never parts."""

    agent_id: str
    enrolments: list[Enrolment]
    servers: dict[str, JoinedServer] = field(default_factory=dict[str, JoinedServer])
    key: str = field(default="", repr=False)
    """The agent's private key, PEM; empty until it joins its first server."""
    taken: list[str] = field(default_factory=list[str])
    """Digests of the invitations that were taken up."""
    states: dict[str, str] = field(default_factory=dict[str, str], compare=False)
    """Of joined servers by id: why none of their keys is used at present; "" where they are."""
    ran: bool = False
    """Whether an agent has run with it, so that there has to be a checkpoint; not only joined a server."""
    on_refusal: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)
    _contexts: dict[str, tuple[Sequence[str], ssl.SSLContext]] = field(
        default_factory=dict[str, tuple[Sequence[str], ssl.SSLContext]], compare=False, repr=False
    )
    """Of joined servers by id, with the roots that each was made of."""

    def credentials(self, endpoint: str, project: str) -> Credentials | None:
        found = self.enrolment(endpoint, project)
        return found.credentials if found and found.has_key and not self._state(found) else None

    def why_no_key(self, endpoint: str, project: str) -> str:
        found = self.enrolment(endpoint, project)
        if found is None:
            return ""
        return self._state(found) or ("" if found.has_key else "the one that it had has expired" if found.key_id else WAITING)

    def offers(self, endpoint: str, project: str, feature: str) -> bool:
        found = self.enrolment(endpoint, project)
        return found is not None and feature in found.features

    def server(self, endpoint: str, project: str) -> ServerName | None:
        found = self.enrolment(endpoint, project)
        if found is None or not found.server:
            return None
        joined = self.servers.get(found.server)
        return ServerName(found.server, [found.endpoint, *found.formerly], joined.addresses if joined else ())

    def refused(self, endpoint: str, project: str) -> None:
        if self.is_joined(endpoint, project):
            self.on_refusal()

    def tls(self, endpoint: str, project: str) -> ssl.SSLContext | None:
        found = self.enrolment(endpoint, project)
        joined = self.servers.get(found.server) if found else None
        if joined is None:
            return None
        known = self._contexts.get(joined.id)
        if known is None or known[0] != joined.roots:
            known = self._contexts[joined.id] = joined.roots, client_context(joined.roots)
        return known[1]

    def is_joined(self, endpoint: str, project: str) -> bool:
        """Whether its keys come from a server that was joined with a token."""
        found = self.enrolment(endpoint, project)
        return found is not None and found.server in self.servers

    def enrolment(self, endpoint: str, project: str) -> Enrolment | None:
        """That of the server which has this endpoint, else of the one which had it."""
        endpoint = endpoint.rstrip("/")
        ours = [one for one in self.enrolments if one.project == project]
        return next((one for one in ours if endpoint == one.endpoint or endpoint in self._addresses(one)), None) or next(
            (one for one in ours if endpoint in one.formerly), None
        )

    def add(self, enrolment: Enrolment) -> None:
        """Replaces what the same server gave for the same project before; the endpoints that it had are kept."""
        replaced = [one for one in self.enrolments if one.project == enrolment.project and _same_server(one, enrolment)]
        same = [enrolment, *(one for one in replaced if one.server in ("", enrolment.server))]
        known = dict.fromkeys(endpoint for one in same for endpoint in (one.endpoint, *one.formerly))
        formerly = [endpoint for endpoint in known if endpoint != enrolment.endpoint]
        kept = [one for one in self.enrolments if one not in replaced]
        self.enrolments = [*kept, replace(enrolment, formerly=formerly)]

    def _addresses(self, one: Enrolment) -> Sequence[str]:
        joined = self.servers.get(one.server)
        return joined.addresses if joined else ()

    def _state(self, one: Enrolment) -> str:
        return self.states.get(one.server, WAITING) if one.server in self.servers else ""


def _same_server(one: Enrolment, other: Enrolment) -> bool:
    return one.endpoint in (other.endpoint, *other.formerly) or (bool(one.server) and one.server == other.server)


def load(path: Path) -> AgentIdentity:
    """The identity kept in `path`, or a new one. DamagedError when the file cannot be read as one, NewerFormatError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] > FORMAT:
            raise NewerFormatError(f"cannot use `{path}`: its format {document['format']} is newer than {FORMAT}")
        enrolments = [checked(Enrolment(**one)) for one in document["enrolments"]]
        servers = {server.id: server for server in (checked(JoinedServer(**one)) for one in document.get("servers", []))}
        key, taken, ran = document.get("key", ""), document.get("taken", []), document.get("ran", True)
        return checked(AgentIdentity(document["agent_id"], enrolments, servers, key, taken, ran=ran))
    except FileNotFoundError:
        return AgentIdentity(new_id(), [])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(
            f"cannot use `{path}`: it does not hold an agent's identity ({error})",
            hint="put the file back from a backup; without it the agent gets a new id and the server takes it for another machine",
        ) from error


def save(identity: AgentIdentity, path: Path) -> None:
    """Durable and private on return; the file before stays whole until then, and one of an older format for ever, beside it."""
    if path.exists() and (older := json.loads(path.read_text(encoding="utf-8"))["format"]) < FORMAT:
        write_private(path.with_name(f"{path.name}.format{older}"), path.read_text(encoding="utf-8"))
    enrolments, servers = ([asdict(one) for one in several] for several in (identity.enrolments, identity.servers.values()))
    own = {"agent_id": identity.agent_id, "key": identity.key, "taken": identity.taken, "ran": identity.ran}
    write_private(path, json.dumps({"format": FORMAT, **own, "servers": servers, "enrolments": enrolments}, indent=1))


def new_id() -> str:
    return secrets.token_hex(16)


def address() -> str:
    """This machine's address as others see it: that of the default route, of IPv6 where there is no other, else the loopback one. Nothing
    is sent."""
    for family, somewhere in ELSEWHERE.items():
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))  # with a datagram socket this only picks the route
            return str(probe.getsockname()[0])
    return "127.0.0.1"
