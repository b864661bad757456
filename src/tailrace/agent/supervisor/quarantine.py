"""What is set aside because a worker died of it, three times: a range, or a whole pipeline.

A range that is set aside is delivered as its raw lines, without the pipeline's processors; a pipeline that is set aside does not run, its
files wait. Both are about one config version: a changed pipeline gets a new chance. The ledger is kept in `HOME/agent/quarantine.json`.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tailrace.agent.kinds import checked
from tailrace.agent.supervisor.blackbox import AtWork
from tailrace.errors import DamagedError, NewerFormatError
from tailrace.journal import write_private

NAME: Final = "quarantine.json"
LAYOUT: Final = 1
CRASHES: Final = 3
"""So many of them of one range, or of one pipeline within PERIOD_SECS."""
PERIOD_SECS: Final = 3600.0
KEPT: Final = 100
"""Crashes, and ranges set aside, that are remembered."""
MOST_TOLD: Final = 32_768
"""Bytes that a worker is told of; a message has 65,536 for all that is in it (docs/specs/supervision.md)."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """What a worker died of, as far as that is known: a pipeline, and where `stream` is not empty a range of it. `at`: Unix seconds."""

    pipeline: str
    version: str
    stream: str = ""
    start: int = 0
    end: int = 0
    at: float = 0.0

    @classmethod
    def of(cls, work: AtWork) -> "Suspect":
        return cls(work.pipeline, work.version, work.stream, work.start, work.end, time.time())

    def overlaps(self, other: "Suspect") -> bool:
        same = (self.pipeline, self.version, self.stream) == (other.pipeline, other.version, other.stream)
        return same and bool(self.stream) and self.start < other.end and other.start < self.end


@dataclass(slots=True)
class Quarantine:
    """The ledger of one home."""

    crashes: list[Suspect] = field(default_factory=list[Suspect])
    ranges: list[Suspect] = field(default_factory=list[Suspect])
    pipelines: list[Suspect] = field(default_factory=list[Suspect])

    # --- for the supervisor -----------------------------------------------------------------------------------------------------
    def crashed(self, suspects: Sequence[Suspect]) -> list[Suspect]:
        """Note one crash; what is set aside because of it."""
        set_aside: list[Suspect] = []
        for suspect in suspects:
            self.crashes = [*self.crashes, suspect][-KEPT:]
            aside = self._range_of(suspect) or self._pipeline_of(suspect)
            if aside is not None:
                set_aside.append(aside)
        return set_aside

    def release(self, pipeline: str) -> bool:
        """Give a pipeline and its ranges another chance; whether there was something."""
        before = len(self.ranges) + len(self.pipelines)
        for kept in (self.crashes, self.ranges, self.pipelines):
            kept[:] = [one for one in kept if one.pipeline != pipeline]
        return len(self.ranges) + len(self.pipelines) < before

    def _range_of(self, suspect: Suspect) -> Suspect | None:
        alike = [one for one in self.crashes if one.overlaps(suspect)]
        start, end = max((one.start for one in alike), default=0), min((one.end for one in alike), default=0)
        if len(alike) < CRASHES or start >= end or any(one.overlaps(suspect) for one in self.ranges):
            return None  # one that is set aside and still kills is the pipeline's fault
        aside = Suspect(suspect.pipeline, suspect.version, suspect.stream, start, end, suspect.at)
        self.ranges = [*self.ranges, aside][-KEPT:]
        self._settled(suspect)
        return aside

    def _pipeline_of(self, suspect: Suspect) -> Suspect | None:
        name, version = suspect.pipeline, suspect.version
        lately = [one for one in self.crashes if (one.pipeline, one.version) == (name, version) and suspect.at - one.at < PERIOD_SECS]
        if not name or len(lately) < CRASHES or self.holds(name, version):
            return None
        aside = Suspect(name, version, at=suspect.at)
        self.pipelines = [*(one for one in self.pipelines if one.pipeline != name), aside]
        self._settled(suspect)
        return aside

    def _settled(self, suspect: Suspect) -> None:
        self.crashes = [one for one in self.crashes if one.pipeline != suspect.pipeline]

    # --- for the worker ---------------------------------------------------------------------------------------------------------
    def holds(self, pipeline: str, version: str) -> bool:
        """Whether a pipeline is set aside."""
        return any((one.pipeline, one.version) == (pipeline, version) for one in self.pipelines)

    def covers(self, pipeline: str, version: str, stream: str, start: int, end: int) -> bool:
        """Whether a part of a range is set aside."""
        return bool(self.ranges) and any(one.overlaps(Suspect(pipeline, version, stream, start, end)) for one in self.ranges)

    def told(self) -> dict[str, Any]:
        """The document without its history; of the rest the latest that a message has room for."""
        short = Quarantine([], [*self.ranges], [*self.pipelines])
        while len(json.dumps(document := short.document())) > MOST_TOLD:
            (short.ranges or short.pipelines).pop(0)
        return document

    # --- on disk, and over the channel --------------------------------------------------------------------------------------------
    def document(self) -> dict[str, Any]:
        return {"v": LAYOUT, **{name: [asdict(one) for one in getattr(self, name)] for name in ("crashes", "ranges", "pipelines")}}

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Quarantine":
        """DamagedError, NewerFormatError."""
        try:
            if document["v"] > LAYOUT:
                raise NewerFormatError("the list of what is set aside was written by a newer release", hint="use that release")
            return cls(*([checked(Suspect(**one)) for one in document[name]] for name in ("crashes", "ranges", "pipelines")))
        except (KeyError, TypeError) as error:
            raise DamagedError(f"the list of what is set aside cannot be understood: {error}") from error


def load(home: Path) -> Quarantine:
    """Of a home. DamagedError, NewerFormatError; OSError."""
    try:
        document = json.loads((home / "agent" / NAME).read_bytes())
    except FileNotFoundError:
        return Quarantine()
    except ValueError as error:
        raise DamagedError(f"`{home / 'agent' / NAME}` is damaged: {error}") from error
    if not isinstance(document, dict):
        raise DamagedError(f"`{home / 'agent' / NAME}` is damaged: it holds no object")
    return Quarantine.of(document)


def set_aside(home: Path) -> Path:
    """Put a ledger that cannot be used out of the way, so that the next one does not overwrite it; where it is now. OSError."""
    path = home / "agent" / NAME
    kept = path.with_name(f"{NAME}.set-aside")
    path.replace(kept)
    return kept


def save(quarantine: Quarantine, home: Path) -> None:
    """Durable on return, as a whole or not at all. OSError."""
    write_private(home / "agent" / NAME, json.dumps(quarantine.document(), ensure_ascii=False, indent=1) + "\n")
