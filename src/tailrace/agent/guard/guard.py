"""Slows the worker down at its limits, and says so."""

import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from tailrace import telemetry
from tailrace.agent.delivery.bandwidth import Bandwidth
from tailrace.agent.delivery.share import Share
from tailrace.agent.guard.allowance import CpuAllowance
from tailrace.agent.guard.limits import Limits
from tailrace.agent.platform import AgentPlatform, Processes

LOOK_SECS: Final = 1.0
WINDOW: Final = 10
"""Looks; what was held back in half of them is limited."""
NEAR: Final = 0.9
"""Of the memory limit: from here on less is kept waiting for targets."""
NEAR_SHARE: Final = 0.25
IDLE_LOOKS: Final = 5
"""So often in a row the machine has to be idle before more is taken."""


class Guard:
    """Of one worker."""

    def __init__(self, limits: Limits, platform: AgentPlatform, processes: Processes) -> None:
        self.limits = limits
        self.cpu = CpuAllowance(limits.cores)
        self.bandwidth = Bandwidth(limits.bytes_per_sec)
        self._platform = platform
        self._processes = processes
        self._asking: dict[Callable[[], None], None] = {}
        self._changed = threading.Condition()
        self._over = False
        self._held_back = False
        self._near = self._no_memory = False
        self._looks = {name: deque[bool](maxlen=WINDOW) for name in ("cpu", "memory", "bandwidth")}
        self._idle_looks = 0
        self._machine = platform.machine_cpu()
        self._limited: Sequence[str] = ()
        gauge = telemetry.gauge("tailrace_agent_limited_state", "1 while the agent is held back by this limit of its own.", "limit")
        self._gauges = {name: gauge.labels(name) for name in self._looks}

    def apply(self, limits: Limits) -> None:
        """Other limits hold from now on; from any thread. How many batches are processed at a time is the next session's."""
        self.limits = limits
        self.cpu.cores = limits.cores
        self.bandwidth.limit(limits.bytes_per_sec)

    # --- for the lanes ------------------------------------------------------------------------------------------------------------
    def may_read(self, again: Callable[[], None]) -> bool:
        """Whether a range may be read now; if not, `again` is called when it may. It must be short."""
        if not self._no_memory and self.cpu.take():
            return True
        self._held_back = True
        with self._changed:
            self._asking[again] = None
            self._changed.notify_all()
        return False

    def wait(self, stopping: threading.Event) -> bool:
        """Until a range may be read; False when the lane is stopping."""
        while not stopping.is_set():
            if not self._no_memory and self.cpu.take():
                return True
            self._held_back = True
            stopping.wait(LOOK_SECS if self._no_memory else self.cpu.due_in())
        return False

    # --- for people and the supervisor --------------------------------------------------------------------------------------------
    @property
    def limited_by(self) -> Sequence[str]:
        """`cpu`, `memory`, `bandwidth`: what has held the agent back for half of the last seconds."""
        return self._limited

    def report(self) -> Mapping[str, object]:
        """What the supervisor holds the worker to."""
        return {
            "cpu_limit": self.limits.idle_cores or self.limits.cores,
            "memory_limit": self.limits.memory_bytes,
            "over_limit_secs": self.limits.over_limit_secs,
            "limited_by": list(self.limited_by),
        }

    # --- its thread ---------------------------------------------------------------------------------------------------------------
    @contextmanager
    def watching(self, shares: Callable[[], Sequence[Share]]) -> Generator[None]:
        """Within it a thread looks after the limits. `shares`: what waits for targets at present."""
        thread = threading.Thread(target=self._watch, args=(shares,), name="guard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
            thread.join()

    def _watch(self, shares: Callable[[], Sequence[Share]]) -> None:
        look_at = time.monotonic() + LOOK_SECS
        while not self._over:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_SECS
                self._look(shares())
            due = self.cpu.due_in()
            if not due and not self._no_memory:
                self._call_back()
            with self._changed:
                left = max(0.001, look_at - time.monotonic())
                waits = bool(self._asking) and not self._no_memory
                self._changed.wait(min(left, due) if waits and due else left)

    def _call_back(self) -> None:
        with self._changed:
            asking, self._asking = self._asking, {}
        for again in asking:
            again()

    def _look(self, shares: Sequence[Share]) -> None:
        self._look_at_memory(shares)
        self._look_at_machine()
        held_back, self._held_back = self._held_back, False
        sends_later, self.bandwidth.waited = self.bandwidth.waited, False
        for name, now in (("memory", self._no_memory), ("cpu", held_back and not self._no_memory), ("bandwidth", sends_later)):
            self._looks[name].append(now)
        limited = [name for name, looks in self._looks.items() if sum(looks) * 2 >= WINDOW]
        for name, gauge in self._gauges.items():
            gauge.set(name in limited)
        self._limited = limited

    def _look_at_memory(self, shares: Sequence[Share]) -> None:
        """Near the limit less may wait for targets, and what is free goes back to the system; at it nothing is read while some waits."""
        limit = self.limits.memory_bytes
        usage = self._processes.usage(os.getpid()) if limit else None
        used = usage.rss_bytes if usage is not None else 0
        for share in shares:
            share.narrow(NEAR_SHARE if limit and used > limit * NEAR else 1.0)
        near, self._near = self._near, bool(limit) and used > limit * NEAR
        if self._near and (self._no_memory or not near):
            gc.collect()
            self._platform.give_back_memory()
        self._no_memory = bool(limit) and used > limit and any(share.used for share in shares)

    def _look_at_machine(self) -> None:
        """On an idle machine more may be used, where the administrator allows it."""
        if not self.limits.idle_cores:
            return
        try:
            busy, total = self._platform.machine_cpu()
        except OSError:  # no handle is free: the next look sees more
            return
        before, self._machine = self._machine, (busy, total)
        share = (busy - before[0]) / max(1e-6, total - before[1])
        self._idle_looks = self._idle_looks + 1 if share < self.limits.idle_below else 0
        self.cpu.cores = self.limits.idle_cores if self._idle_looks >= IDLE_LOOKS else self.limits.cores
