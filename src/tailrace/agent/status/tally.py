"""What is counted per lane and per stream, since the process began: for the status, and for its windows of time."""

import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

MAX_REASONS: Final = 64
"""Different (plugin, reason) pairs of one lane; further ones are counted together."""
MAX_ERRORS: Final = 256
OTHER: Final = ("other", "other reasons")


@dataclass(slots=True)
class StreamTally:
    """One stream's. Written by its reading thread."""

    read_bytes: int = 0
    read_events: int = 0
    failed_events: int = 0
    reads: int = 0
    read_at: float = 0.0
    """Wall clock of the last read; 0: none yet."""
    why: Counter[str] | None = None
    """Failed events by their alarm, and what plugins count while they are processed (`outdated`); None while there is none."""
    error_line: str = ""
    """The beginning of the last event that failed."""
    send_failures: int = 0
    """Requests with ranges of its own that had to be sent again. Written by the event loop."""
    sampled: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    """Bytes, events, failed events, reads and failures to send at the last look of the sampler, which alone knows this."""

    def add(self, size: int, events: int, failed: int) -> None:
        self.read_bytes += size
        self.read_events += events
        self.failed_events += failed
        self.reads += 1
        self.read_at = time.time()

    def because(self, why: str, amount: int, sample: str = "") -> None:
        """Something became of events beside their being read."""
        if self.why is None:
            self.why = Counter()
        self.why[why] += amount
        self.error_line = sample or self.error_line


@dataclass(frozen=True, slots=True)
class SourceError:
    """The last thing that went wrong with one path."""

    kind: str
    message: str
    at: float


@dataclass(slots=True)
class Tally:
    """One lane's. Any thread may add."""

    numbers: Counter[str] = field(default_factory=Counter[str])
    """`in_events`, `in_bytes`, `out_events`, `failed`, `retried`, and what plugins count (`outdated`, `truncations`, …)."""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Events discarded on purpose or failed, by plugin and reason."""
    errors: OrderedDict[str, SourceError] = field(default_factory=OrderedDict[str, SourceError])
    """By path, the latest last."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self.numbers[name] += amount

    def add_all(self, **amounts: int) -> None:
        """Several at once."""
        with self._lock:
            for name, amount in amounts.items():
                self.numbers[name] += amount

    def because(self, plugin: str, reason: str, amount: int) -> None:
        with self._lock:
            key = (plugin, reason)
            self.reasons[key if key in self.reasons or len(self.reasons) < MAX_REASONS else OTHER] += amount

    def went_wrong(self, path: str, kind: str, message: str) -> None:
        with self._lock:
            self.errors.pop(path, None)
            self.errors[path] = SourceError(kind, message, time.time())
            if len(self.errors) > MAX_ERRORS:
                self.errors.popitem(last=False)

    def snapshot(self) -> tuple[dict[str, int], dict[tuple[str, str], int], dict[str, SourceError]]:
        """(numbers, reasons, errors) of one moment."""
        with self._lock:
            return dict(self.numbers), dict(self.reasons), dict(self.errors)
