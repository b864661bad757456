"""Compressed files: how they begin, and what unpacks them."""

import gzip
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    from io import BufferedIOBase

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
NOT_READ: Final = {b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
"""Packed in ways that are known and not read."""
HEAD_BYTES: Final = 8
"""So many tell how a file is packed."""
STEP_BYTES: Final = 262_144
"""So much is unpacked at a time."""

Errors: TypeAlias = tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """One way of packing that can be read: what opens it, and what is raised where it is damaged or cut off."""

    open: Callable[["Raw"], "BufferedIOBase"]
    errors: Errors


def packing_of(head: bytes) -> Packing | None:
    """How a file that begins so is packed; None when it is not, or in a way that cannot be read."""
    if head.startswith(GZIP):
        return Packing(lambda raw: gzip.GzipFile(fileobj=cast("IO[bytes]", raw), mode="rb"), (EOFError, zlib.error, gzip.BadGzipFile))
    if head.startswith(ZSTD):
        from tailrace.batch.twin.codec import zstd  # noqa: PLC0415 - few agents ever meet such a file

        return Packing(lambda raw: cast("BufferedIOBase", zstd.ZstdFile(cast("IO[bytes]", raw), "rb")), (EOFError, zstd.ZstdError))
    return None


class Raw:
    """A file object over a descriptor that is shared: it keeps a position of its own, and ends at `limit` where there is one."""

    def __init__(self, descriptor: int, limit: int | None = None) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        left = self._end() - self.position
        data = os.pread(self._descriptor, max(0, left if size < 0 else min(size, left)), self.position)
        self.position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self._end()}[whence]
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """The descriptor belongs to who gave it."""

    def _end(self) -> int:
        return os.fstat(self._descriptor).st_size if self._limit is None else self._limit
