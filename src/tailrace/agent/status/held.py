"""Whether the agent is held back by a limit of its own for so long that somebody should know."""

import math
from collections.abc import Collection
from typing import Final

from tailrace import telemetry

LONG_SECS: Final = 60.0
ALARM: Final = "PROCESS_QUEUE_BUSY_ALARM"


class Held:
    """To be asked every second or so."""

    def __init__(self) -> None:
        self._since = math.inf
        self._is_told = False

    def look(self, limited_by: Collection[str], now: float) -> None:
        """`limited_by`: names of the limits that hold the agent back now; `now` in monotonic seconds."""
        if not limited_by:
            self._since = math.inf
            if self._is_told:
                telemetry.resolved(ALARM)
                self._is_told = False
            return
        self._since = min(self._since, now)
        if now - self._since >= LONG_SECS and not self._is_told:
            self._is_told = True
            telemetry.alarm(ALARM, "reading is slowed down by a limit of the agent", limits=sorted(limited_by))
