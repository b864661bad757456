"""What waits in the spool for one target, and what waits behind it (docs/concepts/delivery.md, "The spool").

A stream is *behind* while ranges of it lie in the spool and have not gone into a request: its fresh ranges are held until then. They never
overtake, because a server remembers a bounded number of sequences above the first that it lacks.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tailrace import telemetry
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.request import Item
from tailrace.agent.lanes.streams import Entry, Stream
from tailrace.agent.spool import Kept, Ref, Shelf, release
from tailrace.errors import BusyError, DamagedError
from tailrace.pipeline.contract import BatchLimits

READ_BYTES: Final = 262_144
"""Read from the spool at a time: about what one request holds once it is compressed."""
FULL_SECS: Final = 2.0
"""How long a full spool or disk is left alone before the next try."""
FIRST_REST_SECS: Final = 0.5
"""How long one that cannot be read is left alone; doubles up to the ceiling of all back-offs."""


class Spooling:
    """It belongs to the event loop; the disk is read and written on threads."""

    def __init__(self, target: str, shelf: Shelf, unreadable: Callable[[Entry], None], *, one_topic: bool = False) -> None:
        self.shelf = shelf
        self._target = target
        self._unreadable = unreadable
        self._queue: deque[Entry] = deque()
        self._aside: dict[Stream, list[Entry]] = {}
        """Those that have to wait for what is under way of their streams (`Stream.admits`)."""
        self._read = Queue(one_topic=one_topic)
        self._behind: Counter[Stream] = Counter()
        self._held: dict[Stream, deque[Item]] = {}
        self._full_until = self._rest_until = 0.0
        self._backoff = Backoff(FIRST_REST_SECS)
        self._bytes = telemetry.gauge("tailrace_agent_spool_bytes", "Bytes that a target keeps on the disk.", "target").labels(target)
        self._count = telemetry.counter("tailrace_agent_spooled_ranges_total", "Ranges that went into the spool.", "target").labels(target)
        self.tell_size()

    def due_in(self) -> float | None:
        """Seconds until something that lies in the spool may go into a request; None when nothing waits there."""
        if self._read:
            return 0.0
        return max(0.0, self._rest_until - time.monotonic()) if self._queue else None

    @property
    def room(self) -> int:
        """Bytes that may go in now."""
        return self.shelf.room if time.monotonic() >= self._full_until else 0

    @property
    def held(self) -> list[Item]:
        """Fresh payloads of streams that are behind, in the order of each stream."""
        return [item for items in self._held.values() for item in items]

    # --- going in ---------------------------------------------------------------------------------------------------------------
    async def write(self, ranges: Sequence[Kept]) -> list[Ref]:
        """Durable on return; nothing when there is no room."""
        try:
            refs = await asyncio.to_thread(self.shelf.write, ranges)
        except BusyError as error:
            self.full(error.message)
            return []
        self._count.inc(len(refs))
        self.tell_size()
        return refs

    def full(self, reason: str) -> None:
        self._full_until = time.monotonic() + FULL_SECS
        message = "nothing more goes into the spool; what cannot be sent waits where it comes from"
        telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, target=self._target, reason=reason)

    def add(self, entry: Entry) -> None:
        """It lies in the spool and nowhere else: its turn comes after all that is there."""
        self._queue.append(entry)
        self._behind[entry.stream] += 1

    def holds(self, stream: Stream) -> bool:
        """Whether the stream's fresh ranges have to wait."""
        return stream in self._behind

    def hold(self, items: Iterable[Item], *, before: bool = False) -> None:
        """Keep fresh payloads until their streams are no longer behind; with `before` they come before those that are held already."""
        for item in reversed(list(items)) if before else items:
            held = self._held.setdefault(item.entry.stream, deque())
            if before:
                held.appendleft(item)
            else:
                held.append(item)

    def evict(self, entries: set[Entry]) -> list[Item]:
        """Take the payloads of these out of what is held."""
        taken = [item for item in self.held if item.entry in entries]
        if taken:
            left = {stream: deque(item for item in items if item.entry not in entries) for stream, items in self._held.items()}
            self._held = {stream: items for stream, items in left.items() if items}
        return taken

    # --- coming out -------------------------------------------------------------------------------------------------------------
    async def take(self, limits: BatchLimits, read: Callable[[Sequence[Item]], None]) -> tuple[list[Item], list[Item]]:
        """The next request's payloads, in the order in which they went in; and those that were held for them and are free now.

        `read` is told of payloads that come into memory.
        """
        while self._queue and not self._read.is_full(limits) and time.monotonic() >= self._rest_until:
            items = await self._read_on()
            read(items)
            self._read.put(items)
        items = self._read.take(limits)
        more = {item.entry for item in self._read}
        return items, self._passed([entry for entry in dict.fromkeys(item.entry for item in items) if entry not in more])

    async def _read_on(self) -> list[Item]:
        entries: list[Entry] = []
        size = 0
        while self._queue and size < READ_BYTES:
            entry = self._queue.popleft()
            if not entry.stream.admits(entry):
                self._aside.setdefault(entry.stream, []).append(entry)
                continue
            size += entry.kept.size if entry.kept is not None else 0
            entries.append(entry)
        ranges = await asyncio.to_thread(_read_all, entries)
        if len(ranges) < len(entries):
            self._rest(entries[len(ranges) :])
        elif entries:
            self._readable()
        items: list[Item] = []
        now = time.monotonic()
        for entry, kept in zip(entries, ranges, strict=False):
            if isinstance(kept, str):
                self._cannot_read(entry, kept)
            else:
                items += [Item(entry, payload, now) for payload in kept.payloads]
        return items

    def look_again(self, stream: Stream) -> None:
        """The oldest range of a stream that is not acknowledged is another one now: what was put aside of it may go."""
        self._queue.extendleft(reversed(self._aside.pop(stream, ())))
        self._read.look_again(stream)

    def _rest(self, entries: Sequence[Entry]) -> None:
        """These cannot be read now, and nothing says that they are damaged: their turn comes again."""
        self._queue.extendleft(reversed(entries))
        self._rest_until = time.monotonic() + self._backoff.failed()
        message = "the spool cannot be read now; what lies there waits"
        telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, target=self._target, path=str(self.shelf.directory))

    def _readable(self) -> None:
        if self._backoff.failing:
            self._backoff.succeeded()
            telemetry.resolved("SECONDARY_READ_WRITE_ALARM", target=self._target, path=str(self.shelf.directory))

    def _cannot_read(self, entry: Entry, reason: str) -> None:
        message = "a range in the spool cannot be read; it is read again from its source"
        telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, target=self._target, stream=entry.stream.id, reason=reason)
        self.forget(entry)
        if (ref := entry.kept) is not None:
            entry.kept = None
            release([ref])  # it is of no use: its segment goes with the others of it
            self.tell_size()
        self._unreadable(entry)

    def forget(self, entry: Entry) -> None:
        """It is acknowledged, or read again otherwise: nobody waits for it any longer."""
        self._behind[entry.stream] -= 1
        if not self._behind[entry.stream]:
            del self._behind[entry.stream]

    def _passed(self, entries: Iterable[Entry]) -> list[Item]:
        """These have gone into a request; what was held for them alone."""
        free: list[Item] = []
        for entry in entries:
            self.forget(entry)
        for stream in [stream for stream in self._held if stream not in self._behind]:
            free += self._held.pop(stream)
        return free

    def tell_size(self) -> None:
        """The metric follows what lies on the disk; from any thread."""
        self._bytes.set(self.shelf.size)


def _read_all(entries: Iterable[Entry]) -> list[Kept | str]:
    """Of each entry what the spool holds, or why it never can be read again; only of those before the first that cannot be read now."""
    found: list[Kept | str] = []
    for entry in entries:
        try:
            assert entry.kept is not None, "what waits in the spool lies there"
            found.append(entry.kept.shelf.read(entry.kept))
        except DamagedError as error:
            found.append(error.message)
        except BusyError:
            break
    return found
