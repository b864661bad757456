"""The log itself.

A journal is a directory of segments, `<first id, 20 digits>.seg`. A segment is a header and records; ids rise by one over all segments.

    header   magic 8 · crc u32 of all that follows · version u32 · first id u64 · reserved 8            (32 bytes, little-endian)
    record   magic 4 · crc u32 of all that follows · length u32 · type u32 · id u64 · payload           (24 bytes + payload)

Opening never fails over damage: a torn tail is cut, a damaged stretch is skipped to the next record that checks out, its segment is linked
into `set-aside/` and reported. Only a segment of a newer release refuses to open, because skipping it would lose what it holds.
"""

import contextlib
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

from tailrace.errors import BusyError, DamagedError, NewerFormatError, StateError
from tailrace.journal.directory import make_directory, sync_directory

FORMAT_VERSION = 1
MAX_PAYLOAD = 1 << 30

_SEGMENT_MAGIC = b"TRJOURN\n"
_RECORD_MAGIC = b"\xa7trR"
_SEGMENT = struct.Struct("<8sIIQ8x")
_SEGMENT_CHECKED = struct.Struct("<IQ8x")
_RECORD = struct.Struct("<4sIIIQ")
_RECORD_CHECKED = struct.Struct("<IIQ")

Entry: TypeAlias = tuple[int, bytes]
"""(type, payload) of a record to append; the type is the owner's, 0…2³²-1."""


@dataclass(frozen=True, slots=True)
class Record:
    id: int
    type: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies: the first id of its segment, the offset in there, and the length of its payload."""

    segment: int
    offset: int
    length: int


Found: TypeAlias = Callable[[Place, Record], None]


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that does not hold what its checksums promise. A crash leaves a torn tail; anything else is worth an alarm."""

    segment: Path
    offset: int
    length: int
    torn_tail: bool


@dataclass(slots=True)
class _Segment:
    path: Path
    first: int
    size: int = _SEGMENT.size


