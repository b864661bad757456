"""What was at work when a worker died: a small memory that both processes hold, one slot per lane.

The worker writes a slot before it processes a range and clears it after. Nothing else is written per range: the cost is one copy of some
hundred bytes. Who reads it after a crash finds the ranges that no one finished.

    header  16 bytes: magic `TRBB`, layout (u16), slots (u16), zeros
    slot   512 bytes: at work (u8, written last), thread (u64), since (monotonic ns, u64), start (u64), end (u64), length of the text (u16),
           text: pipeline, config version and stream, UTF-8, separated by NUL
"""

import mmap
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"TRBB"
LAYOUT: Final = 1
SLOTS: Final = 256
SLOT_BYTES: Final = 512
HEADER: Final = struct.Struct("<4sHH8x")
SLOT: Final = struct.Struct("<B7xQQQQH")
TEXT_BYTES: Final = SLOT_BYTES - SLOT.size
SIZE: Final = HEADER.size + SLOTS * SLOT_BYTES


@dataclass(frozen=True, slots=True)
class AtWork:
    """One range that a lane had begun and not finished. `since` is monotonic seconds."""

    pipeline: str
    version: str
    stream: str
    start: int
    end: int
    thread: int = 0
    since: float = 0.0


class BlackBox:
    """One holder's view. `descriptor` stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, SIZE)
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        HEADER.pack_into(self._memory, 0, MAGIC, LAYOUT, SLOTS)

    def slot(self) -> "Slot | None":
        """A place for one lane; None when all are taken: such a lane's ranges are not told after a crash."""
        with self._lock:
            number = next((number for number in range(SLOTS) if number not in self._taken), None)
            if number is None:
                return None
            self._taken.add(number)
        return Slot(self._memory, HEADER.size + number * SLOT_BYTES, lambda: self._taken.discard(number))

    def at_work(self) -> list[AtWork]:
        """What the slots say now."""
        found: list[AtWork] = []
        for place in range(HEADER.size, SIZE, SLOT_BYTES):
            busy, thread, since, start, end, length = SLOT.unpack_from(self._memory, place)
            if busy:
                text = self._memory[place + SLOT.size : place + SLOT.size + min(length, TEXT_BYTES)].decode("utf-8", "replace")
                pipeline, version, stream = (*text.split("\0"), "", "")[:3]
                found.append(AtWork(pipeline, version, stream, start, end, thread, since / 1e9))
        return found

    def close(self) -> None:
        self._memory.close()


class Slot:
    """One lane's. One thread at a time writes it."""

    def __init__(self, memory: mmap.mmap, place: int, release: Callable[[], object]) -> None:
        self._memory = memory
        self._place = place
        self._release = release

    def begin(self, pipeline: str, version: str, stream: str, start: int, end: int) -> None:
        # the whole name of a pipeline may be longer than the slot; the stream and the version must not be cut off by it
        text = b"\0".join(part.encode("utf-8", "replace")[:most] for part, most in ((pipeline, 300), (version, 80), (stream, 80)))
        SLOT.pack_into(self._memory, self._place, 0, threading.get_ident(), time.monotonic_ns(), start, end, len(text))
        at = self._place + SLOT.size
        self._memory[at : at + len(text)] = text
        self._memory[self._place] = 1

    def done(self) -> None:
        self._memory[self._place] = 0

    def release(self) -> None:
        self.done()
        self._release()
