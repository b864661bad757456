"""How long a worker that ended is left alone before the next one starts."""

from typing import Final

FIRST_SECS: Final = 0.5
LONGEST_SECS: Final = 300.0
HEALTHY_SECS: Final = 300.0
"""A worker that was at work for so long has the pauses before it forgotten."""


class Pauses:
    """Doubles with each failure in a row."""

    def __init__(self) -> None:
        self._failures = 0

    def after(self, worked_for: float) -> float:
        """Seconds until the next start, after a worker that failed and had been at work for so long."""
        if worked_for >= HEALTHY_SECS:
            self._failures = 0
        self._failures += 1
        return min(LONGEST_SECS, FIRST_SECS * 2.0 ** min(self._failures - 1, 16))

    def forget(self) -> None:
        """What made it fail has been set aside."""
        self._failures = 0
