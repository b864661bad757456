"""Write quotas: how many bytes and writes per second a project, a logstore and each of its shards take (sls-api §1.4, WriteQuotaExceed).
`max_bytes` stands beside them and is `retention`'s business.

Counted are log groups that are new, by their size before compression: a repeat costs nothing, as it stores nothing. Each bound is a bucket
that holds a few seconds' worth; a write is let in while there is something in it, whatever its own size, so that no bound is smaller than a
request. All of a write's buckets are asked before any is charged.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tailrace import telemetry
from tailrace.errors import ApiError
from tailrace.server.db.records import Logstore, Project
from tailrace.server.internal import is_internal
from tailrace.server.settings import LEAST_QUERY_MEMORY, Settings
from tailrace.server.store.port import Package

BURST_SECS = 3.0
"""What may be saved up: agents send in bursts."""
MOST_KNOWN = 50_000
METER_SECS = 10.0
"""Of a rate that is shown."""

REFUSED = telemetry.counter("tailrace_quota_refusals_total", "Writes that were refused by a quota.", "scope")


class Quota(BaseModel):
    """Bounds of a project or a logstore; null is the server's default, 0 is no bound where it is allowed."""

    model_config = ConfigDict(extra="forbid")

    write_bytes_per_sec: int | None = Field(None, ge=0, le=1 << 50, description="Bytes of log groups before compression.")
    writes_per_sec: int | None = Field(None, ge=0, le=1_000_000_000, description="Requests that write.")


class ProjectQuota(Quota):
    """Those of a project, how many things it may hold, and what its queries may use."""

    max_logstores: int | None = Field(None, ge=0, le=1_000_000, description="How many logstores there may be.")
    max_configs: int | None = Field(None, ge=0, le=1_000_000, description="How many collection configs there may be.")
    max_machine_groups: int | None = Field(None, ge=0, le=1_000_000, description="How many machine groups there may be.")
    queries_at_once: int | None = Field(None, ge=0, le=1000, description="Queries of one kind that run at the same time; others wait.")
    query_secs: int | None = Field(None, ge=1, le=3600, description="Seconds of a query: a search answers with what it has, others fail.")
    query_rows: int | None = Field(None, ge=0, le=1 << 50, description="Events that a query may read: then it answers with what it has.")
    query_memory_bytes: int | None = Field(
        None, ge=LEAST_QUERY_MEMORY, le=1 << 50, description="Memory of a query; one that needs more fails."
    )

    @classmethod
    def stored(cls, document: Mapping[str, Any]) -> Self:
        """What an earlier release took and this one refuses counts as not set."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            refused = {each["loc"][0] for each in error.errors()}
            return cls.model_validate({name: value for name, value in document.items() if name not in refused})


class LogstoreQuota(Quota):
    """Those of a logstore, and of each of its shards."""

    shard_write_bytes_per_sec: int | None = Field(None, ge=0, le=1 << 50, description="The same for each shard.")
    max_bytes: int | None = Field(
        None, ge=0, le=1 << 60, description="Bytes on disk that events and their indexes may take: beyond it the oldest go. 0 is no bound."
    )


@dataclass(slots=True)
class Bucket:
    """What is left of a bound. `level` is below zero after a write that was larger than what was left."""

    what: str
    scope: str
    rate: float
    level: float
    filled_at: float

    def wait(self, now: float) -> float:
        """Seconds until something is in it; 0 when there is."""
        self.level = min(self.rate * BURST_SECS, self.level + (now - self.filled_at) * self.rate)
        self.filled_at = now
        return 0.0 if self.level > 0 else max(0.001, -self.level / self.rate)


@dataclass(slots=True)
class Meter:
    """Bytes and writes that were let in lately: those of this span of `METER_SECS` and of the one before."""

    began_at: float
    now: tuple[int, int] = (0, 0)
    before: tuple[int, int] = (0, 0)

    def count(self, size: int, at: float) -> None:
        self._move(at)
        self.now = (self.now[0] + size, self.now[1] + 1)

    def rates(self, at: float) -> tuple[float, float]:
        """Bytes and writes per second, of the last ten to twenty seconds."""
        self._move(at)
        secs = METER_SECS + at - self.began_at
        return (self.now[0] + self.before[0]) / secs, (self.now[1] + self.before[1]) / secs

    def _move(self, at: float) -> None:
        spans = int((at - self.began_at) / METER_SECS)
        if spans:
            self.before = self.now if spans == 1 else (0, 0)
            self.now = (0, 0)
            self.began_at += spans * METER_SECS


@dataclass(slots=True)
class _Bounds:
    """Those of one logstore, as its project's and its own quota say."""

    project: Mapping[str, Any]
    logstore: Mapping[str, Any]
    bytes: list[Bucket]
    writes: list[Bucket]
    shard_rate: float
    shards: dict[int, Bucket]
    meters: tuple[Meter, ...]