class Journal:
    """One journal, owned by one thread at a time. Directories are 0700, files 0600.

    `append` is not durable before `sync` has returned. Raises BusyError when the disk is full (nothing of the call is kept then) and
    StateError when the journal cannot go on.
    """

    def __init__(self, directory: Path, *, segment_bytes: int = 64 << 20, found: Found | None = None) -> None:
        """`found` is called with each record that is there, in order."""
        self.directory = directory
        self.segment_bytes = segment_bytes
        self._found = found
        self.damage: list[Damage] = []
        self.next_id = 1
        self._segments: list[_Segment] = []
        self._synced = 0
        self._broken = ""
        self._open_directory()
        self._fd = self._open_last()

    # --- what it holds ----------------------------------------------------------------------------------------------------------
    @property
    def first_id(self) -> int:
        """Id of the oldest record that may still be there."""
        return self._segments[0].first

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self._segments)

    @property
    def segments(self) -> list[int]:
        """The first ids of all segments, rising."""
        return [segment.first for segment in self._segments]

    def read(self, start: int = 0) -> Iterator[Record]:
        """Records with id ≥ `start` in order, one segment at a time, skipping what is damaged."""
        for index, segment in enumerate(self._segments):
            if index + 1 < len(self._segments) and self._segments[index + 1].first <= start:
                continue
            for _, record in _records(segment.path.read_bytes()[: segment.size]):
                if record.id >= start:
                    yield record

    def read_at(self, place: Place) -> Record:
        """The record that lies there. DamagedError when it does not check out or is there no more, BusyError when it cannot be read now."""
        path = self.path(place.segment)
        try:
            with path.open("rb", buffering=0) as file:
                data = os.pread(file.fileno(), _RECORD.size + place.length, place.offset)
        except FileNotFoundError as error:
            raise DamagedError(f"journal segment `{path}` is gone") from error
        except OSError as error:
            raise BusyError(f"cannot read journal segment `{path}` now: {error}", hint="check the disk") from error
        record = _record_at(data, 0) if data.startswith(_RECORD_MAGIC) else None
        if record is None or len(record.payload) != place.length:
            raise DamagedError(f"journal segment `{path}` does not hold what its checksums promise at {place.offset}")
        return record

    # --- writing ----------------------------------------------------------------------------------------------------------------
    def append(self, entries: Sequence[Entry]) -> list[int]:
        """Write records, all or none; their ids."""
        first = self.next_id
        self.append_placed(entries)
        return list(range(first, self.next_id))

    def append_placed(self, entries: Sequence[Entry]) -> list[Place]:
        """Write records, all or none; where they lie, for `read_at`."""
        self._check_usable()
        encoded = [_encode(self.next_id + index, kind, payload) for index, (kind, payload) in enumerate(entries)]
        size = sum(len(head) + len(payload) for head, payload in encoded)
        last = self._segments[-1]
        if last.size > _SEGMENT.size and last.size + size > self.segment_bytes:
            self._roll()
            last = self._segments[-1]
        self._write([part for pair in encoded for part in pair], last.size)
        offsets = accumulate((len(head) + len(payload) for head, payload in encoded), initial=last.size)
        places = [Place(last.first, offset, len(payload)) for offset, (_, payload) in zip(offsets, encoded, strict=False)]
        last.size += size
        self.next_id += len(entries)
        return places

    def sync(self) -> None:
        """Make everything appended so far durable. When that fails, what came since the last `sync` is cut off again: StateError."""
        self._check_usable()
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            # After a failed fsync the kernel may have dropped the pages: their state is unknown, so they must not come back on replay.
            self._cut_back(self._synced, str(error))
            self.next_id = self._newest_id() + 1
            raise StateError(f"cannot sync journal `{self._segments[-1].path}`: {error}") from error
        self._synced = self._segments[-1].size

    def would_cut(self, before: int) -> int:
        """How many segments `cut` would unlink."""
        return sum(1 for segment in self._segments[1:] if segment.first <= before)

    def cut(self, before: int) -> int:
        """Unlink the segments all of whose records have an id below `before`; how many. The newest segment always stays."""
        removed = 0
        while len(self._segments) > 1 and self._segments[1].first <= before:
            self._segments.pop(0).path.unlink(missing_ok=True)
            removed += 1
        return removed

    def drop(self, segment: int) -> bool:
        """Unlink the segment with this first id, wherever it stands; False when it is the newest, which stays."""
        if segment == self._segments[-1].first:
            return False
        self._segments = [one for one in self._segments if one.first != segment]
        self.path(segment).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        if self._fd < 0:
            return
        try:
            if not self._broken:
                self.sync()
        finally:
            os.close(self._fd)
            self._fd = -1

    # --- inside -----------------------------------------------------------------------------------------------------------------
    def _check_usable(self) -> None:
        if self._fd < 0:
            raise StateError(f"journal `{self.directory}` is closed")
        if self._broken:
            raise StateError(f"journal `{self.directory}` cannot go on: {self._broken}", hint="check the disk, then restart")

    def _open_directory(self) -> None:
        make_directory(self.directory)
        there = self.directory.iterdir()  # not `glob`: to that, a directory which cannot be read is an empty one
        paths = sorted(path for path in there if path.suffix == ".seg" and path.stem.isdigit())
        for path in paths:
            self._check_version(path)
        for path in paths:
            self._load(path, last=path == paths[-1])

    def _check_version(self, path: Path) -> None:
        with path.open("rb") as file:
            header = file.read(_SEGMENT.size)
        if _header_is_sound(header):
            version = _SEGMENT.unpack(header)[2]
            if version > FORMAT_VERSION:
                raise NewerFormatError(
                    f"journal segment `{path}` has format {version}, this release knows up to {FORMAT_VERSION}",
                    hint="start the newer release again, or restore a backup made with this one",
                )

    def _load(self, path: Path, *, last: bool) -> None:
        """Take one segment in: find its good end, report its bad stretches."""
        data = path.read_bytes()
        first, end, newest = int(path.stem), _SEGMENT.size, 0
        sound = _header_is_sound(data[: _SEGMENT.size])
        if not sound and len(data) >= _SEGMENT.size:
            self._report(path, 0, _SEGMENT.size, torn_tail=False)
        for offset, record in _records(data):
            if offset > end:
                self._report(path, end, offset - end, torn_tail=False)
            end = offset + _RECORD.size + len(record.payload)
            newest = record.id
            if self._found is not None:
                self._found(Place(first, offset, len(record.payload)), record)
        self.next_id = max(self.next_id, first, newest + 1)
        if last and not newest and not sound:
            path.unlink()  # a crash hit between creating the file and writing its header; or nothing in it can be used
            return
        if end < len(data):
            self._report(path, end, len(data) - end, torn_tail=last)
            if last:
                _truncate(path, end)
        self._segments.append(_Segment(path, first, end if last else len(data)))

    def _report(self, path: Path, offset: int, length: int, *, torn_tail: bool) -> None:
        self.damage.append(Damage(path, offset, length, torn_tail))
        if not torn_tail:
            self.set_aside(path)

    def set_aside(self, path: Path) -> None:
        """Link a segment into `set-aside/`, where it outlives its use here. It is for people: what keeps it from being put there, a full
        disk, must not keep the journal from being opened."""
        aside = self.directory / "set-aside"
        with contextlib.suppress(OSError):
            aside.mkdir(mode=0o700, exist_ok=True)
            try:
                os.link(path, aside / path.name)
            except FileExistsError:
                return
            except OSError:  # a file system without hard links
                shutil.copy2(path, aside / path.name)

    def _open_last(self) -> int:
        if not self._segments:
            return self._create(self.next_id)
        last = self._segments[-1]
        if not _header_is_sound(last.path.read_bytes()[: _SEGMENT.size]):
            return self._create(self.next_id)
        self._synced = last.size
        return os.open(last.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def path(self, first: int) -> Path:
        """Of the segment with this first id."""
        return segment_path(self.directory, first)

    def _create(self, first: int) -> int:
        """A new, empty, durable segment."""
        path = self.path(first)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, _header(first), 0)
            os.fdatasync(fd)
            sync_directory(self.directory)
        except OSError as error:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise BusyError(f"cannot create journal segment `{path}`: {error}", hint="free some space") from error
        self._segments.append(_Segment(path, first))
        self._synced = _SEGMENT.size
        return fd

    def _roll(self) -> None:
        self.sync()
        fd = self._create(self.next_id)
        os.close(self._fd)
        self._fd = fd

    def _write(self, parts: list[bytes], good: int) -> None:
        """Write all of `parts`, or cut the segment back to `good`."""
        pending = [memoryview(part) for part in parts if part]
        try:
            while pending:
                written = os.writev(self._fd, pending[:512])
                while pending and written >= len(pending[0]):
                    written -= len(pending.pop(0))
                if written:
                    pending[0] = pending[0][written:]
        except OSError as error:
            self._cut_back(good, str(error))
            raise BusyError(f"cannot write journal `{self._segments[-1].path}`: {error}", hint="free some space") from error

    def _cut_back(self, size: int, reason: str) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            self._broken = f"{reason}; cutting back failed: {error}"
            return
        self._segments[-1].size = size

    def _newest_id(self) -> int:
        """Of the newest segment, from its bytes; the id before its first when it is empty."""
        newest = self._segments[-1].first - 1
        for _, record in _records(self._segments[-1].path.read_bytes()):
            newest = record.id
        return newest


