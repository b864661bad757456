"""The bytes of an open file: as they are, or unpacked where rotation has compressed them.

Offsets always count the bytes of the log, so that a stream goes on inside the compressed copy of its file where it stood in the file.
"""

import contextlib
import gzip
import os
import zlib
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, cast

from tailrace.pipeline.platform import FileIdentity

if TYPE_CHECKING:
    from io import BufferedIOBase

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
COMPRESSED = (GZIP, ZSTD, b"\xfd7zXZ\x00", b"BZh")
"""How gzip, zstd, xz and bzip2 begin. The first two can be read on in; all four are copies of logs, not logs."""
KEPT_BYTES = 4 * 1_048_576
"""How far back unpacked bytes can be read again without unpacking from the beginning: more than the largest block."""
STEP_BYTES = 262_144


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


def unpacking(descriptor: int) -> "Unpacked | None":
    """A reader of what is packed in an open file; None when it is not packed, or in a way that cannot be read."""
    head = os.pread(descriptor, 8, 0)
    if head.startswith(GZIP):
        return Unpacked(descriptor, _open_gzip, (EOFError, zlib.error, gzip.BadGzipFile))
    if head.startswith(ZSTD):
        from tailrace.batch.twin.codec import zstd  # noqa: PLC0415 - few agents ever meet such a file

        return Unpacked(descriptor, lambda file: cast("BufferedIOBase", zstd.ZstdFile(file, "rb")), (EOFError, zstd.ZstdError))
    return None


class Unpacked:
    """Reads a compressed file forward and keeps the last KEPT_BYTES; a read from before them begins anew."""

    def __init__(self, descriptor: int, open_: "Callable[[IO[bytes]], BufferedIOBase]", errors: tuple[type[Exception], ...]) -> None:
        self._descriptor = descriptor
        self._open = open_
        self._errors = errors
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
        except self._errors as error:
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
        with contextlib.suppress(*self._errors):
            while self._step(min(STEP_BYTES, whole - self._end) or 1):
                pass

    def _step(self, size: int = STEP_BYTES) -> bool:
        assert self._stream is not None, "read_at opens it"
        piece = self._stream.read1(size)
        self._kept += piece
        if len(self._kept) > 2 * KEPT_BYTES:
            surplus = len(self._kept) - KEPT_BYTES
            del self._kept[:surplus]
            self._begin += surplus
        return bool(piece)

    def _restart(self) -> None:
        self.close()
        self._kept.clear()
        self._begin, self.damage = 0, ""
        self._stream = self._open(cast("IO[bytes]", _FromStart(self._descriptor)))


class _FromStart:
    """A file object over a descriptor that is shared: it keeps a position of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        data = os.pread(self._descriptor, size if size >= 0 else os.fstat(self._descriptor).st_size, self._position)
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}[whence]
        self._position = base + offset
        return self._position

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """The descriptor belongs to the content."""


def _open_gzip(file: IO[bytes]) -> "BufferedIOBase":
    return gzip.GzipFile(fileobj=file, mode="rb")
