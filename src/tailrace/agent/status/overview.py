"""The agent's own truth, as rows: files, pipelines, targets, alarms. Any thread may ask; what it says is a moment old."""

import fnmatch
import heapq
import os
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tailrace import __version__, telemetry
from tailrace.agent.delivery.target import Target
from tailrace.agent.guard import Guard
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.streams import Stream
from tailrace.agent.status.lately import Lately
from tailrace.agent.status.tally import SourceError
from tailrace.pipeline.contract import SourceStatus

Row = dict[str, Any]
_Source: TypeAlias = tuple[Lane, SourceStatus, Stream | None, SourceError | None]

SHOWN_FILES: Final = 1000
KNOWN: Final = frozenset({"in_events", "in_bytes", "out_events", "failed", "discarded", "outdated", "retried", "acknowledged_ranges"})
"""Counters that have a column of their own."""


OWN_STATES: Final = frozenset({"revoked", "identity_conflict"})
"""What a server says of this agent that is its state as a whole."""


@dataclass(slots=True)
class Overview:
    """What runs at present. Sessions come and go, this stays: `lanes` and `targets` are those of the present one."""

    lanes: Sequence[Lane] = ()
    targets: Sequence[Target] = ()
    rates: Mapping[str, float] = field(default_factory=dict[str, float])
    """Bytes per second by stream, over the last sample."""
    lately: Lately = field(default_factory=Lately)
    began_at: float = field(default_factory=time.time)
    guard: Guard | None = None
    set_aside: Sequence[str] = ()
    """Pipelines that do not run because the worker died of them."""
    idle: Callable[[], Mapping[str, str]] = dict
    """Pipelines that are to run and do not, and why."""
    servers: Callable[[], Sequence[Row]] = tuple
    """Rows of the servers that were joined."""

    def summary(self) -> Row:
        """The whole agent in one row."""
        troubles = [*(f"{lane.pipeline}: {lane.degraded}" for lane in self.lanes if lane.degraded)]
        troubles += [f"{name}: set aside, the worker died of it again and again" for name in self.set_aside]
        troubles += [f"{name}: does not run: {why}" for name, why in self.idle().items()]
        troubles += [f"{target.flusher.target}: {target.trouble}" for target in self.targets if target.trouble]
        servers = self.servers()
        troubles += [f"server {row['address']}: {row['state']}: {row['trouble']}" for row in servers if row["trouble"]]
        numbers = [lane.tally.snapshot()[0] for lane in self.lanes]
        return {
            "state": next((row["state"] for row in servers if row["state"] in OWN_STATES), "degraded" if troubles else "ok"),
            "troubles": troubles,
            "limited_by": list(self.guard.limited_by) if self.guard is not None else [],
            "version": __version__,
            "pid": os.getpid(),
            "began_at": self.began_at,
            "pipelines": len({lane.pipeline for lane in self.lanes}),
            "targets": len(self.targets),
            "in_events": sum(one.get("in_events", 0) for one in numbers),
            "out_events": sum(one.get("out_events", 0) for one in numbers),
            "waiting_bytes": sum(target.share.used for target in self.targets),
        }

    def pipelines(self) -> list[Row]:
        """One row per pipeline and target."""
        rows: list[Row] = []
        for lane in self.lanes:
            numbers, reasons, _ = lane.tally.snapshot()
            rows.append(
                {
                    "pipeline": lane.pipeline,
                    "target": lane.target.flusher.target,
                    "state": "failed" if lane.failure else "degraded" if lane.degraded or lane.target.trouble else "ok",
                    **{name: numbers.get(name, 0) for name in ("in_bytes", "in_events", "out_events", "failed", "discarded", "outdated")},
                    "retried": numbers.get("retried", 0),
                    "why": {f"{plugin}: {reason}": count for (plugin, reason), count in reasons.items()},
                    "other": {name: count for name, count in numbers.items() if name not in KNOWN},
                    "trouble": lane.degraded or lane.target.trouble,
                }
            )
        return rows + [_idle(name, why) for name, why in self.idle().items()]

    def target_rows(self) -> list[Row]:
        rows: list[Row] = []
        for target in self.targets:
            ranges, oldest, _ = target.waiting
            rows.append(
                {
                    "target": target.flusher.target,
                    "state": "failing" if target.trouble else "ok",
                    "waiting_ranges": ranges,
                    "waiting_bytes": target.share.used,
                    "limit_bytes": target.share.limit,
                    "spooled_bytes": target.spooled_bytes,
                    "oldest_waits_secs": round(oldest, 1),
                    "sent_at": target.sent_at,
                    "trouble": target.trouble,
                }
            )
        return rows

    def files(self, pattern: str = "", limit: int = SHOWN_FILES) -> list[Row]:
        """The files that are furthest behind first; those whose path matches `pattern` (`*`, `?`, `[…]`), where it is given."""
        found = (one for one in self._files() if not pattern or fnmatch.fnmatch(one[1].path, pattern))
        return [self._file(*one) for one in heapq.nlargest(limit, found, key=self._rank)]

    def behind(self, streams: Container[str]) -> bool:
        """Whether there is more to read of any of these streams than was read."""
        sources = (source for lane in self.lanes for source, _ in lane.sources())
        return any(source.size > source.read for source in sources if source.stream in streams)

    def _rank(self, one: _Source) -> tuple[int, bool, float, float]:
        _, source, stream, error = one
        return source.size - source.read, error is not None, self.rates.get(source.stream, 0.0), stream.tally.read_at if stream else 0.0

    def _files(self) -> Iterator[_Source]:
        for lane in self.lanes:
            _, _, errors = lane.tally.snapshot()
            sources = lane.sources()
            yield from ((lane, source, stream, errors.get(source.path)) for source, stream in sources)
            told = {source.path for source, _ in sources} if errors else ()
            for path, error in errors.items():
                if path not in told:
                    yield lane, SourceStatus("", path, 0, 0, 0, 0, "closed"), None, error

    def _file(self, lane: Lane, source: SourceStatus, stream: Stream | None, error: SourceError | None) -> Row:
        committed = stream.committed_end if stream is not None else None
        return {
            "path": source.path,
            "pipeline": lane.pipeline,
            "target": lane.target.flusher.target,
            "stream": source.stream,
            "device": source.device,
            "inode": source.inode,
            "size": source.size,
            "read": source.read,
            "committed": source.read if committed is None else committed,
            "lag": source.size - source.read,
            "rate": round(self.rates.get(source.stream, 0.0)),
            "read_at": stream.tally.read_at if stream is not None else 0.0,
            "state": source.state if source.stream else "not read",
            "last_error": f"{error.kind}: {error.message}" if error is not None else "",
        }


