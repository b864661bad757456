"""A target's share of the bytes that may wait: who reads for it waits here while the share is used up."""

import threading
from collections.abc import Callable

from tailrace import telemetry


class Share:
    """Bytes of one target's payloads between encoding and acknowledgement, bounded. One range may overshoot the bound."""

    def __init__(self, target: str, limit: int) -> None:
        self.limit = self._whole = limit
        self._used = 0
        self._changed = threading.Condition()
        self._asking: dict[Callable[[], None], None] = {}
        self._part = 1.0
        bytes_, bound = "tailrace_agent_queue_bytes", "tailrace_agent_queue_limit_bytes"
        self._gauge = telemetry.gauge(bytes_, "Encoded bytes that wait for a target's acknowledgement.", "target").labels(target)
        self._bound = telemetry.gauge(bound, "How many encoded bytes may wait for a target before reading stops.", "target").labels(target)
        self._bound.set(limit)

    def wait(self, stopping: threading.Event) -> bool:
        """Until there is room; False when `stopping` was set (and `wake` called) before."""
        if self._used < self.limit:  # a racing release only makes it less
            return not stopping.is_set()
        with self._changed:
            self._changed.wait_for(lambda: self._used < self.limit or stopping.is_set())
        return not stopping.is_set()

    def has_room(self, again: Callable[[], None]) -> bool:
        """Whether there is room now; if not, `again` is called when there is. It must be short."""
        if self._used < self.limit:
            return True
        with self._changed:
            if self._used >= self.limit:
                self._asking[again] = None
                return False
        return True

    @property
    def used(self) -> int:
        return self._used

    def take(self, amount: int) -> None:
        with self._changed:
            self._used += amount
            self._gauge.set(self._used)

    def give_back(self, amount: int) -> None:
        with self._changed:
            self._used -= amount
            self._gauge.set(self._used)
            self._changed.notify_all()
            asking: dict[Callable[[], None], None] = {}
            if self._used < self.limit:
                asking, self._asking = self._asking, asking
        for again in asking:
            again()

    def narrow(self, part: float) -> None:
        """Let only this part of the bound wait, until another one is named."""
        self._part = part
        self._limit_to(int(self._whole * part))

    def bound(self, limit: int) -> None:
        """Its bound from now on: there are more targets now, or fewer."""
        self._whole = limit
        self._bound.set(limit)
        self._limit_to(int(limit * self._part))

    def _limit_to(self, limit: int) -> None:
        if limit != self.limit:
            self.limit = limit
            self.give_back(0)  # who waits looks again

    def wake(self) -> None:
        """Let waiters look at their `stopping` again."""
        with self._changed:
            self._changed.notify_all()
