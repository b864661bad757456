"""The bytes of an open file: as they are, or unpacked where rotation has compressed them.

Offsets always count the bytes of the log, so that a stream goes on inside the compressed copy of its file where it stood in the file.
"""

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tailrace.inputs.file.packing import GZIP, HEAD_BYTES, STEP_BYTES, ZSTD, Packing, Raw, packing_of
from tailrace.pipeline.platform import FileIdentity

if TYPE_CHECKING:
    from io import BufferedIOBase

COMPRESSED = (GZIP, ZSTD, b"\xfd7zXZ\x00", b"BZh")
"""How gzip, zstd, xz and bzip2 begin. The first two can be read on in; all four are copies of logs, not logs."""
KEPT_BYTES = 4 * 1_048_576
"""How far back unpacked bytes can be read again without unpacking from the beginning: more than the largest block."""


class Content:
    """One open file. `size` and `read_at` are those of the log in it."""

    __slots__ = ("_unpacked", "descriptor", "identity")

    def __init__(self, descriptor: int, identity: FileIdentity, unpacked: "Unpacked | None" = None) -> None:
        self.descriptor = descriptor
        self.identity = identity
        self._unpacked = unpacked

    @property
    def file(self) -> tuple[int, int]:
        """(device, inode)."""
        return self.identity.device, self.identity.inode

    @property
    def is_unpacked(self) -> bool:
        """It is a compressed copy: it never grows."""
        return self._unpacked is not None

    @property
    def damage(self) -> str:
        """What is wrong with a compressed copy behind what can be read of it; empty as long as nothing was found."""
        return self._unpacked.damage if self._unpacked is not None else ""

    def status(self) -> os.stat_result:
        return os.fstat(self.descriptor)

    def read_at(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes; fewer at the end only, which is where the damage begins in a compressed file that has one."""
        if self._unpacked is None:
            return os.pread(self.descriptor, size, offset)
        return self._unpacked.read_at(size, offset)

    def reaches(self, offset: int) -> bool:
        """Whether there are at least `offset` bytes."""
        if self._unpacked is None:
            return self.status().st_size >= offset
        return not offset or bool(self.read_at(1, offset - 1))

    def ends_at(self, offset: int) -> bool:
        return self.reaches(offset) and not self.read_at(1, offset)

    def close(self) -> None:
        if self._unpacked is not None:
            self._unpacked.close()
        os.close(self.descriptor)


def is_compressed(head: bytes) -> bool:
    return head.startswith(COMPRESSED)


def unpacking(descriptor: int, meanwhile: Callable[[], None]) -> "Unpacked | None":
    """A reader of what is packed in an open file; None when it is not packed, or in a way that cannot be read. `meanwhile` is called after
    each step of unpacking."""
    packing = packing_of(os.pread(descriptor, HEAD_BYTES, 0))
    return None if packing is None else Unpacked(descriptor, packing, meanwhile)


class Unpacked:
    """Reads a compressed file forward and keeps the last KEPT_BYTES; a read from before them begins anew."""

    def __init__(self, descriptor: int, packing: Packing, meanwhile: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._packing = packing
        self._meanwhile = meanwhile
        self._stream: BufferedIOBase | None = None
        self._kept = bytearray()
        self._begin = 0
        self.damage = ""

    def read_at(self, size: int, offset: int) -> bytes:
        if self._stream is None or offset < self._begin:
            self._restart()
        try:
            while not self.damage and self._end < offset + size and self._step():
                pass
        except self._packing.errors as error:
            self._read_to_the_damage()
            self.damage = f"the compressed file is damaged: {error}"
        at = offset - self._begin
        return bytes(self._kept[at : at + size])

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    @property
    def _end(self) -> int:
        return self._begin + len(self._kept)

    def _read_to_the_damage(self) -> None:
        """The step that met it has lost what it had unpacked before that: again, byte by byte."""
        whole = self._end
        self._restart()
        with contextlib.suppress(*self._packing.errors):
            while self._step(min(STEP_BYTES, whole - self._end) or 1):
                pass

    def _step(self, size: int = STEP_BYTES) -> bool:
        assert self._stream is not None, "read_at opens it"
        piece = self._stream.read1(size)
        self._kept += piece  # first of all: a piece that is missing would shift all that follows
        if len(self._kept) > 2 * KEPT_BYTES:
            surplus = len(self._kept) - KEPT_BYTES
            del self._kept[:surplus]
            self._begin += surplus
        self._meanwhile()
        return bool(piece)

    def _restart(self) -> None:
        self.close()
        self._kept.clear()
        self._begin, self.damage = 0, ""
        self._stream = self._packing.open(Raw(self._descriptor))