def segment_path(directory: Path, first: int) -> Path:
    """Of the segment with this first id."""
    return directory / f"{first:020d}.seg"


def _header(first: int) -> bytes:
    checked = _SEGMENT_CHECKED.pack(FORMAT_VERSION, first)
    return _SEGMENT.pack(_SEGMENT_MAGIC, zlib.crc32(checked), FORMAT_VERSION, first)


def _header_is_sound(header: bytes) -> bool:
    return (
        len(header) == _SEGMENT.size and header[:8] == _SEGMENT_MAGIC and zlib.crc32(header[12:]) == int.from_bytes(header[8:12], "little")
    )


def _encode(record_id: int, kind: int, payload: bytes) -> tuple[bytes, bytes]:
    if len(payload) > MAX_PAYLOAD:
        raise StateError(f"cannot journal a record of {len(payload)} bytes: the bound is {MAX_PAYLOAD}")
    checked = _RECORD_CHECKED.pack(len(payload), kind, record_id)
    return _RECORD.pack(_RECORD_MAGIC, zlib.crc32(payload, zlib.crc32(checked)), len(payload), kind, record_id), payload


def _records(data: bytes) -> Iterator[tuple[int, Record]]:
    """The sound records of a segment with their offsets, in order; whatever lies between them is skipped."""
    offset, newest = _SEGMENT.size, -1
    while (offset := data.find(_RECORD_MAGIC, offset)) >= 0:
        record = _record_at(data, offset)
        # Ids only rise: a record that was left over from an earlier use of the bytes must not come back.
        if record is None or record.id <= newest:
            offset += 1
            continue
        yield offset, record
        newest = record.id
        offset += _RECORD.size + len(record.payload)


def _record_at(data: bytes, offset: int) -> Record | None:
    start = offset + _RECORD.size
    if start > len(data):
        return None
    _, crc, length, kind, record_id = _RECORD.unpack_from(data, offset)
    if length > len(data) - start:
        return None
    payload = data[start : start + length]
    if zlib.crc32(payload, zlib.crc32(data[offset + 8 : start])) != crc:
        return None
    return Record(record_id, kind, payload)


def _truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())
