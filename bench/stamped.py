"""Lines that carry the moment of their writing, and when they can be found: for every line, not for samples of them.

A writer gives each line the number of its tick, a tenth of a second. Twice a second a thread asks the store how many lines it has of each tick from the first
incomplete one on: what is new since the last answer became searchable in between, and is counted at the moment of the answer (so half a poll and the query
are in it).
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

TICKS_PER_SEC = 10
POLL_SECS = 0.5
GIVE_UP_SECS = 90.0
FILLER = b"level=info " + b"request served in a time that nobody would complain about " * 2
BY_TICK = "* | select split_part(content, ' ', 1) as tick, count(1) as lines from log where content like 't=%' group by tick limit 100000"
CLOCK_SECS = 2
"""So much earlier than a tick the time of its lines may be."""


class Asked(Protocol):
    """A server with lines in its logstores."""

    def rows(self, logstore: str, query: str, since: int) -> list[dict[str, str]]:
        """Of the events from `since` on (seconds since the Unix epoch)."""
        ...


def append(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, data)
    os.close(descriptor)


class Stamped:
    """Writes `rate` lines a second into `files` in turn, and takes the time until each is searchable in `logstore`."""

    def __init__(self, server: Asked, logstore: str, files: Sequence[Path], rate: int) -> None:
        self._server, self._logstore, self._rate = server, logstore, rate
        self._turn = itertools.cycle(files)
        self._written: dict[int, tuple[float, int]] = {}
        self._found: dict[int, int] = {}
        self._latencies: list[tuple[float, int]] = []

    def run(self, seconds: float, *, beside: Callable[[], object] = lambda: None) -> dict[str, float]:
        """Seconds from write to searchable. `beside` is called in each tick. SystemExit when lines are missing or there are too many."""
        over = threading.Event()
        asking = threading.Thread(target=self._ask_until, args=(over,))
        asking.start()
        begin, first = time.monotonic(), int(time.time() * TICKS_PER_SEC)
        for tick in range(int(seconds * TICKS_PER_SEC)):
            time.sleep(max(0.0, begin + tick / TICKS_PER_SEC - time.monotonic()))
            self._write(first + tick)
            beside()
        lasted = time.monotonic() - begin
        give_up_at = time.monotonic() + GIVE_UP_SECS
        while self._missing and time.monotonic() < give_up_at:
            time.sleep(POLL_SECS / 5)
        over.set()
        asking.join()
        if self._missing:
            raise SystemExit(f"written {self.lines}, found {self.lines - self._missing}")
        return {"events_per_sec": self.lines / lasted, "p50": self.quantile(0.5), "p99": self.quantile(0.99), "max": self.quantile(1.0)}

    @property
    def lines(self) -> int:
        return sum(lines for _, lines in self._written.values())

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the lines was searchable."""
        left = share * sum(lines for _, lines in self._latencies)
        for seconds, lines in sorted(self._latencies):
            left -= lines
            if left <= 0:
                return seconds
        return max(self._latencies)[0]

    @property
    def _missing(self) -> int:
        return self.lines - sum(self._found.values())

    def _write(self, tick: int) -> None:
        lines = self._rate // TICKS_PER_SEC
        self._written[tick] = time.monotonic(), lines
        for number in range(lines):
            append(next(self._turn), b"t=%d n=%d %s\n" % (tick, number, FILLER))

    def _ask_until(self, over: threading.Event) -> None:
        while not over.wait(POLL_SECS):
            missing = [tick for tick, (_, lines) in list(self._written.items()) if self._found.get(tick, 0) != lines]
            if not missing:
                continue
            rows = self._server.rows(
                self._logstore, BY_TICK, missing[0] // TICKS_PER_SEC - CLOCK_SECS
            )  # what is found costs no more queries
            now = time.monotonic()
            for row in rows:
                tick, lines = int(row["tick"].removeprefix("t=")), int(row["lines"])
                if tick in missing and (new := lines - self._found.get(tick, 0)):  # of earlier ones the query sees a part only
                    self._found[tick] = lines
                    self._latencies.append((now - self._written[tick][0], new))
