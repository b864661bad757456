"""Whether a worker stays over its limits although it slows down: seen from outside, so that one that is out of its mind is seen too.

The CPU limit holds for the mean of the whole period, the memory limit for each look. Far over the memory limit there is no period at all:
the system would soon end someone else for it.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tailrace.agent.platform import Usage

SLACK: Final = 1.1
"""A limit counts as exceeded beyond 10 %."""
FAR_OVER: Final = 1.5
"""So many times the memory limit ends the worker at once."""
PERIOD_SECS: Final = 300.0
"""Until the worker has named that of its settings: `over_limit_secs`."""


class Bounds(NamedTuple):
    """Of a worker, as it names them itself: cores, bytes, seconds; 0 for none."""

    cpu: float = 0.0
    memory: int = 0
    period: float = PERIOD_SECS

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "Bounds":
        """TypeError, ValueError, OverflowError when there is no making sense of them."""
        period = float(report.get("over_limit_secs") or PERIOD_SECS)
        return cls(float(report.get("cpu_limit", 0)), int(report.get("memory_limit", 0)), period)


class Excess:
    """Of one worker process."""

    def __init__(self) -> None:
        self._cpu: deque[tuple[float, float]] = deque()
        self._memory_over_since: float | None = None
        self.used = Usage(0.0, 0, 0)
        """At the last look."""

    def started(self) -> None:
        """What the start took is no excess: it would be one for whoever has little CPU, again and again."""
        self._cpu.clear()

    def look(self, used: Usage, bounds: Bounds) -> str:
        """Why it has to be restarted, or nothing."""
        self.used = used
        now = time.monotonic()
        over_memory = self._over_memory(now, used.rss_bytes, bounds.memory, bounds.period)
        return over_memory or self._over_cpu(now, used.cpu_secs, bounds.cpu, bounds.period)

    def _over_memory(self, now: float, rss: int, limit: int, period: float) -> str:
        if not limit or rss <= limit * SLACK:
            self._memory_over_since = None
            return ""
        if self._memory_over_since is None:
            self._memory_over_since = now
        if rss > limit * FAR_OVER or now - self._memory_over_since >= period:
            return f"it holds {rss >> 20} MiB of memory, its limit is {limit >> 20} MiB"
        return ""

    def _over_cpu(self, now: float, cpu: float, limit: float, period: float) -> str:
        self._cpu.append((now, cpu))
        while len(self._cpu) > 2 and now - self._cpu[1][0] >= period:
            self._cpu.popleft()
        since, before = self._cpu[0]
        if not limit or now - since < period:
            return ""
        cores = (cpu - before) / (now - since)
        return f"it used {cores:.2f} cores for {now - since:.0f} s, its limit is {limit:g}" if cores > limit * SLACK else ""
