"""What the metadata database holds, as the rest of the server sees it: plain values that never touch the database again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tailrace.server.store.port import TableSpec


@dataclass(frozen=True, slots=True)
class Project:
    """Times are Unix seconds. `options` are further keys of its JSON that are only stored and given back."""

    id: int
    name: str
    description: str
    created: int
    modified: int
    options: Mapping[str, Any] = field(default_factory=dict)
    quota: Mapping[str, Any] = field(default_factory=dict)
    """Bounds that were set for it (`server.quota`)."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Keys are 32 hex digits; the shard holds `[begin, end)`, the last one its end too (sls-api §2.6)."""

    id: int
    status: Literal["readwrite", "readonly"]
    begin: str
    end: str
    created: int
    closed: int | None = None
    """When it was split or merged, after which it takes no writes."""


@dataclass(frozen=True, slots=True)
class Logstore:
    """`id` is opaque, never reused, and names the engine's table. `index` is the index as it was given, or None without one; `table` is
    what queries use, `building` what they are going to use as soon as it holds all rows."""

    id: int
    project: str
    name: str
    ttl: int
    created: int
    modified: int
    table: TableSpec
    shards: tuple[Shard, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    index: Mapping[str, Any] | None = None
    index_modified: int = 0
    quota: Mapping[str, Any] = field(default_factory=dict)
    building: TableSpec | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An access key. `secret` is encrypted (`auth.vault`); `logstores` and `agent` bind keys of kind *agent*."""

    id: str
    kind: Literal["admin", "agent", "user"]
    secret: bytes
    created: int
    enabled: bool = True
    agent: str = ""
    project: str = ""
    logstores: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    """What a *user* key may do: SLS action names, `log:Get*` for a family."""
    expires: int | None = None
    """Unix seconds; None never does."""
    user: str = ""
    """Whose it is: it may do no more than its user."""
    role: str = ""
    """Of a key without a user: what it may do in its project."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A person. `roles` are project → role; the project `*` stands for all of them and the server itself."""

    name: str
    password_hash: str
    roles: Mapping[str, str]
    created: int
    modified: int
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class LoginSession:
    """That a user has logged in. `secret_hash` is SHA-256 of the token's secret, hex; times are Unix seconds."""

    id: str
    secret_hash: str
    user: str
    address: str
    created: int
    expires: int


ALL_LOGSTORES = ("*",)
"""In a key, a grant or a token: all logstores of its project, those to come as well."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One enrolled installation. `public_key` is the hash of its key, empty of one that was enrolled on the server's own machine."""

    id: str
    created: int
    public_key: str = ""
    machine_id: str = ""
    host_name: str = ""
    boot_id: str = ""
    """The start of the agent that holds the id at present."""
    revoked: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """That an agent may write to these logstores of a project."""

    agent: str
    project: str
    logstores: tuple[str, ...]
    created: int


@dataclass(frozen=True, slots=True)
class Token:
    """A join token. `uses_left` is None where it may be used any number of times."""

    id: str
    secret_hash: str
    project: str
    logstores: tuple[str, ...]
    note: str
    uses_left: int | None
    used: int
    created: int
    expires: int
    revoked: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A collection config in its present version. `document` is what was saved, word for word, in the classic or the pipeline form."""

    id: int
    project: str
    name: str
    form: Literal["classic", "pipeline"]
    version: int
    """1 when it is made, one more with each change."""
    document: Mapping[str, Any]
    author: str
    """Who saved this version."""
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """One version of a config as it was."""

    version: int
    document: Mapping[str, Any]
    author: str
    saved: int


@dataclass(frozen=True, slots=True)
class MachineGroup:
    """Which agents collect together: those of these addresses, or those that carry one of these user-defined ids."""

    id: int
    project: str
    name: str
    identify_by: Literal["ip", "userdefined"]
    machines: tuple[str, ...]
    group_type: str
    attribute: Mapping[str, Any]
    """`groupTopic` and `externalName`."""
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """Consumers that share the shards of a logstore among them. `silence_secs`: how long one may go without a heartbeat before it counts as
    gone. `in_order`: what a shard was split into is not read before the shard itself has been."""

    id: int
    name: str
    silence_secs: int
    in_order: bool


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a group has read a shard: a cursor, "" at the begin. `updated` is in microseconds; `consumer` holds the shard."""

    cursor: str = ""
    updated: int = 0
    consumer: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What a client keeps here for itself, word for word."""

    name: str
    content: Mapping[str, Any]
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class Tag:
    """`resource` is a project's name, or `<project>#<name>`; `type` says of what."""

    type: str
    resource: str
    key: str
    value: str
