"""One generation of one file: what identifies it, how far it is read, and whether it is still what it was.

A file that is truncated or rewritten begins a new generation; one that is renamed does not.
"""

import time
from codecs import BOM_UTF16_BE
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tailrace.batch import fingerprint
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.roots import Root
from tailrace.inputs.file.trail import Trail, trail_at, trail_from
from tailrace.pipeline.contract import Position
from tailrace.pipeline.platform import FileIdentity

LAYOUT = 2
"""Of positions. 1 had pairs of mark and hash as its trail; those prove nothing any more, the rest is as it was."""
SIGNATURE_SIZE = 1024
"""Bytes of the head, and before the offset, that prove a file to be the one that was read."""
TICK_NS = 20_000_000
"""Two writes may get the same mtime within one tick of the system's clock (10 ms at most); twice that, to be safe."""

FileId = tuple[int, int]
"""(device, inode): which file this is among those that exist now."""


class Sight(NamedTuple):
    """What one look saw of a file: its size, its mtime in ns, and what proves the bytes that were not read yet."""

    size: int
    modified: int
    ahead: tuple[int, bytes]


@dataclass(slots=True, eq=False)
class Generation:
    """A file at work. Only its input's thread touches it."""

    key: str
    file: FileId
    born: int
    path: str
    """Where it was found first: the tag `__path__`, unless its root shows it as something else."""
    location: str
    """Where it was seen last."""
    shown: str = ""
    """What `path` is called in configs and events, where that is something else."""
    tags: tuple[tuple[str, str], ...] = ()
    """Those of its root."""
    stream: str = ""
    opened: int = 0
    """Wall clock in ns at which it was found: generations of one path are read in this order."""
    offset: int = 0
    unfinished: int = 0
    """The offset lies within a record: what its framing has to know of it; 0 between records."""
    big_endian: bool = False
    """The byte order that the mark at the head of a UTF-16 file gives."""
    nuls_seen: tuple[int, int, float] = (0, 0, 0.0)
    """From where on there are only NULs, up to where the file ends, and since when (monotonic); zeros when there are none."""
    head: tuple[int, bytes] = (0, b"")
    """(size, fingerprint) of the first bytes, at most SIGNATURE_SIZE, as far as they were seen."""
    tail: bytes = b""
    """The last bytes before the offset, at most SIGNATURE_SIZE."""
    ahead: tuple[int, bytes] = (0, b"")
    """(size, fingerprint) of the last bytes that were seen beyond the offset, at most SIGNATURE_SIZE before that size; zeros where all
    that was seen was read."""
    trail: Trail = field(default_factory=Trail)
    saved: Position = field(default_factory=dict[str, Any])
    """While it is closed: its position, which proves it when it is opened again."""
    content: Content | None = None
    """While it is open."""
    grown_at: float = field(default_factory=time.monotonic)
    size: int = 0
    """At the last look, in bytes of the log."""
    modified: int = 0
    """mtime in ns at the last look."""
    told: tuple[int, float] = (0, 0.0)
    """The size of which the checkpoint knows, and when it was told so beyond what was read (monotonic seconds)."""
    settled: bool = False
    """The last look came so long after the last change that no other can hide in the same tick of the clock."""
    blank_at: int = 0
    """mtime in ns when nothing was in it, as long as it has changed since and it was not looked for what was in it meanwhile; else 0."""
    before: tuple[int, int] = (0, 0)
    """Birth time and last writing of what stood at its path before it; zeros when nothing is known of that. What was written later and
    rotated away was missed."""
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
    _begun_in: tuple[FileId, int] | None = None
    """What the key says: file and birth time."""
    ended: bool = False
    """Nothing more will come from it."""

    @property
    def is_open(self) -> bool:
        return self.content is not None

    @property
    def descriptor(self) -> int:
        assert self.content is not None, "only an open generation is asked"
        return self.content.descriptor

    @property
    def is_unpacked(self) -> bool:
        """It is read out of a compressed copy, which never grows."""
        return self.content is not None and self.content.is_unpacked

    @property
    def written_at(self) -> int:
        """When the open file was last written, in ns."""
        assert self.content is not None, "only an open generation is asked"
        return self.content.status().st_mtime_ns

    @property
    def is_nameless(self) -> bool:
        """Its last link is gone: the open handle alone keeps what is in it."""
        return self.displaced and self.content is not None and not self.content.status().st_nlink

    @property
    def in_copy(self) -> bool:
        """Its file was truncated or removed, and a copy of it was found: it lies in that one now."""
        return (self.file, self.born) != self._first()

    @property
    def first_born(self) -> int:
        """Birth time of the file that it began in. That of a copy tells nothing of when something came to its path."""
        return self._first()[1]

    def _first(self) -> tuple[FileId, int]:
        if self._begun_in is None:
            self._begun_in = file_of(self.key), born_of(self.key)
        return self._begun_in

    def comes_after(self, other: "Generation") -> bool:
        """Whether it waits for another one, directly or not."""
        one = self.after
        while one is not None and one is not other:
            one = one.after
        return one is other

    @property
    def proof(self) -> Position:
        """What a file must hold to be this generation's."""
        return self.position() if self.is_open or not self.saved else self.saved

    @property
    def unread(self) -> int:
        """Bytes that were seen and not read."""
        return max(0, self.size - self.offset)

    def position(self, *, mark: str = "") -> Position:
        """What the checkpoint keeps. `mark` belongs to the range that ends here, for its replay."""
        position = self.naming(mark=mark)
        position |= {"v": LAYOUT, "offset": self.offset, "head": [self.head[0], self.head[1].hex()]}
        position["tail"] = [len(self.tail), fingerprint(self.tail).hex()]
        if self.trail.hashes:
            position["trail"] = [self.trail.begin, self.trail.hashes.hex()]
        position["opened"] = self.opened
        position["read_to_end_at"] = self.read_to_end_at
        position["seen"] = [self.size, self.modified]
        if self.ahead[0] > self.offset:
            position["ahead"] = [self.ahead[0], self.ahead[1].hex()]
        if self.blank_at:
            position["blank_at"] = self.blank_at
        if any(self.before):
            position["before"] = list(self.before)
        if self.unfinished:
            position["unfinished"] = self.unfinished
        if self.in_copy:
            position["file"] = [*self.file, self.born]
        return position

    def naming(self, *, mark: str = "") -> Position:
        """The part of a position that says how the bytes before it become events, and what these are called."""
        naming: Position = {"path": self.path}
        if self.shown:
            naming["shown"] = self.shown
        if self.tags:
            naming["tags"] = [list(tag) for tag in self.tags]
        if mark:
            naming["mark"] = mark
        if self.big_endian:
            naming["big_endian"] = True
        return naming

    def known_as(self, root: Root) -> None:
        """Its root says what it is called, and what its events carry."""
        shown = root.shown_path(self.path)
        self.shown, self.tags = "" if shown == self.path else shown, root.tags

    def look(self, now_ns: int) -> None:
        """Note how large the open file is."""
        assert self.content is not None, "only an open generation is looked at"
        status = self.content.status()
        if not self.content.is_unpacked:
            if status.st_size > self.size:
                self.grown_at = time.monotonic()
            self.size = status.st_size
        self.modified = status.st_mtime_ns
        self.settled = now_ns - status.st_mtime_ns > TICK_NS

    def look_into(self) -> None:
        """Note how large the open file is, and what proves that: both of what is in it now, though it may be truncated meanwhile."""
        while True:
            self.look(time.time_ns())
            self.note_head()
            self.note_ahead()
            if self.is_unpacked or self.content is None or self.content.status().st_size >= self.size:
                return

    def note_ahead(self) -> None:
        """What proves the bytes that were seen and are not read yet. NULs prove nothing: they are room for more."""
        assert self.content is not None, "only an open generation is looked at"
        size = 0 if self.content.is_unpacked or not self.unread else min(SIGNATURE_SIZE, self.size)
        piece = self.read_at(size, self.size - size) if size else b""
        self.ahead = (self.size, fingerprint(piece)) if piece and len(piece) == size and not piece.endswith(b"\0") else (0, b"")

    @property
    def sight(self) -> "Sight":
        """What the last look saw."""
        return Sight(self.size, self.modified, self.ahead)

    def see(self, sight: "Sight") -> None:
        """Take that for what was seen: what a later look saw was of something else."""
        self.size, self.modified, self.ahead = sight

    def grow_to(self, size: int, modified: int) -> None:
        """A look from outside found that it has grown, and it begins as it did."""
        self.size, self.modified = size, modified
        self.settled = time.time_ns() - modified > TICK_NS
        self.note_ahead()

    def see_anew(self) -> None:
        """What was seen in it, and not read, is somewhere else by now, and something else in it: as if it had been empty."""
        blank_at = self.blank_at or self.modified
        self.look_into()
        self.blank_at = blank_at

    def may_have_changed(self) -> bool:
        assert self.content is not None, "only an open generation is looked at"
        status = self.content.status()
        return self.differs(status.st_size, status.st_mtime_ns)

    @property
    def is_shorter(self) -> bool:
        """Whether the open file is shorter now than at the last look."""
        return self.content is not None and not self.is_unpacked and self.content.status().st_size < self.size

    @property
    def is_blank(self) -> bool:
        """Whether nothing was seen in the open file, by a former process neither."""
        return self.content is not None and not (self.head[0] or self.saved.get("head", (0,))[0])

    @property
    def may_have_held_other(self) -> bool:
        """Whether something else may have been in the open file, of which nothing was read, before what is in it now."""
        return not self.offset and (self.blank_at > 0 or self.may_have_changed())

    def differs(self, size: int, modified: int) -> bool:
        """Whether the file may have changed since the last look."""
        return not self.settled or (size, modified) != (self.size, self.modified)

    def moved(self, piece: bytes, *, unfinished: int) -> None:
        """The offset is behind `piece` now."""
        if self.head[0] < SIGNATURE_SIZE:  # all that was read so far is in the tail
            head = (self.tail + piece[:SIGNATURE_SIZE])[:SIGNATURE_SIZE]
            if len(head) > self.head[0]:
                self.head = (len(head), fingerprint(head))
        self.trail = self.trail.passing(self.tail, piece, self.offset)
        self.offset += len(piece)
        self.size = max(self.size, self.offset)
        self.told = self.size, self.told[1]  # by the range that ends here
        self.tail = (piece if len(piece) >= SIGNATURE_SIZE else self.tail + piece)[-SIGNATURE_SIZE:]
        self.unfinished = unfinished

    def seek(self, offset: int) -> None:
        """Go on at `offset` of the open file."""
        self.offset = offset
        self.unfinished = 0
        self.trail = trail_from(offset)
        self.big_endian = self.read_at(2, 0) == BOM_UTF16_BE
        self.tail = self.read_at(min(SIGNATURE_SIZE, offset), max(0, offset - SIGNATURE_SIZE))
        self.note_head()

    def read_at(self, size: int, offset: int) -> bytes:
        assert self.content is not None, "only an open generation is read"
        return self.content.read_at(size, offset)

    def unchanged(self) -> bool:
        """Whether the file still begins as it did, and the bytes before the offset are those that were read."""
        if self.content is None or self.content.is_unpacked:
            return True
        size, begin = len(self.tail), self.offset - len(self.tail)
        if size and self.content.read_at(size, begin) != self.tail:
            return False
        if self.ahead[0] > self.offset and not _is_ahead(self.content, self.ahead):
            return False
        return self.head[0] <= size or fingerprint(self.content.read_at(self.head[0], 0)) == self.head[1]

    def holds(self, content: Content) -> bool:
        """Whether a file holds what was read of this one."""
        return fits(content, self.proof)

    def close(self) -> None:
        if self.content is not None:
            self.saved = self.position()
            self.content.close()
            self.content = None

    def resume(self) -> bool:
        """Go on where it was closed, or where a former process was; False when the open file is no longer the one that was read."""
        assert self.content is not None, "who resumes has opened it"
        if not fits(self.content, self.saved):
            return False
        self.go_on(self.saved)
        return True

    def go_on(self, position: Position) -> None:
        """Go on at a position that the open file has been found to fit."""
        self.offset = int(position["offset"])
        self.size = max(self.size, self.offset)
        self.unfinished = int(position.get("unfinished", 0))
        self.big_endian = bool(position.get("big_endian"))
        self.tail = self.read_at(min(SIGNATURE_SIZE, self.offset), max(0, self.offset - SIGNATURE_SIZE))
        self.head = int(position["head"][0]), bytes.fromhex(position["head"][1])
        self.ahead = ahead_of(position)
        self.trail = trail_at(position)

    def note_head(self) -> None:
        """What proves the open file to be this one from now on, also before anything of it is read."""
        head = self.read_at(SIGNATURE_SIZE, 0)
        head = head[: max(self.offset, len(head.rstrip(b"\0")))]  # NULs behind what was read are room for more
        self.head = (len(head), fingerprint(head))

    def take(self, content: Content, location: str) -> None:
        """It lies in another file now: a copy, or the same one under another device number."""
        if self.content is not None:
            self.content.close()
        identity = content.identity
        self.content, self.location = content, location
        self.file, self.born = (identity.device, identity.inode), identity.born


