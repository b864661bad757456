"""Where a block's bytes lie while they go from the server to its engine: memory that both can name, never a pipe.

A block has tens of MB; through a socket it would be copied four times, and asyncio moves what is left of it after every send. Its memory is
kept for the next block: to ask the system for it page by page costs more than to fill it.
"""

import os
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

KEPT_SECS = 10.0


class BlockFiles:
    """Files in memory on Linux, in `directory` (the engine's, so on its disk) elsewhere. For one thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._free: list[tuple[float, int]] = []
        """(monotonic seconds of its last use, descriptor), the newest last."""

    @contextmanager
    def take(self) -> Generator[Path]:
        """A writable file, which may hold another block; it is the caller's alone. Whatever goes wrong with it, nobody gets it again."""
        if not hasattr(os, "memfd_create"):
            with tempfile.NamedTemporaryFile(dir=self._directory, prefix="block-") as named:
                yield Path(named.name)
            return
        file = self._free.pop()[1] if self._free else os.memfd_create("tailrace-block")
        with ExitStack() as spoilt:
            spoilt.callback(os.close, file)
            yield Path(f"/proc/{os.getpid()}/fd/{file}")
            spoilt.pop_all()
        self._free.append((time.monotonic(), file))

    def trim(self, unused_secs: float = KEPT_SECS) -> None:
        """Give back the memory of files that nobody used for so long."""
        while self._free and self._free[0][0] <= time.monotonic() - unused_secs:
            os.close(self._free.pop(0)[1])
