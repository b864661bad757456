"""Who this agent is: its stable id, and the keys that enrolment gave it (`secret/agent.json`, 0600)."""

import json
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tailrace.errors import DamagedError, NewerFormatError
from tailrace.pipeline.contract import Credentials, ServerName

FORMAT = 2
"""1: without the server's id."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a server gave: a key of kind *agent* for some logstores of one project, and what it can do.

    `server` is the server's own id ("" when it has none), `formerly` are endpoints that it had before.
    """

    endpoint: str
    project: str
    logstores: Sequence[str]
    key_id: str
    key_secret: str = field(repr=False)
    features: Sequence[str] = ()
    server: str = ""
    formerly: Sequence[str] = ()

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.key_id, self.key_secret)


@dataclass(slots=True)
class AgentIdentity:
    """Implements `FlusherContext`."""

    agent_id: str
    enrolments: list[Enrolment]

    def credentials(self, endpoint: str, project: str) -> Credentials | None:
        found = self.enrolment(endpoint, project)
        return found.credentials if found else None

    def offers(self, endpoint: str, project: str, feature: str) -> bool:
        found = self.enrolment(endpoint, project)
        return found is not None and feature in found.features

    def server(self, endpoint: str, project: str) -> ServerName | None:
        found = self.enrolment(endpoint, project)
        return ServerName(found.server, [found.endpoint, *found.formerly]) if found and found.server else None

    def enrolment(self, endpoint: str, project: str) -> Enrolment | None:
        """That of the server which has this endpoint, else of the one which had it."""
        endpoint = endpoint.rstrip("/")
        ours = [one for one in self.enrolments if one.project == project]
        return next((one for one in ours if one.endpoint == endpoint), None) or next(
            (one for one in ours if endpoint in one.formerly), None
        )

    def add(self, enrolment: Enrolment) -> None:
        """Replaces what the same server gave for the same project before; the endpoints that it had are kept."""
        replaced = [one for one in self.enrolments if one.project == enrolment.project and _same_server(one, enrolment)]
        same = [enrolment, *(one for one in replaced if one.server in ("", enrolment.server))]
        known = dict.fromkeys(endpoint for one in same for endpoint in (one.endpoint, *one.formerly))
        formerly = [endpoint for endpoint in known if endpoint != enrolment.endpoint]
        self.enrolments = [one for one in self.enrolments if one not in replaced]
        self.enrolments.append(replace(enrolment, formerly=formerly))


def _same_server(one: Enrolment, other: Enrolment) -> bool:
    return one.endpoint in (other.endpoint, *other.formerly) or (bool(one.server) and one.server == other.server)


def load(path: Path) -> AgentIdentity:
    """The identity kept in `path`, or a new one. DamagedError when the file cannot be read as one, NewerFormatError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] > FORMAT:
            raise NewerFormatError(f"cannot use `{path}`: its format {document['format']} is newer than {FORMAT}")
        enrolments = [Enrolment(**one) for one in document["enrolments"]]
        return AgentIdentity(document["agent_id"], enrolments)
    except FileNotFoundError:
        return AgentIdentity(secrets.token_hex(16), [])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(
            f"cannot use `{path}`: it does not hold an agent's identity ({error})",
            hint="put the file back from a backup; without it the agent gets a new id and the server takes it for another machine",
        ) from error


def save(identity: AgentIdentity, path: Path) -> None:
    """Durable and private on return; the file before stays whole until then, and one of an older format for ever, beside it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and (older := json.loads(path.read_text(encoding="utf-8"))["format"]) < FORMAT:
        _write(path.with_name(f"{path.name}.format{older}"), path.read_text(encoding="utf-8"))
    document = {"format": FORMAT, "agent_id": identity.agent_id, "enrolments": [asdict(one) for one in identity.enrolments]}
    _write(path, json.dumps(document, indent=1))


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def address() -> str:
    """This machine's address as others see it: that of the default route, else the loopback one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: connecting a datagram socket only picks the route
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
