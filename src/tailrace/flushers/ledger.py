"""What a file of events holds, by identity: so that a range that is delivered again after a crash is not written again.

The ledger stands beside the file. A range is written and synced there first, then it is entered here with the file's new length and synced;
only then is it acknowledged. Whatever the file has beyond the length of the last entry was never entered, and is cut off at the next start.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from tailrace.pipeline.contract import Identity

COMPACT_AT = 10_000
"""Entries after which those that can never come again are left out."""

Key = tuple[str, str, int, int]


class Ledger:
    """The entries beside one file. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.length = 0
        """Of the file, at the last entry."""
        self._path = path
        self._entries: dict[Key, None] = {}
        self._below: dict[tuple[str, str], int] = {}
        self.is_new = not path.exists()
        self._load()
        self._size = path.stat().st_size if path.exists() else 0
        """Of the ledger itself: what is beyond was left by a write that failed."""
        self._file = path.open("ab", buffering=0)

    def knows(self, identity: Identity) -> bool:
        return _key(identity) in self._entries or identity.sequence < self._below.get((identity.epoch.hex(), identity.stream), 0)

    def enter(self, written: Iterable[tuple[Identity, int]]) -> None:
        """These are in the file, each with where it ends there. Durable on return; OSError when it cannot be, then nothing is entered.

        Each has its own end, so that an agent which is killed in the midst of it cuts off just those that are not entered.
        """
        new = [(_key(identity), identity.acknowledged_below, end) for identity, end in written]
        self._append(b"".join(_line([*key, below, end]) for key, below, end in new))
        for key, below, end in new:
            self._entries[key] = None
            self._below[key[:2]] = max(self._below.get(key[:2], 0), below)
            self.length = end
        if len(self._entries) > COMPACT_AT:
            self.restart(self.length)

    def restart(self, length: int) -> None:
        """Begin the ledger anew: the file is `length` bytes long, and only what may still come again is kept."""
        self._entries = {key: None for key in self._entries if key[2] >= self._below.get(key[:2], 0)}
        live = {key[:2] for key in self._entries}
        self._below = {name: below for name, below in self._below.items() if name in live}
        unfinished = self._path.with_name(f"{self._path.name}.tmp")
        with unfinished.open("wb") as file:
            file.write(_line(["", "", 0, 0, 0, length]))
            file.writelines(_line([*key, self._below.get(key[:2], 0), length]) for key in self._entries)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        unfinished.replace(self._path)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)
        self.length, self._size = length, size

    def close(self) -> None:
        self._file.close()

    def _load(self) -> None:
        """Read the entries; a last line that is not whole was never acknowledged and is cut off."""
        if self.is_new:
            return
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            epoch, stream, sequence, part, below, length = json.loads(line)
            self.length = length
            if stream:
                self._entries[epoch, stream, sequence, part] = None
                self._below[epoch, stream] = max(self._below.get((epoch, stream), 0), below)
        if len(whole) < len(data):
            os.truncate(self._path, len(whole))

    def _append(self, lines: bytes) -> None:
        """All of it or, where that fails, nothing: what is left of it is cut off before the next one."""
        self._file.truncate(self._size)
        left = memoryview(lines)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self._size += len(lines)


def _key(identity: Identity) -> Key:
    return identity.epoch.hex(), identity.stream, identity.sequence, identity.part


def _line(values: list[object]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"
