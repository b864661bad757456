"""What a check of a logstore can find, and what can honestly be said of it (docs/concepts/store.md "Checking").

The rows of a shard are numbered without holes when they are acknowledged, so a number that is not there is a row that is not there. The
sequences of an agent's stream are not like that: one whose events were all filtered out is used up and never sent. What is missing of a
stream is therefore held against what is missing of its shards.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

EDGE_MS = 600_000
"""How long after the oldest row of a shard nothing is judged when older ones have gone: the engine drops files, whose rows overlap."""
SLACK_MS = 60_000
"""How far in time from a hole of its shard a gap of a stream may lie and still come from it: packages may overtake each other."""

Judged = Literal["missing", "retention"]
Cause = Literal["missing", "unclear", "pending", "empty", "retention"]
CAUSES = get_args(Cause)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Rows `first`…`last` of a shard that are not there. The rows around them were received at `before_ms` (0: there is none) and
    `after_ms`."""

    shard: int
    first: int
    last: int
    before_ms: int
    after_ms: int
    judged: Judged = "missing"

    @property
    def rows(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The first event of a sequence that is there: its row, and when it was received."""

    shard: int
    row: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class StreamGap:
    """Sequences `first`…`last` of an agent's stream whose first event is not there.

    missing   they lie around rows that are missing from their shard
    unclear   rows of their shard are missing from about the same time
    pending   the agent has not said yet that they are acknowledged
    empty     no row of their shard is missing: nothing was stored under them
    retention they lie around rows that may have gone
    """

    agent: str
    epoch: bytes
    stream: int
    first: int
    last: int
    before: Neighbour
    after: Neighbour
    cause: Cause = "empty"

    @property
    def sequences(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Check:
    """Of one logstore. `missing` rows are at least so many, and `holes` and `gaps` not all, when `cut`
    says so. `set_aside`: blocks that
    the engine never took and that lie in the quarantine."""

    rows: int = 0
    missing: int = 0
    holes: Sequence[Hole] = ()
    gaps: Sequence[StreamGap] = ()
    set_aside: int = 0
    cut: bool = False


def judged(hole: Hole, *, begins_at: int, begins_ms: int, kept_from_ms: int) -> Hole:
    """`begins_at`, `begins_ms`: number and time of the oldest row of the shard; `kept_from_ms`: what came before it may go."""
    edge = begins_at > 0 and hole.before_ms <= begins_ms + EDGE_MS
    return replace(hole, judged="retention" if edge or hole.before_ms <= kept_from_ms else "missing")


def explained(gap: StreamGap, holes: Iterable[Hole], acknowledged_below: int | None) -> StreamGap:
    """`acknowledged_below`: what the agent said last; None for a stream that is over or silent for long."""
    causes = {_of_hole(gap, hole) for hole in holes}
    for cause in ("missing", "retention"):
        if cause in causes:
            return replace(gap, cause=cause)
    if acknowledged_below is not None and gap.last >= acknowledged_below:
        return replace(gap, cause="pending")
    return replace(gap, cause="unclear" if "unclear" in causes else "empty")


def _of_hole(gap: StreamGap, hole: Hole) -> Cause:
    if gap.before.shard == gap.after.shard == hole.shard and gap.before.row < hole.first and hole.last < gap.after.row:
        return hole.judged
    if hole.judged == "retention":
        return "empty"
    near = hole.before_ms - SLACK_MS <= gap.after.at_ms and gap.before.at_ms <= hole.after_ms + SLACK_MS
    return "unclear" if near and hole.shard in (gap.before.shard, gap.after.shard) else "empty"
