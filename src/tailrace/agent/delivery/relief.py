"""What waits for a target in trouble goes into the spool; so does what loses its source, and what a worker that stops still has."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Final

from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.request import Requests
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.spooling import Spooling
from tailrace.agent.lanes.streams import Entry, Stream
from tailrace.agent.spool import OVERHEAD, Kept, release
from tailrace.pipeline.contract import Payload

TROUBLE_SECS: Final = 1.0
"""A target that has failed for so long is in trouble: what waits for it goes into the spool when it fills half of its share."""
SLOW_SECS: Final = 10.0
"""A target that has not answered for so long is in trouble, too (the manual's bound); and what has waited so long for one in trouble goes
into the spool, however little it is."""
SPOOLED_AT_ONCE: Final = 4 * 1_048_576
HELD_BYTES: Final = 8 * 1_048_576
"""While more than this waits in the spool, what is held behind it goes there too; a smaller rest is sent before it matters."""

Wanted = Callable[[Entry], bool]


def whatever(_entry: Entry) -> bool:
    return True


class Relief:
    """Of one target; it belongs to the event loop. `make_durable` prepares ranges, `barrier` calls back when all before it is durable."""

    def __init__(
        self,
        requests: Requests,
        pending: Queue,
        spooling: Spooling,
        share: Share,
        *,
        make_durable: Callable[[Sequence[Entry]], "list[asyncio.Future[None]]"],
        barrier: Callable[[Callable[[], object]], None],
    ) -> None:
        self._requests = requests
        self._pending = pending
        self._spooling = spooling
        self._share = share
        self._make_durable = make_durable
        self._barrier = barrier
        self.keeping = asyncio.Lock()
        """Held while entries are written into the spool."""
        self._task: asyncio.Task[None] | None = None
        self._securing: dict[Stream, asyncio.Task[None]] = {}

    def look(self, now: float, failing_since: float) -> None:
        """Begin to keep what waits, when the target needs that. `failing_since`: 0 when it does not fail."""
        if self._task is not None and not self._task.done():
            return
        trouble, half_full = self._trouble_for(now, failing_since), self._share.used * 2 >= self._share.limit
        if trouble >= SLOW_SECS or (trouble >= TROUBLE_SECS and half_full):
            wanted = whatever
        elif half_full and self._spooling.shelf.size > HELD_BYTES and self._spooling.held:
            wanted = self._is_behind
        else:
            return
        if self._spooling.room:
            self._task = asyncio.create_task(self.keep(wanted, evict=True))

    def secure(self, stream: Stream, more_comes: bool) -> None:
        """The source of a stream goes: keep what is under way of it; `more_comes`: what follows, too, as it comes."""
        stream.source_goes = stream.source_goes or more_comes
        if stream.under_way and stream not in self._securing:
            self._securing[stream] = asyncio.create_task(self._secured(stream))

    async def keep(self, wanted: Wanted, *, evict: bool = False) -> None:
        """Keep what is unacknowledged of `wanted` entries, in order; `evict`: what is not in a request leaves the memory."""
        async with self.keeping:
            while chunk := self._chunk(wanted):
                for durable in self._make_durable(list(chunk)):
                    await asyncio.shield(durable)
                left = {entry: payloads for entry, payloads in chunk.items() if entry.unacknowledged == len(payloads)}
                refs = await self._spooling.write([Kept(one.stream.row, one.range, one.parts, kept) for one, kept in left.items()])
                if not refs:
                    return
                for entry, ref in zip(left, refs, strict=True):
                    entry.kept = ref
                if over := [entry.kept for entry in left if entry.kept is not None and not entry.unacknowledged]:
                    self._barrier(partial(release, over))  # acknowledged while it was written
                if evict:
                    self._evict({entry for entry in left if entry.unacknowledged})

    def _is_behind(self, entry: Entry) -> bool:
        return self._spooling.holds(entry.stream)

    def _trouble_for(self, now: float, failing_since: float) -> float:
        """Seconds that the target has failed, or has not answered, whichever is longer."""
        waited = now - min((at for at in self._requests.values() if at), default=now)
        return max(now - failing_since if failing_since else 0.0, waited if waited >= SLOW_SECS else 0.0)

    async def _secured(self, stream: Stream) -> None:
        await asyncio.sleep(0)  # what comes at the same time goes with it
        del self._securing[stream]
        await self.keep(lambda entry: entry.stream is stream)

    def _chunk(self, wanted: Wanted) -> dict[Entry, list[Payload]]:
        """What is to be kept next: entries with all their payloads that are not acknowledged, as many as have room."""
        room = min(SPOOLED_AT_ONCE, self._spooling.room)
        found: dict[Entry, list[Payload]] = {}
        under_way = chain.from_iterable(request.items for request in self._requests)
        for item in chain(under_way, self._pending, self._spooling.held):
            if item.entry.kept is None and wanted(item.entry):
                found.setdefault(item.entry, []).append(item.payload)
        chunk: dict[Entry, list[Payload]] = {}
        for entry, payloads in found.items():
            room -= sum(len(payload.body) for payload in payloads) + OVERHEAD
            if room < 0 and chunk:
                break
            if room < 0:
                self._spooling.full("its share of it is used up, or the disk is nearly full")
                break
            chunk[entry] = payloads
        return chunk

    def _evict(self, entries: set[Entry]) -> None:
        """What lies in the spool and is not under way is sent from there; what comes after it in its streams waits for it."""
        entries -= {item.entry for request in self._requests for item in request.items}
        taken = self._pending.remove(lambda item: item.entry in entries) + self._spooling.evict(entries)
        first: dict[Stream, int] = {}
        for entry in dict.fromkeys(item.entry for item in taken):
            self._spooling.add(entry)
            first.setdefault(entry.stream, entry.range.sequence)
        self._share.give_back(sum(len(item.payload.body) for item in taken))
        late = self._pending.remove(lambda item: item.entry.range.sequence > first.get(item.entry.stream, item.entry.range.sequence))
        self._spooling.hold(late, before=True)
