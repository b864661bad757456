"""Repeated messages: the first in full, then one summary a minute with the count.

Only warnings and errors are limited. Two messages are the same when logger, level, text and *subject* (the path, pipeline, target … that
they are about) are the same; a count or a size that changes does not make another message.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Key: TypeAlias = tuple[str, ...]

SUBJECT = ("kind", "path", "file", "pipeline", "project", "logstore", "target", "stream", "plugin", "code", "child")
INTERVAL_SECS = 60.0
MAX_KEYS = 1024
"""Beyond that many different messages the oldest is forgotten, so that a flood of paths stays small."""


@dataclass(slots=True)
class _Repeat:
    since: float
    suppressed: int = 0
    timer: threading.Timer | None = None


class RepeatLimit:
    """Counts repeats and tells which message may pass.

    `summarise(key, count)` is called, from a thread of its own, at the end of an interval in which `count` messages were held back.
    """

    def __init__(
        self, summarise: Callable[[Key, int], None], *, interval: float = INTERVAL_SECS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._summarise = summarise
        self._interval = interval
        self._clock = clock
        self._repeats: dict[Key, _Repeat] = {}
        self._lock = threading.Lock()

    def passes(self, key: Key) -> bool:
        """Whether the message is to be written now; else it is counted for the next summary."""
        now = self._clock()
        with self._lock:
            repeat = self._repeats.get(key)
            if repeat is None or (now - repeat.since >= self._interval and not repeat.suppressed):
                self._repeats.pop(key, None)
                if len(self._repeats) >= MAX_KEYS:
                    self._forget_oldest()
                self._repeats[key] = _Repeat(since=now)
                return True
            repeat.suppressed += 1
            if repeat.timer is None:
                self._start_timer(key, repeat, max(0.0, repeat.since + self._interval - now))
            return False

    def flush(self) -> None:
        """Write all pending summaries now: at the end of a process."""
        with self._lock:
            keys = [key for key, repeat in self._repeats.items() if repeat.suppressed]
        for key in keys:
            self._summary(key)

    def _start_timer(self, key: Key, repeat: _Repeat, delay: float) -> None:
        repeat.timer = threading.Timer(delay, self._summary, args=(key,))
        repeat.timer.daemon = True
        repeat.timer.start()

    def _summary(self, key: Key) -> None:
        with self._lock:
            repeat = self._repeats.get(key)
            if repeat is None or not repeat.suppressed:
                return
            count, repeat.suppressed = repeat.suppressed, 0
            repeat.since = self._clock()
            if repeat.timer is not None:
                repeat.timer.cancel()
                repeat.timer = None
        self._summarise(key, count)

    def _forget_oldest(self) -> None:
        oldest = self._repeats.pop(next(iter(self._repeats)))
        if oldest.timer is not None:
            oldest.timer.cancel()
