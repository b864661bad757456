"""NULs at the end of a file: room that its writer set aside, or what a network file system shows before the bytes have come.

They are not read until nothing about them has changed for as long as an unfinished record waits: what is written there later is read then.
"""

import os
import time

from tailrace.inputs.file.generation import Generation

CHUNK = 1_048_576


class NulsAtEnd:
    """Holds them back. `unit` is the size of a NUL in bytes."""

    def __init__(self, unit: int) -> None:
        self._unit = unit

    def settled(self, generation: Generation, block: bytes, patience: float) -> bytes:
        """The block, without a run of NULs that reaches the end of the file unless it was the same at the last look and has been for
        `patience` seconds."""
        begin = self._run(block)
        if begin == len(block) or not _reaches_end(generation, generation.offset + len(block)):
            generation.nuls_seen = (0, 0, 0.0)
            return block
        first, end, since = generation.nuls_seen
        if not (end == generation.size and first <= generation.offset + begin < end):
            generation.nuls_seen = (generation.offset + begin, generation.size, time.monotonic())
            return block[:begin]
        return block if time.monotonic() - since >= patience else block[:begin]

    def _run(self, block: bytes) -> int:
        """Where the NULs at the end of the block begin."""
        begin = len(block.rstrip(b"\0"))
        return min(begin + begin % self._unit, len(block))


def _reaches_end(generation: Generation, at: int) -> bool:
    """Whether there are only NULs from `at` on. A hole is passed over without reading it."""
    while True:
        try:
            at = os.lseek(generation.descriptor, at, os.SEEK_DATA) if hasattr(os, "SEEK_DATA") else at
        except OSError:
            return True  # no data from there on
        chunk = os.pread(generation.descriptor, CHUNK, at)
        if chunk.strip(b"\0"):
            return False
        if not chunk:
            return True
        at += len(chunk)
