"""The rule of age at work: drops what is too old from the batches of one pipeline, and says so."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from tailrace import telemetry
from tailrace.batch import EventBatch
from tailrace.pipeline.age import KEY, SECOND, in_words, oldest_kept_ns
from tailrace.pipeline.contract import Range
from tailrace.pipeline.model import GlobalConfig

WINDOW_SECS: Final = 600.0
ENOUGH_EVENTS: Final = 100
"""So many events of a window are needed before their share says anything."""
REMEDY: Final = (
    f"set the time zone of its times right; `global: {{{KEY}: 0}}` keeps events however old, `tailrace agent import` takes history"
)


class Discarding(Protocol):
    """Whom the rule tells: a lane."""

    pipeline: str

    def count(self, name: str, amount: int = 1) -> None: ...


class AgeRule:
    """Drops events whose own time lies more than `max_age_secs` before the moment when they could first be read; 0 turns it off.

    `earliest_secs` (since the Unix epoch) is a bound for all, history too; 0 is none.
    """

    def __init__(self, max_age_secs: int, *, earliest_secs: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_age_secs = max_age_secs
        self._earliest = earliest_secs * SECOND
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh: set[str] = set()
        """Streams whose last batch had nothing too old: the times of their batches are not looked through for a sample."""
        self._named: set[str] = set()
        self._window_at = clock()
        self._seen = self._dropped = 0
        self._degraded_at: float | None = None

    @classmethod
    def of(cls, options: GlobalConfig) -> "AgeRule":
        return cls(options.max_log_age_secs, earliest_secs=options.earliest_time)

    @property
    def degraded(self) -> str:
        """Why the pipeline is not well, or nothing."""
        if self._degraded_at is None or self._clock() - self._degraded_at > WINDOW_SECS:
            return ""
        return "more than half of the events are discarded for their age: wrong time zone?"

    def apply(self, batch: EventBatch, done: Range, lane: Discarding) -> int:
        """How many events of the range `done` were dropped for their age."""
        if self._earliest and (early := batch.keep_times(self._earliest)):
            lane.count("before_earliest_time", early)
        oldest_kept = oldest_kept_ns(done.readable_at, self.max_age_secs)
        if oldest_kept is None:
            return 0
        events = len(batch)
        oldest = min(batch.times, default=oldest_kept) if done.stream not in self._fresh else None
        dropped = batch.keep_times(oldest_kept)
        self._weigh(events, dropped, lane.pipeline)
        if not dropped:
            self._fresh.add(done.stream)
            return 0
        self._fresh.discard(done.stream)
        lane.count("outdated", dropped)
        self._say(batch, done, lane.pipeline, dropped, oldest)
        return dropped

    def forget(self, stream: str) -> None:
        """The stream has ended."""
        self._fresh.discard(stream)
        self._named.discard(stream)

    def _say(self, batch: EventBatch, done: Range, pipeline: str, dropped: int, oldest: int | None) -> None:
        path = dict(batch.tags).get(b"__path__", b"").decode("utf-8", "surrogateescape")
        values: dict[str, object] = {"pipeline": pipeline, "events": dropped, **({"path": path} if path else {})}
        if oldest is not None:
            values["age"] = in_words((done.readable_at - oldest) / SECOND)
        if done.stream not in self._named:
            self._named.add(done.stream)
            values |= {"setting": f"global.{KEY}", "limit_secs": self.max_age_secs, "hint": REMEDY}
        telemetry.alarm("OUTDATED_LOG_ALARM", "events were too old when they could first be read, and are discarded", **values)

    def _weigh(self, events: int, dropped: int, pipeline: str) -> None:
        with self._lock:
            now = self._clock()
            if now - self._window_at > WINDOW_SECS:
                self._window_at, self._seen, self._dropped = now, 0, 0
            self._seen += events
            self._dropped += dropped
            if not dropped or self._seen < ENOUGH_EVENTS or self._dropped * 2 <= self._seen:
                return
            newly, self._degraded_at = not self.degraded, now
        if newly:
            telemetry.alarm("OUTDATED_LOG_ALARM", self.degraded, pipeline=pipeline, code="degraded", hint=REMEDY)
