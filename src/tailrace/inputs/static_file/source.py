"""The bytes of one file, from its beginning forward; gzip and zstd are unpacked on the way, in bounded memory.

Offsets count the bytes of the log: of the file itself, or of what is packed in it.
"""

import gzip
import os
import zlib
from typing import IO, TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from io import BufferedIOBase

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
NOT_READ: Final = {b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
STEP_BYTES: Final = 262_144


class Source:
    """One open file. `limit` is how much of it belongs to the run: what is written to a plain file later does not."""

    def __init__(self, descriptor: int, limit: int) -> None:
        """Owns the descriptor. OSError when it is packed in a way that cannot be read."""
        self.offset = 0
        self.limit = limit
        self._descriptor = descriptor
        head = os.pread(descriptor, 8, 0)
        if packed := next((name for magic, name in NOT_READ.items() if head.startswith(magic)), ""):
            raise OSError(f"it is packed with {packed}, which is not read here")
        self._raw = _Raw(descriptor, limit)
        self._errors: tuple[type[Exception], ...] = ()
        self._unpacked = self._open(head)

    @property
    def done_bytes(self) -> int:
        """How much of the file, as it lies on the disk, has been read."""
        return self._raw.position if self._unpacked is not None else self.offset

    def read(self, size: int) -> bytes:
        """The next up to `size` bytes; fewer at the end only. OSError, also where a packed file is damaged."""
        data = self._pull(size)
        self.offset += len(data)
        return data

    def skip_to(self, offset: int) -> None:
        """Go on there; a packed file is unpacked up to it. Never backwards."""
        if self._unpacked is None:
            self.offset = offset
        while self.offset < offset and self.read(min(STEP_BYTES, offset - self.offset)):
            pass

    def close(self) -> None:
        if self._unpacked is not None:
            self._unpacked.close()
        os.close(self._descriptor)

    def _pull(self, size: int) -> bytes:
        if self._unpacked is None:
            return os.pread(self._descriptor, max(0, min(size, self.limit - self.offset)), self.offset)
        pieces = bytearray()
        try:
            while len(pieces) < size and (piece := self._unpacked.read(min(STEP_BYTES, size - len(pieces)))):
                pieces += piece
        except self._errors as error:
            if pieces:  # what was whole before the damage; the next call meets it again
                return bytes(pieces)
            raise OSError(f"the packed file is damaged or cut off: {error}") from error
        return bytes(pieces)

    def _open(self, head: bytes) -> "BufferedIOBase | None":
        raw = cast("IO[bytes]", self._raw)
        if head.startswith(GZIP):
            self._errors = (EOFError, zlib.error, gzip.BadGzipFile)
            return gzip.GzipFile(fileobj=raw, mode="rb")
        if head.startswith(ZSTD):
            from tailrace.batch.twin.codec import zstd  # noqa: PLC0415 - few runs meet such a file

            self._errors = (EOFError, zstd.ZstdError)
            return cast("BufferedIOBase", zstd.ZstdFile(raw, "rb"))
        return None


class _Raw:
    """A file object that ends where the run's part of the file ends."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        left = self._limit - self.position
        data = os.pread(self._descriptor, max(0, left if size < 0 else min(size, left)), self.position)
        self.position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self._limit}[whence]
        self.position = base + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """The descriptor belongs to the source."""
