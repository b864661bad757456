"""How many batches are processed at a time: as many as there are cores, as long as none of them takes long (docs/adr/0006)."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

PATIENCE_SECS = 0.05
"""So long a batch waits for one that is at work. An ordinary one is done by then; one whose lines all run into a pattern's limits may take
minutes."""


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
