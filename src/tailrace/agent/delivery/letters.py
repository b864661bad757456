"""The dead letters of an agent, `HOME/agent/dead-letters`: events that a target refused for what they are, until somebody looks at them.

They lie there as ranges do in the spool: sealed, checksummed, synced. One that is sent again leaves a *stone* behind, a record of the same
name without a body: its own segment may hold others, and must not bring it back at the next start. A stone goes when that segment has gone.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from tailrace import telemetry
from tailrace.agent.spool import Kept, Ref, Shelf
from tailrace.agent.spool.cipher import Cipher
from tailrace.agent.spool.shelf import free_bytes
from tailrace.batch import EventBatch
from tailrace.errors import DamagedError, TailraceError

LIMIT_BYTES: Final = 104_857_600
STONE_BYTES: Final = 1_048_576
"""Beyond the limit: letters that fill it can be sent again all the same."""
SEGMENT_BYTES: Final = 4_194_304
RESERVED_BYTES: Final = 16_777_216
SAMPLE_SHOWN: Final = 200
SENT: Final = "sent"
"""In the note of a stone: when, in Unix seconds."""

Letters: TypeAlias = dict[str, tuple[Ref, Kept]]


class DeadLetters:
    """May be used by several threads. All its methods raise BusyError while what lies there cannot be read or written."""

    def __init__(self, home: Path, cipher: Callable[[], Cipher]) -> None:
        self._directory = home / "agent" / "dead-letters"
        self._shelf = Shelf(self._directory, cipher, segment_bytes=SEGMENT_BYTES, room=self._room)
        self._lock = threading.Lock()
        self._letters: Letters | None = None
        self._stones: list[tuple[Ref, Ref]] = []
        """Each with the letter that it is about."""
        self._limit = LIMIT_BYTES

    def add(self, letter: Kept) -> None:
        """Durable on return; one that is there already, from before a crash, is not added again."""
        with self._lock:
            letters = self._loaded()
            if name_of(letter) not in letters:
                [ref] = self._shelf.write([letter])
                letters[name_of(letter)] = ref, letter

    def letters(self) -> list[tuple[Ref, Kept]]:
        """All of them, the oldest first, with their bodies."""
        with self._lock:
            return [(ref, whole) for ref, whole in self._whole(self._loaded())]

    def names(self) -> set[str]:
        """Of all of them."""
        with self._lock:
            return set(self._loaded())

    def rows(self) -> list[dict[str, Any]]:
        """One for each letter, for people."""
        return [_row(number, letter) for number, (_, letter) in enumerate(self.letters(), start=1)]

    def remove(self, ref: Ref) -> None:
        """It is a dead letter no more; durable on return."""
        with self._lock:
            letters = self._loaded()
            for name in [name for name, (other, _) in letters.items() if other is ref]:
                self._limit = LIMIT_BYTES + STONE_BYTES
                try:
                    [stone] = self._shelf.write([_stone(letters[name][1])])
                finally:
                    self._limit = LIMIT_BYTES
                del letters[name]
                self._stones.append((ref, stone))
                self._release([ref])

    def close(self) -> None:
        self._shelf.close()

    def _loaded(self) -> Letters:
        if self._letters is None:
            letters: Letters = {}
            gone: list[Ref] = []
            stones: list[tuple[Ref, Ref]] = []
            for ref, kept in self._shelf.load():
                if SENT not in kept.note:
                    letters[name_of(kept)] = ref, kept
                elif (about := letters.pop(name_of(kept), None)) is not None:
                    gone.append(about[0])
                    stones.append((about[0], ref))
                else:
                    gone.append(ref)
            self._letters, self._stones = letters, stones
            self._release(gone)
        return self._letters

    def _release(self, refs: list[Ref]) -> None:
        """Letters first: what tells that they are gone must not go before them."""
        self._shelf.release(refs)
        useless = [one for one in self._stones if not self._letters or not self._shelf.holds(one[0])]
        if useless:
            self._stones = [one for one in self._stones if one not in useless]
            self._shelf.release([stone for _, stone in useless])

    def _whole(self, letters: Letters) -> Iterator[tuple[Ref, Kept]]:
        for name, (ref, _) in letters.items():
            try:
                yield ref, self._shelf.read(ref)
            except DamagedError as error:
                message = "a dead letter is damaged and cannot be read"
                telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, path=str(self._directory), letter=name, reason=error.message)

    def _room(self, shelf: Shelf) -> int:
        return min(self._limit - shelf.size, free_bytes(self._directory)[0] - RESERVED_BYTES)


def name_of(letter: Kept) -> str:
    """What no other letter is called."""
    identity = letter.payloads[0].identity
    return f"{identity.epoch.hex()}-{identity.stream}-{identity.sequence:x}-{identity.part:x}"


def _stone(letter: Kept) -> Kept:
    payload = replace(letter.payloads[0], body=b"")
    return replace(letter, payloads=[payload], note={SENT: f"{time.time():.3f}"})


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