class Quotas:
    """One per server, on its event loop."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._known: dict[int, _Bounds] = {}
        self._projects: dict[int, tuple[Mapping[str, Any], list[Bucket], list[Bucket]]] = {}
        self._meters: dict[tuple[str, int], Meter] = {}

    def admit(self, project: Project, logstore: Logstore, packages: Sequence[Package], shards: Sequence[int]) -> None:
        """Let new log groups in, and count them. Raises ApiError 403 WriteQuotaExceed; then nothing is counted."""
        bounds = self._bounds(project, logstore)
        charges = [(bucket, 1) for bucket in bounds.writes]
        size = sum(package.raw_size for package in packages)
        charges += [(bucket, size) for bucket in bounds.bytes]
        if bounds.shard_rate:
            charges += self._by_shard(bounds, logstore, packages, shards)
        now = self._clock()
        if charges:
            self._check(charges, now)
        for bucket, amount in charges:
            bucket.level -= amount
        for meter in bounds.meters:
            meter.count(size, now)

    def rates(self, project: Project, logstore: Logstore | None = None) -> tuple[float, float]:
        """Bytes and writes per second that have come lately; of a project without what agents say about themselves."""
        key = ("project", project.id) if logstore is None else ("logstore", logstore.id)
        meter = self._meters.get(key)
        return (0.0, 0.0) if meter is None else meter.rates(self._clock())

    def _check(self, charges: Sequence[tuple[Bucket, int]], now: float) -> None:
        wait, fullest = max(((bucket.wait(now), bucket) for bucket, _ in charges), key=lambda one: one[0])
        if wait:
            REFUSED.labels(scope=fullest.scope).inc()
            raise ApiError(403, "WriteQuotaExceed", f"{fullest.what} takes {fullest.rate:.0f} per second at most", retry_after=wait)

    def _by_shard(
        self, bounds: _Bounds, logstore: Logstore, packages: Sequence[Package], shards: Sequence[int]
    ) -> list[tuple[Bucket, int]]:
        sizes: dict[int, int] = {}
        for package, shard in zip(packages, shards, strict=True):
            sizes[shard] = sizes.get(shard, 0) + package.raw_size
        for shard in sizes.keys() - bounds.shards.keys():
            bounds.shards[shard] = self._bucket(f"bytes: shard {shard} of logstore `{logstore.name}`", "shard", bounds.shard_rate)
        return [(bounds.shards[shard], size) for shard, size in sizes.items()]

    def _bounds(self, project: Project, logstore: Logstore) -> _Bounds:
        """Made anew when a quota has changed; records are replaced, never changed. What agents say about themselves counts for itself."""
        known = self._known.get(logstore.id)
        if known is not None and known.logstore is logstore.quota and known.project is project.quota:
            return known
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
            self._meters.clear()
        settings, own = self._settings, LogstoreQuota.model_validate(logstore.quota)
        internal = is_internal(logstore.name)
        shared_bytes, shared_writes = ((), ()) if internal else self._of_project(project)
        default = settings.internal_log_write_bytes_per_sec if internal else settings.logstore_write_bytes_per_sec
        name = f"logstore `{logstore.name}`"
        bounds = self._known[logstore.id] = _Bounds(
            project.quota,
            logstore.quota,
            [*shared_bytes, *self._bucket_of(f"bytes: {name}", "logstore", own.write_bytes_per_sec, default)],
            [*shared_writes, *self._bucket_of(f"writes: {name}", "logstore", own.writes_per_sec, settings.logstore_writes_per_sec)],
            float(chosen(own.shard_write_bytes_per_sec, settings.shard_write_bytes_per_sec)),
            {},
            (self._meter("logstore", logstore.id), *(() if internal else (self._meter("project", project.id),))),
        )
        return bounds

    def _meter(self, scope: str, number: int) -> Meter:
        return self._meters.setdefault((scope, number), Meter(self._clock()))

    def _of_project(self, project: Project) -> tuple[list[Bucket], list[Bucket]]:
        known = self._projects.get(project.id)
        if known is None or known[0] is not project.quota:
            settings, own, name = self._settings, ProjectQuota.stored(project.quota), f"project `{project.name}`"
            known = self._projects[project.id] = (
                project.quota,
                self._bucket_of(f"bytes: {name}", "project", own.write_bytes_per_sec, settings.project_write_bytes_per_sec),
                self._bucket_of(f"writes: {name}", "project", own.writes_per_sec, settings.project_writes_per_sec),
            )
        return known[1], known[2]

    def _bucket_of(self, what: str, scope: str, own: int | None, default: int) -> list[Bucket]:
        rate = chosen(own, default)
        return [self._bucket(what, scope, rate)] if rate else []

    def _bucket(self, what: str, scope: str, rate: float) -> Bucket:
        return Bucket(what, scope, rate, rate * BURST_SECS, self._clock())


def chosen(own: int | None, default: int) -> int:
    """What was set, else the server's."""
    return default if own is None else own
