"""One target: its queue and its requests. Targets never wait for each other.

A request is filled from the queue, its ranges are prepared in the checkpoint (`underway`), then it is sent (`attempts`) until the target
says what became of it. While the target is in trouble, what waits for it goes into the spool (`spooling`), and comes back before what is
fresh of the same streams. What lanes call (`submit`, `settle`, `read_again`, `adopt`, `secure`, `end`) may be called from any thread, all
else belongs to the event loop.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.delivery.attempts import Attempts
from tailrace.agent.delivery.bandwidth import Bandwidth
from tailrace.agent.delivery.concurrency import Concurrency
from tailrace.agent.delivery.farewell import Farewells
from tailrace.agent.delivery.isolation import Isolation
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.mailbox import Mailbox
from tailrace.agent.delivery.missing import Missing
from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.relief import Relief, whatever
from tailrace.agent.delivery.request import Item, Request, Requests
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.spooling import Spooling
from tailrace.agent.delivery.underway import Durable, Ended, UnderWay
from tailrace.agent.lanes.streams import Entry, Sender, Stream
from tailrace.agent.spool import Kept, Ref, Shelf
from tailrace.pipeline.contract import Delivery, Flusher, Outcome, Payload

BUSY_LINGER: Final = 1.0
"""How long the first payload may wait for company while other requests are under way, in seconds."""
LONG_SECS: Final = 10.0
"""A turn in the queue that takes longer is worth an alarm (the manual's bound)."""


class Target:
    """Delivers what lanes put in, in their order, several requests at a time."""

    sent_bytes = sent_wire_bytes = 0
    """Acknowledged so far: raw, and as they went over the wire."""

    def __init__(
        self,
        flusher: Flusher,
        checkpoint: CheckpointWriter,
        share: Share,
        *,
        shelf: Shelf,
        letters: DeadLetters,
        epoch: bytes,
        concurrency: Concurrency,
        forked: Callable[[], None],
        ended: Ended,
        unreadable: Callable[[Entry], None],
        bandwidth: Bandwidth | None = None,
        missing: Missing | None = None,
    ) -> None:
        """`unreadable` takes ranges that have lost their payloads, in the spool or before: they are to be read from their source."""
        self.flusher = flusher
        self.share = share
        self._forked = forked
        self._unreadable = unreadable
        self._epoch = epoch
        self._mailbox = Mailbox()
        self._changed = asyncio.Event()
        self._requests: Requests = {}
        self._pending = Queue(one_topic=flusher.limits.one_topic)
        self._farewells = Farewells(flusher, epoch)
        self._spooling = Spooling(flusher.target, shelf, unreadable, one_topic=flusher.limits.one_topic)
        self._spool_is_next = True
        self._next_at = 0.0
        self._waits_long = False
        self._deliveries: set[asyncio.Task[None]] = set()
        self._attempts = Attempts(
            flusher, self._requests, concurrency=concurrency, bandwidth=bandwidth, missing=missing or Missing({}, lambda _: None)
        )
        self.underway = UnderWay(
            checkpoint, ended=ended, forgotten=self._say_farewell, moved=self._moved, released=self._spooling.tell_size
        )
        self._relief = Relief(
            self._requests,
            self._pending,
            self._spooling,
            share,
            make_durable=self.underway.make_durable,
            barrier=checkpoint.barrier,
        )
        self._isolation = Isolation(
            flusher,
            self._requests,
            self._pending,
            self._spooling,
            letters=letters,
            share=share,
            keeping=self._relief.keeping,
            reserve=self.underway.reserve,
            deliver=self._deliver,
            drop=self._drop,
        )
        name, doc = "tailrace_agent_sent_events_total", "Events that targets acknowledged."
        self._acknowledged = telemetry.counter(name, doc, "target").labels(flusher.target)

    # --- from the lanes ---------------------------------------------------------------------------------------------------------
    def submit(self, entry: Entry, payloads: Sequence[Payload], durable: Durable) -> None:
        """Queue one range from a reading thread. One without payloads has nothing to send: it counts as acknowledged, at once or, when its
        entry says that something of it is not, with `settle`."""
        self.share.take(sum(len(payload.body) for payload in payloads))
        self._mailbox.put(lambda: self._put(entry, payloads, durable))

    def settle(self, entry: Entry) -> None:
        """It is known what became of a range that was put in without payloads; from any thread."""
        self._mailbox.put(lambda: self._settle_late(entry))

    def read_again(self, entry: Entry) -> None:
        """A range that was put in without payloads is to be read once more; from any thread."""
        self._mailbox.put(lambda: self._unreadable(entry))

    def adopt(self, stream: Stream, kept: Kept, ref: Ref) -> None:
        """Take on a range that lies in the spool since before; from any thread, in the order of its stream."""
        entry = Entry(stream, kept.range, kept.parts, len(kept.payloads), sum(payload.events for payload in kept.payloads), kept=ref)
        self._mailbox.put(lambda: self.take_on(entry))

    def secure(self, stream: Stream, *, more_comes: bool = False) -> None:
        """The stream's source is going away: what is under way of it goes into the spool at once, and with `more_comes` what follows, too;
        from any thread."""
        self._mailbox.put(lambda: self._relief.secure(stream, more_comes))

    def end(self, stream: Stream) -> None:
        """Nothing more comes from `stream`; called from its reading thread."""
        opening = stream.openings
        self._mailbox.put(lambda: self.underway.end(stream, opening))

    def _put(self, entry: Entry, payloads: Sequence[Payload], durable: Durable) -> None:
        is_new = self.underway.put(entry, durable)
        now = time.monotonic()
        items = [Item(entry, payload, now) for payload in payloads]
        if self._spooling.holds(entry.stream) and is_new:
            self._spooling.hold(items)
        else:
            self._pending.put(items)
        if not entry.unacknowledged:
            self.underway.settle(entry.stream, [entry])
        elif entry.stream.source_goes:
            self._relief.secure(entry.stream, more_comes=True)
        self._changed.set()

    def _settle_late(self, entry: Entry) -> None:
        entry.unacknowledged = 0
        self.underway.settle(entry.stream, [entry])

    # --- beside the lanes -------------------------------------------------------------------------------------------------------
    async def keep(self, kept: Kept) -> Ref | None:
        """Put something into the spool that comes from no lane; nothing when there is no room."""
        return next(iter(await self._spooling.write([kept])), None)

    def take_on(self, entry: Entry) -> None:
        """What lies in the spool and is prepared."""
        self.underway.adopt(entry)
        self._spooling.add(entry)
        self._changed.set()

    @property
    def epoch(self) -> bytes:
        """Under which its ranges are sent."""
        return self._epoch

    # --- how it is --------------------------------------------------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Whether everything that was put in is acknowledged."""
        return not self.underway.ranges and not self._mailbox

    @property
    def trouble(self) -> str:
        """What the target answered last, when that was no success."""
        return self._attempts.trouble

    @property
    def sent_at(self) -> float:
        """Wall clock of the last success; 0: none yet."""
        return self._attempts.sent_at

    @property
    def waiting(self) -> tuple[int, float, float]:
        """(ranges that are not acknowledged, how long the first and the last that came have waited for that, in seconds): in the queue,
        under way or in the spool."""
        now = time.monotonic()
        known = [both for both in (self.underway.waiting_since, self._pending.arrivals) if both is not None]
        first, last = min((one for one, _ in known), default=now), max((one for _, one in known), default=now)
        return self.underway.ranges, now - first, now - last

    @property
    def spooled_bytes(self) -> int:
        """What lies in the spool; from any thread."""
        return self._spooling.shelf.size

    def look(self) -> None:
        """From time to time: put what waits into the spool while the target is in trouble."""
        if self.underway.ranges:
            self._relief.look(time.monotonic(), self._attempts.failing_since)
        self._look_at_the_wait()

    def _look_at_the_wait(self) -> None:
        now = time.monotonic()
        first, _ = self._pending.arrivals or (now, now)
        oldest = now - first
        is_long = oldest > LONG_SECS
        if is_long and not self._waits_long:
            message = "what was read waits long for its turn to be sent"
            telemetry.alarm("LOG_GROUP_WAIT_TOO_LONG_ALARM", message, target=self.flusher.target, seconds=round(oldest, 1))
        elif self._waits_long and not is_long:
            telemetry.resolved("LOG_GROUP_WAIT_TOO_LONG_ALARM", target=self.flusher.target)
        self._waits_long = is_long

    # --- sending ----------------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Until cancelled; requests under way are cancelled with it."""
        await self._attempts.open()
        slots = self._attempts.slots
        try:
            while True:
                await slots.acquire()
                request = await self._next()
                self._requests[request] = 0.0
                await self._paced(sum(item.payload.raw_size for item in request.items))
                self.underway.make_durable(request.entries)  # now, so that they are prepared in stream order
                delivery = asyncio.create_task(self._deliver(request), name=f"deliver {self.flusher.target}")
                self._deliveries.add(delivery)
                delivery.add_done_callback(self._delivered)
        finally:
            for delivery in self._deliveries:
                delivery.cancel()
            await asyncio.gather(*self._deliveries, return_exceptions=True)

    async def finish(self, seconds: float) -> None:
        """Give what was put in a last chance to be sent; a target that fails gets none."""
        until = time.monotonic() + seconds
        while not self.idle and not self._attempts.failing and time.monotonic() < until:  # noqa: ASYNC110 - ends by time
            await asyncio.sleep(0.02)

    async def keep_rest(self) -> None:
        """The worker stops: what is not acknowledged goes into the spool, so that the next one need not read it again. After `run`."""
        if self.underway.ranges:
            await self._relief.keep(whatever)

    async def _paced(self, size: int) -> None:
        """Until a request of `size` raw bytes may go out under the target's rate; what comes after it waits its share of time."""
        rate = self.flusher.limits.max_bytes_per_sec
        if not rate:
            return
        await asyncio.sleep(self._next_at - time.monotonic())
        self._next_at = max(self._next_at, time.monotonic()) + size / rate

    async def _next(self) -> Request:
        """The next request, when it is full, or its first payload has waited long enough.

        What comes from the spool takes turns with what is fresh; where only one of them waits, it has all turns.
        """
        while True:
            self._changed.clear()
            left = self._farewells.due_in()
            if self._pending:
                linger = BUSY_LINGER if self._deliveries else self.flusher.limits.linger
                left = self._pending.due_in(self.flusher.limits, linger)
            due = left is not None and left <= 0
            spool_due = self._spooling.due_in()
            if spool_due == 0 and (self._spool_is_next or not due):
                self._spool_is_next = False
                if items := await self._from_spool():
                    return self._request(items)
            elif due:
                self._spool_is_next = True
                items = self._pending.take(self.flusher.limits)
                if items or self._farewells.due_in() is not None:
                    return self._request(items)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min((one for one in (left, spool_due) if one is not None), default=None)):
                        await self._changed.wait()

    def _request(self, items: Sequence[Item]) -> Request:
        return Request(items, self._farewells.take([item.payload for item in items]))

    async def _from_spool(self) -> list[Item]:
        items, free = await self._spooling.take(
            self.flusher.limits, lambda read: self.share.take(sum(len(one.payload.body) for one in read))
        )
        self._pending.put(free)
        return items

    async def _deliver(self, request: Request) -> None:
        await self.underway.durable(request.entries)
        while True:
            delivery = await self._attempts.one(request)
            if delivery.outcome is Outcome.ACKNOWLEDGED:
                self._acknowledge(request)
                return
            _tell_senders(request, delivery)
            if delivery.outcome is Outcome.FORK and any(item.payload.identity.epoch != self._epoch for item in request.items):
                request = self._renamed(request)
            elif delivery.outcome is Outcome.FORK:
                telemetry.alarm("EXACTLY_ONCE_ALARM", "the server has other data under our identity", target=self.flusher.target)
                self._forked()
                return
            elif delivery.outcome is Outcome.DATA:
                await self._isolation.isolate(request, delivery)
                return

    def _renamed(self, request: Request) -> Request:
        """What was kept before the epoch was renewed, and is refused under its old name: under the new one nobody has anything."""
        items = [
            replace(one, payload=replace(one.payload, identity=replace(one.payload.identity, epoch=self._epoch))) for one in request.items
        ]
        renamed = Request(items, request.farewells)
        del self._requests[request]
        self._requests[renamed] = 0.0
        return renamed

    def _acknowledge(self, request: Request) -> None:
        self.sent_bytes += sum(item.payload.raw_size for item in request.items)
        self.sent_wire_bytes += request.size
        self._acknowledged.inc(sum(item.payload.events for item in request.items))
        for item in request.items:
            item.entry.stream.is_proven = True
        self._drop(request)

    def _drop(self, request: Request) -> None:
        """What it carries is acknowledged, or is in the dead letters."""
        del self._requests[request]
        self.share.give_back(request.size)
        self.underway.part_done([item.entry for item in request.items])

    def _moved(self, stream: Stream) -> None:
        self._pending.look_again(stream)
        self._spooling.look_again(stream)
        self._changed.set()

    def _say_farewell(self, stream: Stream) -> None:
        self._farewells.add(stream)
        self._changed.set()

    def _delivered(self, delivery: "asyncio.Task[None]") -> None:
        self._deliveries.discard(delivery)
        self._attempts.slots.release()
        self._changed.set()
        if not delivery.cancelled() and (error := delivery.exception()):
            raise error


def _tell_senders(request: Request, delivery: Delivery) -> None:
    """Whose events have to be sent again."""
    events: Counter[Sender] = Counter()
    for item in request.items:
        if item.entry.sender is not None:
            events[item.entry.sender] += item.payload.events
    for sender, count in events.items():
        sender.retried(count, delivery.outcome)
    for stream in {item.entry.stream for item in request.items}:
        stream.tally.send_failures += 1