def stream_key(identity: FileIdentity, suffix: str = "") -> str:
    """`device:inode:birth time`, all hexadecimal; `suffix` tells generations of one file apart."""
    return f"{identity.device:x}:{identity.inode:x}:{identity.born:x}{suffix}"


def file_of(key: str) -> FileId:
    device, inode = key.split(":")[:2]
    return int(device, 16), int(inode, 16)


def born_of(key: str) -> int:
    return int(key.split("~", maxsplit=1)[0].split(":")[2], 16)


def is_key_of(key: str, identity: FileIdentity) -> bool:
    """Whether a stream began in a file; its device may have had another number then."""
    return (file_of(key)[1], born_of(key)) == (identity.inode, identity.born)


def ahead_of(position: Position) -> tuple[int, bytes]:
    """What proves the last bytes that were seen and not read at a position."""
    size, signature = position.get("ahead", (0, ""))
    return int(size), bytes.fromhex(signature)


def fits(content: Content, position: Position) -> bool:
    """Whether a file still holds, or also holds, what was read up to `position`."""
    offset = int(position["offset"])
    if not has_head(content, position):
        return False
    tail, ahead = position["tail"], ahead_of(position)
    return content.reaches(offset) and _matches(content, tail, offset - int(tail[0])) and (not ahead[0] or _is_ahead(content, ahead))


def has_head(content: Content, position: Position) -> bool:
    """Whether a file begins as what was read up to `position`."""
    return _matches(content, position["head"], 0)


def _is_ahead(content: Content, ahead: tuple[int, bytes]) -> bool:
    """Whether a file holds the last bytes that were seen, as far as it reaches."""
    size, signature = ahead
    length = min(SIGNATURE_SIZE, size)
    piece = content.read_at(length, size - length)
    return len(piece) < length or fingerprint(piece) == signature


def _matches(content: Content, signature: Sequence[Any], offset: int) -> bool:
    size, expected = signature
    return fingerprint(content.read_at(size, offset)).hex() == expected if size else True
