"""Whether a worker gets on: by what it reports of its parts, not by its process being there.

It reports every second. A part that stands still for the patience of the settings while it has something to do makes it a hung worker, and
so does its silence. What waits for its target, or for its allowance of CPU, is not standing still: the worker says so itself.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PATIENCE_SECS: Final = 60.0
"""Until the worker has named the patience of its settings: `hang_secs`."""
OWN_PAUSE_SECS: Final = 5.0
"""When the supervisor itself was away for longer (the machine slept, or is out of breath), the worker gets its time anew."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """Which part stands still, since when (seconds), and whose it is, where it is one pipeline's."""

    part: str
    for_secs: float
    pipeline: str = ""
    version: str = ""


class Pulse:
    """Of one worker process."""

    def __init__(self) -> None:
        self._beat_at = self._looked_at = time.monotonic()
        self._patience = PATIENCE_SECS
        self._parts: list[Standstill] = []
        """The parts that stood still for longer than the patience, as of the last report."""
        self.last: Mapping[str, Any] = {}
        """The last report."""

    def beat(self, report: Mapping[str, Any]) -> None:
        """KeyError, TypeError, ValueError: a report that cannot be understood is none."""
        patience = report.get("hang_secs")
        patience = float(patience) if isinstance(patience, int | float) and patience > 0 else PATIENCE_SECS
        self._parts = _too_long(report.get("parts", []), patience)
        self.last, self._patience, self._beat_at = report, patience, time.monotonic()

    def look(self) -> Standstill | None:
        """To be called every second."""
        now = time.monotonic()
        away, self._looked_at = now - self._looked_at, now
        if away > OWN_PAUSE_SECS:
            self._beat_at = now
            return None
        if now - self._beat_at > self._patience:
            return Standstill("it has reported nothing", now - self._beat_at)
        return max(self._parts, key=lambda one: one.for_secs, default=None)


def _too_long(parts: Sequence[Mapping[str, Any]], patience: float) -> list[Standstill]:
    found: list[Standstill] = []
    for part in parts:
        still = Standstill(str(part["part"]), float(part["still_secs"]), str(part.get("pipeline", "")), str(part.get("version", "")))
        if still.for_secs > patience * float(part.get("times", 1)):
            found.append(still)
    return found
