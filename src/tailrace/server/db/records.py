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


@dataclass(frozen=True, slots=True)
class Shard:
    """Keys are 32 hex digits; the shard holds `[begin, end)`, the last one its end too (sls-api §2.6)."""

    id: int
    status: Literal["readwrite", "readonly"]
    begin: str
    end: str
    created: int


@dataclass(frozen=True, slots=True)
class Logstore:
    """`id` is opaque, never reused, and names the engine's table. `index` is the index as it was given, or None without one."""

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


@dataclass(frozen=True, slots=True)
class Agent:
    """One enrolled installation."""

    id: str
    project: str
    logstores: tuple[str, ...]
    created: int
