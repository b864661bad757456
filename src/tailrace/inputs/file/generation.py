"""One generation of one file: what identifies it, how far it is read, and whether it is still what it was.

A file that is truncated or rewritten begins a new generation; one that is renamed does not.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tailrace.batch import fingerprint
from tailrace.pipeline.contract import Position
from tailrace.pipeline.platform import FileIdentity

LAYOUT = 1
SIGNATURE_SIZE = 1024
"""Bytes of the head, and before the offset, that prove a file to be the one that was read."""

FileId = tuple[int, int]
"""(device, inode): which file this is among those that exist now."""


@dataclass(slots=True, eq=False)
class Generation:
    """A file at work. Only its input's thread touches it."""

    key: str
    file: FileId
    born: int
    path: str
    """Where it was found first: the tag `__path__`."""
    location: str
    """Where it was seen last."""
    stream: str = ""
    offset: int = 0
    unfinished: int = 0
    """The offset lies within a record: what its framing has to know of it; 0 between records."""
    big_endian: bool = False
    """The byte order that the mark at the head of a UTF-16 file gives."""
    nuls_seen: tuple[int, int] = (0, 0)
    """Where NULs began, up to the end of the file, when that was last looked at; (0, 0) when there were none."""
    head: tuple[int, bytes] = (0, b"")
    """(size, fingerprint) of the first bytes, at most SIGNATURE_SIZE, as far as they have been read."""
    tail: bytes = b""
    """The last bytes before the offset, at most SIGNATURE_SIZE."""
    saved: Position = field(default_factory=dict[str, Any])
    """While it is closed: its position, which proves it when it is opened again."""
    descriptor: int = -1
    grown_at: float = field(default_factory=time.monotonic)
    size: int = 0
    """At the last look."""
    modified: int = 0
    """mtime in ns at the last look."""
    displaced: bool = False
    """Another file stands at its path, or none."""
    read_to_end_at: int = 0
    """Wall clock in ns of the last time it was read to its end, by a former process too; before that, of the last look that did not
    find it. What is read next could be read from then on. 0: not known, or history on purpose."""
    drained: bool = False
    """Read to its end since it was last seen growing; what may remain is an unfinished record."""
    after: "Generation | None" = None
    """Read that one to its end first."""
    followers: "list[Generation]" = field(default_factory=list["Generation"])
    leaving_by: float = 0.0
    """It is let go when it has been read to its end, at the latest at this time (monotonic seconds); 0 when it stays."""
    root_gone: bool = False
    """Nobody else will read it on."""
    queued: bool = False
    trusted: bool = False
    """The bytes before the offset have been compared since the last pause."""

    @property
    def is_open(self) -> bool:
        return self.descriptor >= 0

    @property
    def at_line_start(self) -> bool:
        return self.tail.endswith(b"\n") or not self.offset

    def position(self, *, mark: str = "") -> Position:
        """What the checkpoint keeps. `mark` belongs to the range that ends here, for its replay."""
        position: Position = {"v": LAYOUT, "offset": self.offset, "path": self.path, "head": [self.head[0], self.head[1].hex()]}
        position["tail"] = [len(self.tail), fingerprint(self.tail).hex()]
        position["read_to_end_at"] = self.read_to_end_at
        if mark:
            position["mark"] = mark
        if self.unfinished:
            position["unfinished"] = self.unfinished
        if self.big_endian:
            position["big_endian"] = True
        return position

    def moved(self, piece: bytes, *, unfinished: int) -> None:
        """The offset is behind `piece` now."""
        self.offset += len(piece)
        self.tail = (piece if len(piece) >= SIGNATURE_SIZE else self.tail + piece)[-SIGNATURE_SIZE:]
        self.unfinished = unfinished
        if self.head[0] < SIGNATURE_SIZE:
            head = os.pread(self.descriptor, min(SIGNATURE_SIZE, self.offset), 0)
            self.head = (len(head), fingerprint(head))

    def seek(self, offset: int) -> None:
        """Go on at `offset` of the open file."""
        self.offset = offset
        self.unfinished = 0
        self.tail = os.pread(self.descriptor, min(SIGNATURE_SIZE, offset), max(0, offset - SIGNATURE_SIZE))
        head = os.pread(self.descriptor, min(SIGNATURE_SIZE, offset), 0)
        self.head = (len(head), fingerprint(head))

    def unchanged(self) -> bool:
        """Whether the bytes before the offset are still those that were read."""
        size = len(self.tail)
        return os.pread(self.descriptor, size, self.offset - size) == self.tail

    def close(self) -> None:
        if self.is_open:
            self.saved = self.position()
            os.close(self.descriptor)
            self.descriptor = -1
        self.trusted = False

    def resume(self) -> bool:
        """Go on where it was closed, or where a former process was; False when the open file is no longer the one that was read."""
        if not fits(self.descriptor, self.saved):
            return False
        unfinished = int(self.saved.get("unfinished", 0))
        self.seek(int(self.saved["offset"]))
        self.unfinished = unfinished
        self.big_endian = bool(self.saved.get("big_endian"))
        return True


def stream_key(identity: FileIdentity, suffix: str = "") -> str:
    """`device:inode:birth time`, all hexadecimal; `suffix` tells generations of one file apart."""
    return f"{identity.device:x}:{identity.inode:x}:{identity.born:x}{suffix}"


def file_of(key: str) -> FileId:
    device, inode = key.split(":")[:2]
    return int(device, 16), int(inode, 16)


def born_of(key: str) -> int:
    return int(key.split(":")[2], 16)


def fits(descriptor: int, position: Position) -> bool:
    """Whether the file behind `descriptor` still holds what was read of it up to `position`."""
    offset = int(position["offset"])
    head, tail = position["head"], position["tail"]
    if os.fstat(descriptor).st_size < offset:
        return False
    return _matches(descriptor, head, 0) and _matches(descriptor, tail, offset - int(tail[0]))


def _matches(descriptor: int, signature: Sequence[Any], offset: int) -> bool:
    size, expected = signature
    return fingerprint(os.pread(descriptor, size, offset)).hex() == expected if size else True
