"""The whole spool of an agent: `HOME/agent/spool`, a shelf per target, one bound for all and an equal share of it for each.

Nothing is opened, and no cryptography loaded, before there is something to keep or something that was kept.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.agent.spool.cipher import Cipher, cipher_of
from tailrace.agent.spool.record import Kept
from tailrace.agent.spool.shelf import OVERHEAD, Ref, Shelf, free_bytes
from tailrace.errors import BusyError

SEGMENT_BYTES: Final = 20_971_520
SEGMENTS: Final = 50
MAX_RANGES: Final = 16_384
"""What is kept of a range in memory and in the checkpoint takes some 3 KB: small ranges fill the spool by their number."""
RESERVED_BYTES: Final = 67_108_864
RESERVED_SHARE: Final = 20
"""Of the disk a twentieth, at most RESERVED_BYTES, is left free: the checkpoint needs some to note what was acknowledged."""

Found = dict[tuple[str, int], tuple[Ref, Kept]]
"""By stream and sequence."""


class Spool:
    """May be used by several threads."""

    def __init__(self, home: Path, *, segments: int = SEGMENTS, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = home / "agent" / "spool"
        self.limit = segments * segment_bytes
        self._segment_bytes = segment_bytes
        self._key_path = home / "secret" / "spool.key"
        self._lock = threading.Lock()
        self._cipher: Cipher | None = None
        self._shelves: dict[str, Shelf] = {}
        self._shares: Counter[str] = Counter()
        """Shelf → how many targets keep their ranges there now."""
        self._unlisted = ""
        """Why it is not known which shelves there are, or nothing."""

    def load(self) -> Found:
        """What lies here from before, but for shelves that cannot be read now (`Shelf.closed`). Of a range that was written twice the later
        record counts. NewerFormatError."""
        found: Found = {}
        for shelf in self._there():
            try:
                lying = shelf.load()
            except BusyError as error:
                _tell_closed(shelf.directory, error.message)
                continue
            for ref, kept in lying:
                before = found.pop((kept.stream.id, kept.range.sequence), None)
                found[kept.stream.id, kept.range.sequence] = ref, kept
                if before is not None:
                    release([before[0]])
        return found

    def closed(self, destinations: Iterable[str]) -> str:
        """Why it is not known what lies here for a target, by any of its names; nothing when it is."""
        reasons = (self._shelves[name].closed for one in destinations if (name := _name(one)) in self._shelves)
        return self._unlisted or next(filter(None, reasons), "")

    def may_open(self) -> bool:
        """Whether something can be read by now that could not be before: who begins anew with another spool finds it."""
        if self._unlisted:
            self._there()
            return not self._unlisted
        for shelf in [one for one in self._shelves.values() if one.closed]:
            try:
                shelf.load()
            except BusyError as error:
                _tell_closed(shelf.directory, error.message)
            else:
                shelf.close()
                telemetry.resolved("SECONDARY_READ_WRITE_ALARM", path=str(shelf.directory))
                return True
        return False

    @property
    def is_closed(self) -> bool:
        """Whether something of it cannot be read."""
        return bool(self._unlisted) or any(shelf.closed for shelf in self._shelves.values())

    def shelf(self, destination: str) -> Shelf:
        """Where a target's ranges are kept; it has a share until it gives that up (`give_up_share`)."""
        name = _name(destination)
        with self._lock:
            self._shares[name] += 1
        telemetry.gauge("tailrace_agent_spool_limit_bytes", "How many bytes all targets together may keep on the disk.").set(self.limit)
        return self._shelf(name)

    def give_up_share(self, destination: str) -> None:
        """A target that asked for its shelf is gone; the others have its share. What lies there stays."""
        name = _name(destination)
        with self._lock:
            self._shares[name] -= 1
            if self._shares[name] <= 0:
                del self._shares[name]

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(shelf.size for shelf in list(self._shelves.values()))

    def close(self) -> None:
        for shelf in self._shelves.values():
            shelf.close()

    def cipher(self) -> Cipher:
        """With the key of this home. OSError, NewerFormatError."""
        with self._lock:
            if self._cipher is None:
                self._cipher = cipher_of(self._key_path)
            return self._cipher

    def _there(self) -> list[Shelf]:
        """The shelves that have a directory."""
        try:
            names = [path.name for path in sorted(self.directory.iterdir()) if "." not in path.name and path.is_dir()]
        except FileNotFoundError:
            names = []
        except OSError as error:
            self._unlisted = f"cannot list the spool `{self.directory}`: {error}"
            _tell_closed(self.directory, self._unlisted)
            return []
        self._unlisted = ""
        return [self._shelf(name) for name in names]

    # --- for the shelves --------------------------------------------------------------------------------------------------------
    def _shelf(self, name: str) -> Shelf:
        with self._lock:
            if name not in self._shelves:
                self._shelves[name] = Shelf(self.directory / name, self.cipher, segment_bytes=self._segment(), room=self._room)
            return self._shelves[name]

    def _segment(self) -> int:
        """Small shares have small segments, so that they are given back in pieces."""
        return max(65_536, min(self._segment_bytes, self._share() // 4))

    def _share(self) -> int:
        return self.limit // max(1, len(self._shares))

    def _room(self, shelf: Shelf) -> int:
        if shelf.ranges >= MAX_RANGES // max(1, len(self._shares)):
            return 0
        free, whole = free_bytes(self.directory)
        spare = free - min(RESERVED_BYTES, whole // RESERVED_SHARE)
        return min(self._share() - shelf.size, self.limit - self.size, spare) - OVERHEAD


def _name(destination: str) -> str:
    """Of a target's shelf."""
    return hashlib.sha256(destination.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _tell_closed(directory: Path, reason: str) -> None:
    message = "a part of the spool cannot be opened now; its target waits until it can"
    telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, path=str(directory), reason=reason)


def release(refs: Iterable[Ref]) -> None:
    """On whichever shelves they lie."""
    by_shelf: dict[Shelf, list[Ref]] = {}
    for ref in refs:
        by_shelf.setdefault(ref.shelf, []).append(ref)
    for shelf, own in by_shelf.items():
        shelf.release(own)
