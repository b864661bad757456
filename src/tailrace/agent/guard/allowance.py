"""The worker's allowance of CPU: it grows with time and shrinks with what the whole process used. While it is used up, nothing new is
read; what was read is sent. So the mean over any longer time keeps to the limit, whatever a batch costs."""

import threading
import time
from collections.abc import Callable
from typing import Final

SAVED_SECS: Final = 1.0
"""So much time's worth may be saved up: the first lines after a pause do not wait."""
OWED_SECS: Final = 10.0
"""So much time's worth may be owed, and after so long something is read all the same: work that nobody can hold back (a scan, a spinning
plugin) slows reading down, and never stops it."""


class CpuAllowance:
    """`cores` may be used in the mean; 0 is no limit. Any thread may ask."""

    def __init__(self, cores: float, used: Callable[[], float] = time.process_time, now: Callable[[], float] = time.monotonic) -> None:
        self._used, self._now = used, now
        self._lock = threading.Lock()
        self._cores = cores
        self._left = cores * SAVED_SECS  # the start is not held back
        self._seen = used(), now()
        self._taken_at = now()

    @property
    def cores(self) -> float:
        return self._cores

    @cores.setter
    def cores(self, cores: float) -> None:
        with self._lock:
            self._account()
            self._cores = cores

    def due_in(self) -> float:
        """Seconds until there is something left; 0 when there is."""
        if not self._cores:
            return 0.0
        with self._lock:
            self._account()
            return max(0.0, min(-self._left / self._cores, self._taken_at + OWED_SECS - self._seen[1]))

    def take(self) -> bool:
        """Whether there is something left: who asks will use it."""
        if self.due_in() > 0:
            return False
        self._taken_at = self._now()
        return True

    def _account(self) -> None:
        used, now = self._used(), self._now()
        left = self._left + (now - self._seen[1]) * self._cores - (used - self._seen[0])
        self._left = min(self._cores * SAVED_SECS, max(-self._cores * OWED_SECS, left))
        self._seen = used, now
