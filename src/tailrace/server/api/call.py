"""One request to the SLS API as a handler sees it, the route table's entry, and the few shapes of an answer.

A handler is `async (Call) -> Response`; it raises ApiError for everything that is not a success. When it runs, the signature is
verified, the action authorised, the project known and the body read within its bound.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from starlette.responses import Response

from tailrace.batch import compress
from tailrace.errors import ApiError
from tailrace.server.auth.principal import Principal
from tailrace.server.db.records import Logstore, Project

if TYPE_CHECKING:
    from tailrace.server.audit.audit import Audit
    from tailrace.server.auth.authority import Authority
    from tailrace.server.auth.passwords import Passwords
    from tailrace.server.auth.sessions import Sessions
    from tailrace.server.auth.tls import Certificates
    from tailrace.server.auth.vault import Vault
    from tailrace.server.backup import Backups
    from tailrace.server.consumption.groups import ConsumerGroups
    from tailrace.server.db.accounts import Accounts
    from tailrace.server.db.catalog import Catalog
    from tailrace.server.db.collection import Collection
    from tailrace.server.db.documents import Documents
    from tailrace.server.db.roster import Roster
    from tailrace.server.fleet.commands import Commands
    from tailrace.server.fleet.fleet import Fleet
    from tailrace.server.fleet.heartbeats import Heartbeats
    from tailrace.server.fleet.instance_configs import InstanceConfigs
    from tailrace.server.fleet.management import Management
    from tailrace.server.fleet.membership import Membership
    from tailrace.server.fleet.reports import Reports
    from tailrace.server.fleet.roll import Roll
    from tailrace.server.fleet.rollouts import Rollouts
    from tailrace.server.fleet.waking import Waking
    from tailrace.server.ingest import Ingest
    from tailrace.server.query.exports import Exports
    from tailrace.server.query.walking import Unfinished
    from tailrace.server.quota import Quotas
    from tailrace.server.retention import Retention
    from tailrace.server.settings import Settings
    from tailrace.server.store.port import Store

__all__ = ["Call", "Handler", "Response", "Route", "Services", "bytes_response", "json_response", "ok"]

ResponseCompression: TypeAlias = Literal["", "lz4", "zstd"]


@dataclass(frozen=True, slots=True)
class Services:
    """What the server is made of: one of each per process."""

    settings: "Settings"
    catalog: "Catalog"
    store: "Store"
    ingest: "Ingest"
    quotas: "Quotas"
    backups: "Backups"
    retention: "Retention"
    vault: "Vault"
    roster: "Roster"
    accounts: "Accounts"
    passwords: "Passwords"
    sessions: "Sessions"
    audit: "Audit"
    collection: "Collection"
    consumers: "ConsumerGroups"
    documents: "Documents"
    exports: "Exports"
    unfinished: "Unfinished"
    authority: "Authority"
    certificates: "Certificates"
    fleet: "Fleet"
    management: "Management"
    server_id: str
    addresses: tuple[str, ...]
    """Where agents reach this server, `https://host:port`, the best one first."""
    domains: frozenset[str]
    """Names of this server; `<project>.<domain>` addresses a project."""
    upgrade_root: Mapping[str, Any]
    """The public root of trust for upgrades, as agents get it."""
    keep_admin_key: Callable[[str, str], None]
    """Writes id and secret of the server's own key to its file."""

    @property
    def reports(self) -> "Reports":
        return self.management.reports

    @property
    def membership(self) -> "Membership":
        return self.management.membership

    @property
    def heartbeats(self) -> "Heartbeats":
        return self.management.heartbeats

    @property
    def waking(self) -> "Waking":
        return self.management.waking

    @property
    def roll(self) -> "Roll":
        return self.management.roll

    @property
    def rollouts(self) -> "Rollouts":
        return self.management.rollouts

    @property
    def settings_of(self) -> "InstanceConfigs":
        """Settings that machine groups have."""
        return self.management.settings

    @property
    def commands(self) -> "Commands":
        return self.management.commands


