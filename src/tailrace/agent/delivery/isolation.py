"""A target refuses the data itself: what is wrong is found by halving, set aside in the dead letters, and all else is delivered.

First the log groups of the request are told apart, then the events of the log group that is to blame. A half of a log group is sent under a
sequence of its own, which is durable before, together with what replaces what: so a crash neither loses a half nor sends it twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import chain

from tailrace import telemetry
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.request import Item, Request, Requests
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.spooling import FULL_SECS, Spooling
from tailrace.agent.lanes.streams import MOST_HALVES, Entry, Stream
from tailrace.agent.spool import Kept, release
from tailrace.errors import BusyError, DamagedError, TailraceError
from tailrace.pipeline.contract import Delivery, Divides, Flusher, Payload


class Isolation:
    """Of one target; it belongs to the event loop.

    `reserve` takes sequences of a stream, durably; `deliver` sends a request until the target says what became of it; `drop` counts one as
    done. `keeping` is held while entries are written into the spool.
    """

    def __init__(
        self,
        flusher: Flusher,
        requests: Requests,
        pending: Queue,
        spooling: Spooling,
        *,
        letters: DeadLetters,
        share: Share,
        keeping: asyncio.Lock,
        reserve: Callable[[Stream, int], Awaitable[int]],
        deliver: Callable[[Request], Awaitable[None]],
        drop: Callable[[Request], None],
    ) -> None:
        self._flusher = flusher
        self._requests = requests
        self._pending = pending
        self._spooling = spooling
        self._letters = letters
        self._share = share
        self._keeping = keeping
        self._reserve = reserve
        self._deliver = deliver
        self._drop = drop
        name, doc = "tailrace_agent_dead_letters_total", "Events that a target refused for what they are."
        self._count = telemetry.counter(name, doc, "target").labels(flusher.target)

    async def isolate(self, request: Request, delivery: Delivery) -> None:
        """The request was refused: deliver what can be delivered of it."""
        if len(request.items) > 1:
            middle = len(request.items) // 2
            await self._instead(request, [Request(request.items[:middle], request.farewells), Request(request.items[middle:])])
        elif not request.items:
            del self._requests[request]  # a farewell: it may be lost
        else:
            [item] = request.items
            halves = await asyncio.to_thread(self._halves, item.payload) if len(item.entry.stream.halves) < MOST_HALVES else ()
            if halves:
                await self._instead(request, await self._divided(item, halves))
            else:
                await self._give_up(item, delivery)
                self._drop(request)

    async def _instead(self, request: Request, parts: Sequence[Request]) -> None:
        del self._requests[request]
        self._requests.update(dict.fromkeys(parts, 0.0))
        for part in parts:
            await self._deliver(part)

    def _halves(self, payload: Payload) -> Sequence[Payload]:
        """Nothing when it is one event, or is not what it was: then it is given up as a whole."""
        if not isinstance(self._flusher, Divides) or payload.events < 2:
            return ()
        try:
            return self._flusher.divide(payload)
        except (TailraceError, ValueError):
            return ()

    async def _divided(self, item: Item, halves: Sequence[Payload]) -> list[Request]:
        """The halves as requests of their own: durable, in place of the whole."""
        entry = item.entry
        entry.stream.halves = [one for one in entry.stream.halves if one != item.payload.identity.sequence]
        first = await self._reserve(entry.stream, len(halves))
        entry.stream.halves += range(first, first + len(halves))
        named = [replace(half, identity=replace(half.identity, sequence=first + at, part=0, parts=1)) for at, half in enumerate(halves)]
        async with self._keeping:
            payloads: list[Payload] = []
            for payload in await self._unacknowledged(entry):
                payloads += named if payload.identity == item.payload.identity else [payload]
            kept = Kept(entry.stream.row, entry.range, entry.parts, payloads)
            while not (refs := await self._spooling.write([kept])):  # noqa: ASYNC110 - room comes from others
                await asyncio.sleep(FULL_SECS)
            before, entry.kept = entry.kept, refs[0]
        if before is not None:
            await asyncio.to_thread(release, [before])
        entry.unacknowledged += len(named) - 1
        self._share.take(sum(len(half.body) for half in named) - len(item.payload.body))
        return [Request([replace(item, payload=half)]) for half in named]

    async def _unacknowledged(self, entry: Entry) -> Sequence[Payload]:
        """What of an entry may have to be sent again after a crash."""
        while entry.kept is not None:
            try:
                return (await asyncio.to_thread(entry.kept.shelf.read, entry.kept)).payloads
            except DamagedError as error:
                telemetry.alarm("SECONDARY_READ_WRITE_ALARM", "a range in the spool cannot be read", reason=error.message)
                break
            except BusyError as error:
                telemetry.alarm("SECONDARY_READ_WRITE_ALARM", "a range in the spool cannot be read now", reason=error.message)
                await asyncio.sleep(FULL_SECS)
        under_way = chain.from_iterable(request.items for request in self._requests)
        return [item.payload for item in chain(under_way, self._pending, self._spooling.held) if item.entry is entry]

    async def _give_up(self, item: Item, delivery: Delivery) -> None:
        """Into the dead letters, durably. Without room for it, it waits."""
        entry, payload = item.entry, item.payload
        note = {"target": self._flusher.target, "code": delivery.code, "reason": delivery.message, "at": f"{time.time():.3f}"}
        letter = Kept(entry.stream.row, entry.range, 1, [payload], note)
        while True:
            try:
                await asyncio.to_thread(self._letters.add, letter)
                break
            except BusyError as error:
                telemetry.alarm("SECONDARY_READ_WRITE_ALARM", "cannot write the dead letters; they wait", reason=error.message)
                await asyncio.sleep(FULL_SECS)
        entry.stream.halves = [one for one in entry.stream.halves if one != payload.identity.sequence]
        self._count.inc(payload.events)
        message = "the target refuses events for what they are; they are kept as dead letters"
        telemetry.alarm(
            "DISCARD_DATA_ALARM", message, target=self._flusher.target, code=delivery.code, reason=delivery.message, events=payload.events
        )
