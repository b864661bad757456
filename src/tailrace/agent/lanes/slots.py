"""How many batches are processed at a time: as many as there are cores, as long as none of them takes long (docs/adr/0006). And how much
CPU one takes."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

PATIENCE_SECS = 0.05
"""So long a batch waits for one that is at work. An ordinary one is done by then; one whose lines all run into a pattern's limits may take
minutes."""

SMALL_BYTES: Final = 4096
"""The kernel keeps the interpreter's lock over less than that (docs/adr/0018): nothing else would be at work beside it anyway, and to take
a slot costs as much as to read a line."""


class Slots:
    """Shared by all lanes."""

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)

    @contextmanager
    def one(self, *, beside: bool = False) -> Generator[None]:
        """Within it a batch is processed: in a slot or, when none gets free in time, beside those that hold them. The system shares the
        cores fairly among threads, so a slow pipeline slows the others by its share and never stops them. `beside`: take none, because
        others would wait for it to no purpose."""
        taken = not beside and self._free.acquire(timeout=PATIENCE_SECS)
        try:
            yield
        finally:
            if taken:
                self._free.release()


READING_SECS: Final = 0.5
"""A reading of a thread's CPU is good for so long."""


class Stopwatch(threading.local):
    """How much CPU pieces of work take, each thread's by itself: a busy machine makes none of them slow.

    To ask for the CPU of a thread takes as long as a tenth of what a single line costs. What was over in less than PATIENCE_SECS has not
    used more; only of longer work it is asked for, and the answer counts from the last reading, READING_SECS before the work at most.
    """

    def __init__(self) -> None:
        self._read_at = -READING_SECS
        self._cpu = 0.0

    def begin(self) -> float:
        """For `took`."""
        now = time.monotonic()
        if now - self._read_at >= READING_SECS:
            self._read_at, self._cpu = now, time.thread_time()
        return now

    def took(self, began: float) -> float:
        """Seconds, at most."""
        lasted = time.monotonic() - began
        if lasted < PATIENCE_SECS:
            return lasted
        before, self._cpu = self._cpu, time.thread_time()
        self._read_at = began + lasted
        return min(lasted, self._cpu - before)
