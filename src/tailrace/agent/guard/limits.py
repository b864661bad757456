"""What the worker may use: what its settings say, and never more than its control group gives."""

import math
from dataclasses import dataclass
from typing import Any, Final

from tailrace.agent.platform import Given
from tailrace.agent.settings.settings import AgentSettings

GROUP_SHARE: Final = 0.8
"""Of the memory of a control group: the supervisor and the page cache of what is read live in it, too (the manual's 80 %)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """0 is no limit."""

    cores: float = 0.0
    idle_cores: float = 0.0
    """Instead of `cores` while the machine has nothing else to do; 0: the same."""
    idle_below: float = 0.0
    """Share of the machine's CPU, below which it counts as having nothing else to do."""
    memory_bytes: int = 0
    bytes_per_sec: int = 0
    """Raw bytes of log groups that are sent."""
    threads: int = 0
    """Batches that are processed at a time."""
    over_limit_secs: int = 300

    @classmethod
    def of(cls, settings: AgentSettings, given: Given) -> "Limits":
        """`given`: by the machine and its control group."""
        cores = min(settings.cpu_usage_limit, given.cores)
        memory = settings.mem_usage_limit << 20
        if given.memory_bytes:
            memory = min(memory, int(given.memory_bytes * GROUP_SHARE))
        idle: dict[str, Any] = {}
        if settings.resource_auto_scale:
            most = max(cores, min(settings.scaled_cpu_usage_limit, given.cores))
            idle = {"idle_cores": most, "idle_below": settings.machine_cpu_usage_threshold}
        return cls(
            cores=cores,
            memory_bytes=memory,
            bytes_per_sec=settings.max_bytes_per_sec,
            threads=settings.process_thread_count or max(1, math.ceil(idle.get("idle_cores", cores))),
            over_limit_secs=settings.over_limit_secs,
            **idle,
        )
