"""The dead letters of an agent, `HOME/agent/dead-letters`: events that a target refused for what they are, until somebody looks at them.

They lie there as ranges do in the spool: sealed, checksummed, synced. `tailrace agent dead-letters` lists them and sends them again.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from tailrace.agent.spool import Kept, Ref, Shelf
from tailrace.agent.spool.cipher import Cipher
from tailrace.agent.spool.shelf import free_bytes
from tailrace.batch import EventBatch
from tailrace.errors import DamagedError, TailraceError

LIMIT_BYTES: Final = 104_857_600
SEGMENT_BYTES: Final = 4_194_304
RESERVED_BYTES: Final = 16_777_216
SAMPLE_SHOWN: Final = 200


class DeadLetters:
    """May be used by several threads."""

    def __init__(self, home: Path, cipher: Callable[[], Cipher]) -> None:
        self._directory = home / "agent" / "dead-letters"
        self._shelf = Shelf(self._directory, cipher, segment_bytes=SEGMENT_BYTES, room=self._room)
        self._lock = threading.Lock()
        self._letters: dict[tuple[bytes, str, int, int], tuple[Ref, Kept]] | None = None

    def add(self, letter: Kept) -> None:
        """Durable on return; one that is there already, from before a crash, is not added again. BusyError."""
        with self._lock:
            letters = self._loaded()
            if _name(letter) not in letters:
                [ref] = self._shelf.write([letter])
                letters[_name(letter)] = ref, letter

    def letters(self) -> list[tuple[Ref, Kept]]:
        """All of them, the oldest first, with their bodies."""
        with self._lock:
            return [(ref, whole) for ref, whole in self._whole(self._loaded())]

    def rows(self) -> list[dict[str, Any]]:
        """One for each letter, for people."""
        return [_row(number, letter) for number, (_, letter) in enumerate(self.letters(), start=1)]

    def remove(self, ref: Ref) -> None:
        with self._lock:
            letters = self._loaded()
            for name in [name for name, (other, _) in letters.items() if other is ref]:
                del letters[name]
            self._shelf.release([ref])

    def close(self) -> None:
        self._shelf.close()

    def _loaded(self) -> dict[tuple[bytes, str, int, int], tuple[Ref, Kept]]:
        if self._letters is None:
            self._letters = {_name(kept): (ref, kept) for ref, kept in self._shelf.load()}
        return self._letters

    def _whole(self, letters: dict[tuple[bytes, str, int, int], tuple[Ref, Kept]]) -> Iterator[tuple[Ref, Kept]]:
        for ref, _ in letters.values():
            try:
                yield ref, self._shelf.read(ref)
            except DamagedError:
                continue

    def _room(self, shelf: Shelf) -> int:
        return min(LIMIT_BYTES - shelf.size, free_bytes(self._directory)[0] - RESERVED_BYTES)


def _name(letter: Kept) -> tuple[bytes, str, int, int]:
    identity = letter.payloads[0].identity
    return identity.epoch, identity.stream, identity.sequence, identity.part


def _row(number: int, letter: Kept) -> dict[str, Any]:
    payload = letter.payloads[0]
    at = datetime.fromtimestamp(float(letter.note.get("at", 0)), UTC).isoformat(timespec="seconds")
    about = {"number": number, "at": at, **{name: letter.note.get(name, "") for name in ("target", "code", "reason")}}
    return {**about, "path": str(letter.range.position.get("path", "")), "events": payload.events, "sample": _sample(letter)}


def _sample(letter: Kept) -> str:
    """The beginning of the first event, as far as it can be read."""
    payload = letter.payloads[0]
    try:
        batch = EventBatch.decode(payload.body, compression=cast("Any", payload.compression), raw_size=payload.raw_size)
        _, fields = batch.rows()[0]
    except (TailraceError, ValueError, IndexError):
        return ""
    return " ".join(f"{key.decode('utf-8', 'replace')}={value.decode('utf-8', 'replace')}" for key, value in fields)[:SAMPLE_SHOWN]
