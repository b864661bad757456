"""A version of a config on its way to the agents, in stages: what it is, and what is decided from what its agents say.

The first agents get it, then more of them; the others keep the version before. A stage is over when all of its agents that are not silent
run the new version, and have done so for a while; one that got it and fell silent cannot run it, unless its machine comes and goes. It
stops by itself when more agents than allowed cannot run it, or fall behind with it.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from tailrace.server.fleet.report import Report

STAGE: Final = re.compile(r"([1-9][0-9]{0,5})(%?)")
STAGES: Final = ("1", "5%", "25%", "100%")
MAX_STAGES: Final = 20

State = Literal["running", "paused", "stopped", "done", "rolled back", "superseded"]
HOLDING: Final = frozenset({"running", "paused", "stopped"})
"""While it is so, agents that it has not come to keep the version before."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Times are Unix seconds."""

    id: int
    project: str
    config: str
    config_id: int
    before: int
    """Version that the other agents keep; 0: the config is new, they have none."""
    version: int
    stages: tuple[str, ...]
    soak_secs: int
    max_failures: int
    max_lag_bytes: int
    """By so much an agent may fall behind since it got the version; 0: no bound."""
    author: str
    created: int
    state: State = "running"
    reason: str = ""
    """Why it is stopped."""
    stage: int = 0
    """Index of the present one."""
    changed: int = 0
    admitted: Mapping[str, int] = field(default_factory=dict[str, int])
    """Agents that it has come to, each with how far behind it was then, in bytes."""
    heard: Mapping[str, list[int]] = field(default_factory=dict[str, list[int]])
    """The moment (`Report.moment`) of the last beat that each had sent by then."""

    def was_heard(self, report: Report) -> bool:
        """Whether an agent has beaten since it was let have the version, which the answer to that beat gave it."""
        return report.agent in self.heard and report.moment > self.heard[report.agent]

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, id_: int, document: Mapping[str, Any]) -> "Rollout":
        values: dict[str, Any] = {**document, "id": id_, "stages": tuple(document["stages"])}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one agent that it has come to."""

    agent: str
    outcome: Literal["applied", "applying", "failed", "silent"]
    message: str = ""
    behind: int = 0
    """More than when it got the version, in bytes."""


def chosen(rollout: Rollout, members: Sequence[str]) -> list[str]:
    """The members that the present stage is for. Which ones come first is left to chance, and the same on every look."""
    match = STAGE.fullmatch(rollout.stages[rollout.stage])
    assert match is not None, "stages are checked when it begins"
    number = int(match[1])
    count = math.ceil(len(members) * number / 100) if match[2] else number
    return sorted(members, key=lambda agent: hashlib.sha256(f"{rollout.id}/{agent}".encode()).digest())[:count]


def trouble(rollout: Rollout, progress: Iterable[Progress]) -> str:
    """Why it has to stop; empty when it has not."""
    progress = list(progress)
    failed = [one for one in progress if one.outcome == "failed"]
    if len(failed) > rollout.max_failures:
        count = f"{len(failed)} agents" if len(failed) > 1 else "an agent"
        return f"{count} cannot run it: `{failed[0].agent}`: {failed[0].message}"
    behind = [one for one in progress if rollout.max_lag_bytes and one.behind > rollout.max_lag_bytes]
    if behind:
        return f"agent `{behind[0].agent}` falls behind with it: by {behind[0].behind // 1_048_576:,} MB"
    return ""


def is_settled(progress: Iterable[Progress]) -> bool:
    """Whether all agents of the stage that can say so run it, but for failures that are allowed."""
    return all(one.outcome in ("applied", "silent", "failed") for one in progress)