def alarm_rows() -> list[Row]:
    """The alarms that last, then those that are over; of both the latest first."""
    known = sorted(telemetry.recent_alarms(), key=lambda alarm: (alarm.state != "active", -alarm.last_at))
    return [_alarm(alarm) for alarm in known]


def _alarm(alarm: telemetry.Alarm) -> Row:
    values = {name: str(value) for name, value in alarm.values.items()}
    return {
        "id": alarm.id,
        "alarm": alarm.kind,
        "severity": alarm.severity,
        "state": alarm.state,
        "count": alarm.count,
        "first_at": alarm.first_at,
        "last_at": alarm.last_at,
        "resolved_at": alarm.resolved_at,
        "pipeline": values.pop("pipeline", ""),
        "message": alarm.message,
        "sample": values,
    }


def sources_of(lanes: Iterable[Lane]) -> Iterator[tuple[Lane, SourceStatus, Stream]]:
    """Every stream that an input reads, with its lane."""
    for lane in lanes:
        for source, stream in lane.sources():
            if stream is not None:
                yield lane, source, stream


def _idle(name: str, why: str) -> Row:
    """Of a pipeline that does not run."""
    nothing = dict.fromkeys(("in_bytes", "in_events", "out_events", "failed", "discarded", "outdated", "retried"), 0)
    return {"pipeline": name, "target": "", "state": "refused", **nothing, "why": {}, "other": {}, "trouble": why}
