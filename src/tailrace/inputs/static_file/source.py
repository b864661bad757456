"""The bytes of one file, from its beginning forward; gzip and zstd are unpacked on the way, in bounded memory.

Offsets count the bytes of the log: of the file itself, or of what is packed in it.
"""

import os
from typing import TYPE_CHECKING

from tailrace.inputs.file.packing import HEAD_BYTES, NOT_READ, STEP_BYTES, Raw, packing_of

if TYPE_CHECKING:
    from io import BufferedIOBase


class Source:
    """One open file. `limit` is how much of it belongs to the run: what is written to a plain file later does not."""

    def __init__(self, descriptor: int, limit: int) -> None:
        """Owns the descriptor. OSError when it is packed in a way that cannot be read."""
        self.offset = 0
        self.limit = limit
        self._descriptor = descriptor
        head = os.pread(descriptor, HEAD_BYTES, 0)
        if packed := next((name for magic, name in NOT_READ.items() if head.startswith(magic)), ""):
            raise OSError(f"it is packed with {packed}, which is not read here")
        self._raw = Raw(descriptor, limit)
        packing = packing_of(head)
        self._errors = packing.errors if packing is not None else ()
        self._unpacked: BufferedIOBase | None = packing.open(self._raw) if packing is not None else None

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
