"""One target's part of the spool: a journal of its own, so that no other target's data holds back the deletion of its segments.

Which ranges lie here follows from the segments alone; which of them are still wanted, from the checkpoint. A segment is unlinked when all
its ranges are acknowledged, which needs no space; the whole journal when nothing is left.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.agent.spool.cipher import Cipher
from tailrace.agent.spool.record import LAYOUT, Kept, opened, sealed
from tailrace.errors import BusyError, DamagedError, NewerFormatError, StateError
from tailrace.journal import Journal, Place, Record, segment_path

OVERHEAD: Final = 1_200
"""About what a record takes beside its bodies: the range's position, identities, framing."""
KEPT_ASIDE: Final = 3
"""Damaged segments that are kept for a look at them."""


@dataclass(frozen=True, slots=True, eq=False)
class Ref:
    """A range that lies in the spool."""

    shelf: "Shelf"
    place: Place

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self.place.length


class Shelf:
    """May be used by several threads. `room` says how many bytes it may still take."""

    def __init__(self, directory: Path, cipher: Callable[[], Cipher], *, segment_bytes: int, room: Callable[["Shelf"], int]) -> None:
        self.directory = directory
        self._cipher = cipher
        self._segment_bytes = segment_bytes
        self._room = room
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self._live: Counter[int] = Counter()
        self._unreadable: dict[int, str] = {}
        """Segment → why something in it cannot be deciphered."""
        self.closed = ""
        """Why it is not known what lies here, or nothing. Nothing is written until it is."""

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        journal = self._journal
        return journal.size if journal is not None else 0

    @property
    def ranges(self) -> int:
        """How many are kept."""
        return sum(self._live.values())

    @property
    def room(self) -> int:
        """Bytes that may be written now."""
        return max(0, self._room(self))

    def load(self) -> list[tuple[Ref, Kept]]:
        """What lies here from before, in the order of writing, without bodies. Only what is proven to be damaged, by checksum or form, is
        set aside. BusyError when it cannot be read now: then it is `closed`, and another call tries again. NewerFormatError."""
        with self._lock:
            self._unreadable.clear()
            try:
                found = self._loaded()
            except (OSError, BusyError) as error:
                self._close()
                self.closed = f"cannot open the spool `{self.directory}`: {error}"
                raise BusyError(self.closed, hint="check the disk, its permissions and the limit of open files") from error
            self.closed = ""
            return found

    def _loaded(self) -> list[tuple[Ref, Kept]]:
        found: list[tuple[Ref, Kept]] = []

        def take(place: Place, record: Record) -> None:
            try:
                found.append((Ref(self, place), opened(record.type, record.payload, self._cipher(), whole=False)))
            except NewerFormatError:
                raise
            except DamagedError as error:
                self._unreadable[place.segment] = error.message

        if not self._segments():
            return []
        journal = self._journal = Journal(self.directory, segment_bytes=self._segment_bytes, found=take)
        self._live = Counter(ref.place.segment for ref, _ in found)
        self._tell_damage(journal)
        self._tidy(journal)
        return found

    def write(self, ranges: Sequence[Kept]) -> list[Ref]:
        """Keep ranges, all or none: durable on return. BusyError when there is no room, on the disk or in the share."""
        if self.closed:
            raise BusyError(self.closed)
        try:
            cipher = self._cipher()
        except OSError as error:
            raise BusyError(f"cannot make a key for the spool: {error}", hint="free some space") from error
        entries = [(LAYOUT, sealed(one, cipher)) for one in ranges]
        if sum(len(data) for _, data in entries) > self.room:
            raise BusyError("the target's share of the spool is used up")
        with self._lock:
            try:
                journal = self._usable()
                places = journal.append_placed(entries)
                journal.sync()
            except (StateError, OSError) as error:
                self._close()
                raise BusyError(f"cannot write the spool `{self.directory}`: {error}", hint="check the disk") from error
            self._live.update(place.segment for place in places)
        return [Ref(self, place) for place in places]

    def read(self, ref: Ref) -> Kept:
        """The range with its bodies. DamagedError; BusyError when it cannot be read now."""
        try:
            with self._lock:
                journal = self._usable()
            record = journal.read_at(ref.place)
            return opened(record.type, record.payload, self._cipher(), whole=True)
        except OSError as error:
            raise BusyError(f"cannot read the spool `{self.directory}` now: {error}", hint="check the disk") from error

    def release(self, refs: Iterable[Ref]) -> None:
        """These are acknowledged, and the checkpoint says so; or they are of no use."""
        with self._lock:
            self._live.subtract(ref.place.segment for ref in refs)
            if self._journal is None:
                return
            try:
                self._tidy(self._journal)
            except OSError as error:  # what stays there is known to be acknowledged: the next start removes it
                message = "cannot remove a segment of the spool that nobody needs any more"
                telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, path=str(self.directory), reason=str(error))

    def holds(self, ref: Ref) -> bool:
        """Whether the segment of something is still on the disk, wanted or not."""
        return segment_path(self.directory, ref.place.segment).exists()

    def close(self) -> None:
        with self._lock:
            self._close()

    # --- inside -----------------------------------------------------------------------------------------------------------------
    def _usable(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self.directory, segment_bytes=self._segment_bytes)
        return self._journal

    def _tidy(self, journal: Journal) -> None:
        """Unlink what nobody wants any more."""
        if not +self._live:
            self._close()
            for path in sorted(self._segments()):
                path.unlink(missing_ok=True)
            self._live.clear()
            return
        for segment in journal.segments:
            if not self._live[segment] and journal.drop(segment):
                del self._live[segment]

    def _close(self) -> None:
        """Whoever needs it next opens it again."""
        journal, self._journal = self._journal, None
        if journal is not None:
            with contextlib.suppress(StateError):  # what is synced stays, and nothing else was promised
                journal.close()

    def _segments(self) -> list[Path]:
        """OSError: one that cannot be listed is not an empty one."""
        try:
            return [path for path in self.directory.iterdir() if path.suffix == ".seg"]
        except FileNotFoundError:
            return []

    def _tell_damage(self, journal: Journal) -> None:
        for damage in journal.damage:
            if not damage.torn_tail:  # a crash leaves one, and nothing was promised of it
                message = "a part of the spool is damaged; its ranges are read again from their source"
                telemetry.alarm(
                    "SECONDARY_READ_WRITE_ALARM", message, path=str(damage.segment), offset=damage.offset, damaged_bytes=damage.length
                )
        if self._unreadable:
            message = "ranges in the spool cannot be deciphered; they are read again from their source"
            telemetry.alarm("ENCRYPT_DECRYPT_FAIL_ALARM", message, path=str(self.directory), reason=next(iter(self._unreadable.values())))
            for segment in self._unreadable:
                journal.set_aside(journal.path(segment))
        with contextlib.suppress(OSError):  # there is a little more to look at, then
            aside = sorted((self.directory / "set-aside").glob("*.seg"), key=lambda path: path.stat().st_mtime)
            for path in aside[:-KEPT_ASIDE]:
                path.unlink(missing_ok=True)


def free_bytes(directory: Path) -> tuple[int, int]:
    """(free, whole) bytes of the file system that a directory lies, or will lie, in."""
    while not directory.exists():
        directory = directory.parent
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
