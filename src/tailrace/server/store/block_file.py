"""Where a block's bytes lie while they go from the server to its engine: memory that both can name, never a pipe.

A block has tens of MB; through a socket it would be copied four times, and asyncio moves what is left of it after every send.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def block_file(directory: Path) -> Generator[Path]:
    """A writable file that is gone afterwards: in memory on Linux, in `directory` (the engine's, so on its disk) elsewhere."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("tailrace-block")
        try:
            yield Path(f"/proc/{os.getpid()}/fd/{file}")
        finally:
            os.close(file)
        return
    with tempfile.NamedTemporaryFile(dir=directory, prefix="block-") as named:
        yield Path(named.name)
