"""Quotas beside what is used of them at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tailrace.server.api.call import Services
from tailrace.server.db.records import Logstore, Project
from tailrace.server.quota import LogstoreQuota, ProjectQuota, chosen
from tailrace.server.store.port import Usage
from tailrace.server.store.turns import Use

KINDS = {"light": "searches", "scan": "scans", "analytics": "SQL", "export": "exports", "pull": "consumers"}
"""Limit classes as their users call them."""


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """`limit` 0 is no bound of its own; `used` is None where each request counts for itself."""

    quota: str
    limit: int
    set_for: str
    """`project` or `logstore`, or `server` where nothing was set."""
    used: float | None = None
    waiting: int = 0
    refused: int = 0


def of_project(server: Services, project: Project) -> list[QuotaUse]:
    """In the order of the quota's document."""
    own, settings = ProjectQuota.stored(project.quota), server.settings
    sizes, writes = server.quotas.rates(project)

    def row(name: str, used: float | None = None) -> QuotaUse:
        default = getattr(settings, name if hasattr(settings, name) else f"project_{name}")
        return _use(name, getattr(own, name), default, used)

    counts = {
        "max_logstores": len(server.catalog.logstores(project.name)),
        "max_configs": len(server.collection.configs(project.name)),
        "max_machine_groups": len(server.collection.groups(project.name)),
    }
    return [
        row("write_bytes_per_sec", round(sizes, 1)),
        row("writes_per_sec", round(writes, 1)),
        *(row(name, count) for name, count in counts.items()),
        *_queries(server, project, chosen(own.queries_at_once, settings.project_queries_at_once), own.queries_at_once is not None),
        row("query_secs"),
        row("query_rows"),
        row("query_memory_bytes"),
    ]


def of_logstore(server: Services, project: Project, logstore: Logstore, usage: Usage) -> list[QuotaUse]:
    """Likewise."""
    own, settings = LogstoreQuota.model_validate(logstore.quota), server.settings
    sizes, writes = server.quotas.rates(project, logstore)
    use = partial(_use, set_for="logstore")
    return [
        use("write_bytes_per_sec", own.write_bytes_per_sec, settings.logstore_write_bytes_per_sec, round(sizes, 1)),
        use("writes_per_sec", own.writes_per_sec, settings.logstore_writes_per_sec, round(writes, 1)),
        use("shard_write_bytes_per_sec", own.shard_write_bytes_per_sec, settings.shard_write_bytes_per_sec),
        use("max_bytes", own.max_bytes, 0, usage.bytes),
    ]


def _queries(server: Services, project: Project, limit: int, own: bool) -> Sequence[QuotaUse]:
    none = Use()
    found: list[QuotaUse] = []
    for kind, tenants in server.store.use().items():
        use = tenants.get(project.name, none)
        set_for = "project" if own else "server"
        found.append(QuotaUse(f"queries_at_once: {KINDS[kind]}", limit, set_for, use.running, use.waiting, use.refused))
    return found


def _use(name: str, own: int | None, default: int, used: float | None = None, *, set_for: str = "project") -> QuotaUse:
    return QuotaUse(name, chosen(own, default), "server" if own is None else set_for, used)