@dataclass
class Call:
    """One authenticated request."""

    request_id: str
    """24 upper-case hex digits."""
    method: str
    path: str
    """As on the request line: not percent-decoded, without query."""
    query: dict[str, str]
    """Decoded; of a repeated name the last value."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """As sent, that is compressed."""
    principal: Principal
    services: Services
    project: Project | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    """Values of the route's `{names}`, percent-decoded."""
    peer: str = ""
    """Address of the other end of the connection."""
    disconnected: Callable[[], Awaitable[None]] | None = None
    """Returns when the client has gone away: race it against long work."""

    @property
    def catalog(self) -> "Catalog":
        return self.services.catalog

    @property
    def collection(self) -> "Collection":
        return self.services.collection

    @property
    def store(self) -> "Store":
        return self.services.store

    @property
    def settings(self) -> "Settings":
        return self.services.settings

    @cached_property
    def accept_compression(self) -> ResponseCompression:
        """What the answer may be compressed with: `Accept-Encoding` counts only when it is exactly `lz4` or `zstd` (sls-api §1.3)."""
        accepted = self.headers.get("accept-encoding", "").strip().lower()
        if accepted == "lz4":
            return "lz4"
        return "zstd" if accepted == "zstd" else ""

    def json(self) -> Any:
        """The body as JSON. Raises ApiError 400 PostBodyInvalid."""
        try:
            data = json.loads(self.body)
            json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair is no text, and could never be given back
        except UnicodeEncodeError:
            raise ApiError(400, "PostBodyInvalid", "the body holds half of a surrogate pair") from None
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "PostBodyInvalid", f"the body is not JSON: {error}") from None
        return data

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ApiError 400 PostBodyInvalid."""
        data = self.json()
        if not isinstance(data, dict):
            raise ApiError(400, "PostBodyInvalid", "the body has to be a JSON object")
        return data

    def logstore(self, name: str | None = None) -> Logstore:
        """A logstore of the call's project; by default the one that the path names. Raises ApiError 404 LogStoreNotExist."""
        name = self.parameters["logstore"] if name is None else name
        project = self.require_project()
        found = self.catalog.logstore(project.name, name)
        if found is None:
            raise ApiError(404, "LogStoreNotExist", f"logstore `{name}` does not exist")
        return found

    def require_project(self) -> Project:
        """The project that the host names. Raises ApiError 404 ProjectNotExist."""
        if self.project is None:
            raise ApiError(404, "ProjectNotExist", "the host names no project")
        return self.project


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. Of the routes with the same method and path, the one with the most `match`es that all hold is taken."""

    method: str
    pattern: str
    """`/logstores/{logstore}/shards/lb`; a `{name}` takes one path segment."""
    action: str
    """SLS action name, asked of `authorize`: `log:PostLogStoreLogs`."""
    handler: Handler
    match: Mapping[str, str] = field(default_factory=dict)
    """Query parameters that select this route: name → exact value."""
    project: bool | None = True
    """Whether the host names a project: it has to (True), it must not (False), or it may (None)."""
    log_write: bool = False
    """Whether the body is log data: bounded by the wire limit, checked against `x-log-bodyrawsize`."""


def ok(headers: Mapping[str, str] | None = None) -> Response:
    """Success without an answer: zero length, and no content type (Node parses whatever has one)."""
    return Response(b"", 200, headers)


def bytes_response(
    body: bytes, media_type: str, *, headers: Mapping[str, str] | None = None, compression: ResponseCompression = ""
) -> Response:
    """Success with a body; compressed bodies are announced by `x-log-compresstype` and never by `Content-Encoding` (sls-api §1.3)."""
    all_headers = dict(headers or {})
    all_headers["x-log-bodyrawsize"] = str(len(body))
    if compression:
        all_headers["x-log-compresstype"] = compression
        body = compress(body, compression)
    return Response(body, 200, all_headers, media_type=media_type)


def json_response(data: object, *, headers: Mapping[str, str] | None = None, compression: ResponseCompression = "") -> Response:
    """Success with JSON. Pass `call.accept_compression` on `POST …/logs` only."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if not compression:
        return Response(body, 200, headers, media_type="application/json")
    return bytes_response(body, "application/json", headers=headers, compression=compression)
