"""What there is of alarms: each kind that Logtail's manual has or that we raise, with its weight, its meaning and what to do.

A kind is either raised, and then names the test that provokes it, or not, and then says why. The page docs/reference/alarms.md is made of
this (`telemetry.page`); a test holds the catalogue against the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Severity: TypeAlias = Literal["warning", "error", "critical"]
"""`warning`: degraded, and recovering by itself. `error`: someone must act. `critical`: data is lost, or nothing gets on."""


@dataclass(frozen=True, slots=True)
class AlarmKind:
    """One that is raised."""

    name: str
    severity: Severity
    means: str
    remedy: str
    test: str
    """`path::function` under `tests`: what provokes it."""
    is_condition: bool = False
    """It lasts until whoever raised it says that it is over; other kinds are over after a time of silence."""
    by: Literal["agent", "server"] = "agent"


@dataclass(frozen=True, slots=True)
class UnusedKind:
    """One of the manual's that is never raised here, and why."""

    name: str
    why_not: str


_UNKNOWN: Final = AlarmKind("", "warning", "", "", "")
_known: dict[str, AlarmKind] = {}


def described(name: str) -> AlarmKind:
    """The kind with this name; one that is in no catalogue counts as a warning."""
    return _kinds().get(name, _UNKNOWN)


def _kinds() -> Mapping[str, AlarmKind]:
    if not _known:
        from tailrace.telemetry.kinds import RAISED  # noqa: PLC0415 - the table is made of these classes
        from tailrace.telemetry.server_kinds import RAISED_BY_SERVERS  # noqa: PLC0415

        _known.update({kind.name: kind for kind in (*RAISED, *RAISED_BY_SERVERS)})
    return _known
