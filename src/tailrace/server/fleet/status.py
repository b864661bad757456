"""How an agent is: one status at a time, the worst that holds, with the reason and since when.

| status | holds when |
| --- | --- |
| retired | it was silent for 30 days, or 24 h where its machine comes and goes: it is out of all groups until it comes back |
| silent | three heartbeats are missing |
| lagging | it is behind: much that was written is not read, or what was read has waited long to be delivered |
| failed to apply | it cannot run a config that it has been given; the version before it runs, where there is one |
| applying | it is taking a config over |
| degraded | it runs, and something is wrong: what it says of itself, or another machine claims its id |
| healthy | none of these |
| new | it has joined and never reported |
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tailrace.server.fleet.report import Report
from tailrace.wire.control import ConfigInfo, ConfigStatus

BEAT_SECS: Final = 10
SILENT_SECS: Final = 3 * BEAT_SECS + 5
RETIRE_SECS: Final = 30 * 86_400
EPHEMERAL_RETIRE_SECS: Final = 86_400
LAG_BYTES: Final = 64 * 1_048_576
LAG_SECS: Final = 120
INTRUDED_SECS: Final = 60
"""After so long without a word of the other machine its claim is over."""


class Status(enum.StrEnum):
    """The worst first."""

    RETIRED = "retired"
    SILENT = "silent"
    LAGGING = "lagging"
    FAILED = "failed to apply"
    APPLYING = "applying"
    DEGRADED = "degraded"
    HEALTHY = "healthy"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Standing:
    """`since` is in Unix seconds."""

    status: Status
    reason: str
    since: int


def standing(report: Report, now: float, listening_since: float) -> Standing:
    """Of an agent that has reported. Silence counts only while the server listened."""
    if report.retired:
        return Standing(Status.RETIRED, "it was silent for too long", report.retired)
    heard = max(report.last_beat, listening_since)
    if now - heard > SILENT_SECS:
        return Standing(Status.SILENT, f"no heartbeat for {_span(now - report.last_beat)}", report.last_beat)
    return Standing(Status(report.status or Status.HEALTHY), report.reason, report.since)


def condition(report: Report, now: float) -> tuple[Status, str]:
    """Of an agent that has just beaten, and why."""
    return next(_troubles(report, now), (Status.HEALTHY, ""))


def _troubles(report: Report, now: float) -> Iterator[tuple[Status, str]]:
    """The worst first."""
    vitals, infos = report.vitals, [*report.continuous.values(), *report.instance.values()]
    if vitals.lag_bytes > LAG_BYTES:
        yield Status.LAGGING, f"{vitals.lag_bytes // 1_048_576:,} MB are written and not read"
    if vitals.waiting_secs > LAG_SECS:
        yield Status.LAGGING, f"what was read has waited {_span(vitals.waiting_secs)} for its delivery"
    if failed := _first(infos, ConfigStatus.FAILED):
        yield Status.FAILED, f"{failed.name}: {failed.message}"
    if applying := _first(infos, ConfigStatus.APPLYING):
        yield Status.APPLYING, applying.name
    if report.intruder and now - report.intruded < INTRUDED_SECS:
        yield Status.DEGRADED, f"another machine claims its id: {report.intruder}"
    if vitals.state == "degraded":
        yield Status.DEGRADED, vitals.trouble


def is_over(report: Report, now: float) -> bool:
    """Whether it has been silent for so long that it is given up."""
    bound = EPHEMERAL_RETIRE_SECS if report.vitals.ephemeral else RETIRE_SECS
    return now - report.last_beat > bound


def _first(infos: list[ConfigInfo], status: ConfigStatus) -> ConfigInfo | None:
    return next((info for info in infos if info.status == status), None)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
