"""One target: its queue, its requests, its back-off. Targets never wait for each other.

A request is filled from the queue, its ranges are prepared in the checkpoint in one transaction, then it is sent until the target says what
became of it. While the target is in trouble, what waits for it goes into the spool (`spooling`), and comes back before what is fresh of the
same streams. All methods but `submit`, `adopt`, `secure` and `end` belong to the event loop.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.bandwidth import Bandwidth
from tailrace.agent.delivery.concurrency import Concurrency
from tailrace.agent.delivery.farewell import Farewells
from tailrace.agent.delivery.isolation import Isolation
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.mailbox import Mailbox
from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.relief import Relief, whatever
from tailrace.agent.delivery.request import Item, Request, Requests
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.spooling import Spooling
from tailrace.agent.lanes.streams import Entry, Sender, Stream
from tailrace.agent.spool import Kept, Ref, Shelf, release
from tailrace.batch import fingerprint
from tailrace.errors import BusyError
from tailrace.pipeline.contract import Delivery, Flusher, Identity, Outcome, Payload, Range

BUSY_LINGER = 1.0
"""How long the first payload may wait for company while other requests are under way, in seconds."""
PARKED_ALARM_SECS = 86_400.0
LONG_SECS = 10.0
"""An answer, and a turn in the queue, that take longer are worth an alarm (the manual's)."""

ALARMS = {
    Outcome.RETRY: ("SEND_DATA_FAIL_ALARM", "cannot send"),
    Outcome.THROTTLED: ("SEND_QUOTA_EXCEED_ALARM", "the target's quota is used up"),
    Outcome.UNAUTHORIZED: ("SEND_DATA_FAIL_ALARM", "the target refuses the access key"),
    Outcome.MISSING: ("SEND_DATA_FAIL_ALARM", "the target does not exist"),
    Outcome.DATA: ("SEND_DATA_FAIL_ALARM", "the target refuses the data; what is wrong with it is searched for"),
}

Durable = Callable[[Range], None]


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
        ended: Callable[[Stream, Callable[[], object]], None],
        unreadable: Callable[[Entry], None],
        bandwidth: Bandwidth | None = None,
    ) -> None:
        """`unreadable` takes ranges that were to come from the spool and cannot: they are to be read again from their source."""
        self.flusher = flusher
        self.share = share
        self._checkpoint = checkpoint
        self._forked = forked
        self._ended = ended
        self._loop, self._mailbox = asyncio.get_running_loop(), Mailbox()
        self._pending = Queue(one_topic=flusher.limits.one_topic)
        self._farewells = Farewells(flusher, epoch)
        self._epoch = epoch
        self._spooling = Spooling(flusher.target, shelf, unreadable, one_topic=flusher.limits.one_topic)
        self._spool_is_next = True
        self._requests: Requests = {}
        self._failing_since = self._retry_at = self._next_at = 0.0
        self._changed = asyncio.Event()
        self._slots = concurrency
        self._probe, self._backoff, self._waits_long = asyncio.Lock(), Backoff(), False
        self._bandwidth = bandwidth or Bandwidth(0)
        self._missing_since: float | None = None
        self.trouble = ""
        """What the target answered last, when that was no success."""
        self.sent_at = 0.0
        """Wall clock of the last success; 0: none yet."""
        self._prepared: dict[Entry, asyncio.Future[None]] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._durable: dict[Stream, Durable] = {}
        self._entries = 0
        self._relief = Relief(
            self._requests, self._pending, self._spooling, share, make_durable=self._make_durable, barrier=checkpoint.barrier
        )
        self._isolation = Isolation(
            flusher,
            self._requests,
            self._pending,
            self._spooling,
            letters=letters,
            share=share,
            keeping=self._relief.keeping,
            reserve=self._reserve,
            deliver=self._deliver,
            drop=self._drop,
        )
        name, doc = "tailrace_agent_sent_events_total", "Events that targets acknowledged."
        self._acknowledged = telemetry.counter(name, doc, "target").labels(flusher.target)
        self._attempts = telemetry.counter("tailrace_agent_send_attempts_total", "Requests by outcome.", "target", "outcome")

    # --- from the lanes ---------------------------------------------------------------------------------------------------------
    def submit(self, entry: Entry, payloads: Sequence[Payload], durable: Durable) -> None:
        """Queue one range from a reading thread. One without payloads has nothing to send: it counts as acknowledged, at once or, when its
        entry says that something of it is not, with `settle`."""
        self.share.take(sum(len(payload.body) for payload in payloads))
        self._mailbox.put(lambda: self._put(entry, payloads, durable))

    async def send_letter(self, stream: Stream, letter: Kept) -> None:
        """Take on a dead letter, under a new name in a stream of its own; it lies in the spool on return. BusyError without room there."""
        sequence, [payload] = await self._reserve(stream, 1), letter.payloads
        own = Range(stream.id, sequence, sequence, sequence + 1, {"v": 1}, fingerprint(payload.body), letter.range.config_version)
        identity = Identity(self._epoch, stream.id, sequence, own.start, own.end, own.fingerprint)
        entry = Entry(stream, own, 1, 1, payload.events)
        [durable] = self._make_durable([entry])
        await durable
        if not (refs := await self._spooling.write([Kept(stream.row, own, 1, [replace(payload, identity=identity)])])):
            self._prepared.pop(entry)
            self._checkpoint.acknowledge(stream.row, [sequence], None, lambda: None)
            raise BusyError("there is no room in the spool", hint="try again when the target has taken what waits for it")
        entry.kept = refs[0]
        self._adopt(entry)

    def settle(self, entry: Entry) -> None:
        """It is known what became of a range that was put in without payloads; from any thread."""
        self._mailbox.put(lambda: self._settle_late(entry))

    def adopt(self, stream: Stream, kept: Kept, ref: Ref) -> None:
        """Take on a range that lies in the spool since before; from any thread, in the order of its stream."""
        events = sum(payload.events for payload in kept.payloads)
        entry = Entry(stream, kept.range, kept.parts, len(kept.payloads), events, kept=ref)
        self._mailbox.put(lambda: self._adopt(entry))

    def secure(self, stream: Stream, *, more_comes: bool = False) -> None:
        """The stream's source is going away: what is under way of it goes into the spool at once, and with `more_comes` what follows, too;
        from any thread."""
        self._mailbox.put(lambda: self._relief.secure(stream, more_comes))

    def end(self, stream: Stream) -> None:
        """Nothing more comes from `stream`; called from its reading thread."""
        opening = stream.openings
        self._mailbox.put(lambda: self._end(stream, opening))

    def _put(self, entry: Entry, payloads: Sequence[Payload], durable: Durable) -> None:
        before = entry.stream.put(entry)
        self._durable[entry.stream] = durable
        if before is None:
            self._entries += 1
        elif before in self._prepared:
            self._prepared[entry] = self._prepared.pop(before)
        now = time.monotonic()
        items = [Item(entry, payload, now) for payload in payloads]
        if self._spooling.holds(entry.stream) and before is None:
            self._spooling.hold(items)
        else:
            self._pending.put(items)
        if not entry.unacknowledged:
            self._settle(entry.stream, [entry])
        elif entry.stream.source_goes:
            self._relief.secure(entry.stream, more_comes=True)
        self._changed.set()

    def _adopt(self, entry: Entry) -> None:
        stream = entry.stream
        stream.committed_end = entry.range.start if stream.committed_end is None else stream.committed_end
        stream.put(entry)
        self._durable.setdefault(stream, _nobody)
        self._entries += 1
        if entry not in self._prepared:
            self._prepared[entry] = durable = self._loop.create_future()
            durable.set_result(None)
        self._spooling.add(entry)
        self._changed.set()

    def _settle_late(self, entry: Entry) -> None:
        entry.unacknowledged = 0
        self._settle(entry.stream, [entry])

    def _end(self, stream: Stream, opening: int) -> None:
        if stream.openings == opening:  # else its reader came back to it meanwhile
            stream.ended = True
            self._forget_if_done(stream)

    # --- sending ----------------------------------------------------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Whether everything that was put in is acknowledged."""
        return not self._entries and not self._mailbox

    @property
    def waiting(self) -> tuple[int, float, float]:
        """(ranges that are not acknowledged, how long the oldest and the newest payload that is not under way have waited, in seconds)."""
        now = time.monotonic()
        first, last = self._pending.arrivals or (now, now)
        return self._entries, now - first, now - last

    @property
    def spooled_bytes(self) -> int:
        """What lies in the spool; from any thread."""
        return self._spooling.shelf.size

    async def finish(self, seconds: float) -> None:
        """Give what was put in a last chance to be sent; a target that fails gets none."""
        until = time.monotonic() + seconds
        while not self.idle and not self._backoff.failing and time.monotonic() < until:  # noqa: ASYNC110 - ends by time
            await asyncio.sleep(0.02)

    async def run(self) -> None:
        """Until cancelled; requests under way are cancelled with it."""
        try:
            while True:
                await self._slots.acquire()
                request = await self._next()
                self._requests[request] = 0.0
                await self._paced(sum(item.payload.raw_size for item in request.items))
                self._prepare(request)
                delivery = asyncio.create_task(self._deliver(request), name=f"deliver {self.flusher.target}")
                self._deliveries.add(delivery)
                delivery.add_done_callback(self._delivered)
        finally:
            for delivery in self._deliveries:
                delivery.cancel()
            await asyncio.gather(*self._deliveries, return_exceptions=True)

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
            if self._spooling.waiting and (self._spool_is_next or not due):
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
                    async with asyncio.timeout(left):
                        await self._changed.wait()

    def _request(self, items: Sequence[Item]) -> Request:
        return Request(items, self._farewells.take([item.payload for item in items]))

    async def _from_spool(self) -> list[Item]:
        items, free = await self._spooling.take(
            self.flusher.limits, lambda read: self.share.take(sum(len(one.payload.body) for one in read))
        )
        self._pending.put(free)
        return items

    def _prepare(self, request: Request) -> None:
        """Ask for the ranges to be made durable, now, so that they are prepared in stream order."""
        self._make_durable(request.entries)

    def _make_durable(self, entries: Sequence[Entry]) -> "list[asyncio.Future[None]]":
        """Prepare those that are not; each is done when its range is."""
        new = [entry for entry in entries if entry not in self._prepared]
        if new:
            durable: asyncio.Future[None] = self._loop.create_future()
            self._prepared.update(dict.fromkeys(new, durable))
            self._checkpoint.prepare(
                [(entry.stream.row, entry.range, entry.parts) for entry in new],
                lambda: self._loop.call_soon_threadsafe(_resolve, durable),
            )
        return [self._prepared[entry] for entry in entries]

    async def _deliver(self, request: Request) -> None:
        for durable in dict.fromkeys(self._prepared[entry] for entry in request.entries):
            await asyncio.shield(durable)
        while True:
            delivery = await self._try(request)
            self._count(request, delivery)
            if delivery.outcome is Outcome.ACKNOWLEDGED:
                self._acknowledge(request)
                return
            if delivery.outcome is Outcome.FORK and any(item.payload.identity.epoch != self._epoch for item in request.items):
                request = self._renamed(request)
            elif delivery.outcome is Outcome.FORK:
                telemetry.alarm("EXACTLY_ONCE_ALARM", "the server has other data under our identity", target=self.flusher.target)
                self._forked()
                return
            elif delivery.outcome is Outcome.DATA:
                await self._isolation.isolate(request, delivery)
                return

    def _count(self, request: Request, delivery: Delivery) -> None:
        self._attempts.labels(self.flusher.target, delivery.outcome.value).inc()
        if delivery.outcome is not Outcome.ACKNOWLEDGED:
            events: Counter[Sender] = Counter()
            for item in request.items:
                if item.entry.sender is not None:
                    events[item.entry.sender] += item.payload.events
            for sender, count in events.items():
                sender.retried(count, delivery.outcome)

    def _renamed(self, request: Request) -> Request:
        """What was kept before the epoch was renewed, and is refused under its old name: under the new one nobody has anything."""
        items = [
            replace(one, payload=replace(one.payload, identity=replace(one.payload.identity, epoch=self._epoch))) for one in request.items
        ]
        renamed = Request(items, request.farewells)
        del self._requests[request]
        self._requests[renamed] = 0.0
        return renamed

    async def _try(self, request: Request) -> Delivery:
        """One attempt. While the target fails, one request at a time probes it, after the back-off."""
        if not self._backoff.failing:
            return await self._ask(request)
        async with self._probe:
            if self._backoff.failing:
                await asyncio.sleep(max(0.0, self._retry_at - time.monotonic()))
            return await self._ask(request)

    async def _ask(self, request: Request) -> Delivery:
        await self._bandwidth.take(sum(item.payload.raw_size for item in request.items), self.flusher.target, request.precedence)
        self._requests[request] = time.monotonic()
        delivery = await self.flusher.send(request.payloads)
        took, self._requests[request] = time.monotonic() - self._requests[request], 0.0
        if took > LONG_SECS:
            message = "the target was slow to answer"
            telemetry.alarm("SENDING_COSTS_TOO_MUCH_TIME_ALARM", message, target=self.flusher.target, seconds=round(took, 1))
        return self._judge(delivery)

    def _judge(self, delivery: Delivery) -> Delivery:
        now = time.monotonic()
        if delivery.outcome is Outcome.DATA:
            self._say(delivery, now)
        elif delivery.outcome in ALARMS:
            self._failing_since = self._failing_since or now
            self._slots.failed(over_quota=delivery.outcome is Outcome.THROTTLED)
            if now >= self._retry_at:  # the others that were under way with the one that failed say nothing new
                self._retry_at = now + self._backoff.failed(delivery.retry_after)
            self._say(delivery, now)
        if delivery.outcome in (Outcome.ACKNOWLEDGED, Outcome.DATA):  # it is well, whatever it says of the data
            self._backoff.succeeded()
            self._failing_since = 0.0
        if delivery.outcome is Outcome.ACKNOWLEDGED:
            self._slots.succeeded()
            if self.trouble:
                for kind, _ in ALARMS.values():
                    telemetry.resolved(kind, target=self.flusher.target)
            self.trouble, self.sent_at = "", time.time()
            self._missing_since = None
        return delivery

    def _say(self, delivery: Delivery, now: float) -> None:
        kind, message = ALARMS[delivery.outcome]
        if delivery.outcome is Outcome.MISSING:
            self._missing_since = self._missing_since if self._missing_since is not None else now
            if now - self._missing_since > PARKED_ALARM_SECS:
                message = "the target has not existed for a day; its data is kept"
        self.trouble = f"{message} ({delivery.code or delivery.outcome.value})"
        telemetry.alarm(kind, message, target=self.flusher.target, code=delivery.code, reason=delivery.message)

    # --- into the spool ---------------------------------------------------------------------------------------------------------
    def look(self) -> None:
        """From time to time: put what waits into the spool while the target is in trouble."""
        if self._entries:
            self._relief.look(time.monotonic(), self._failing_since)
        self._look_at_the_wait()

    def _look_at_the_wait(self) -> None:
        _, oldest, _ = self.waiting
        is_long = oldest > LONG_SECS
        if is_long and not self._waits_long:
            message = "what was read waits long for its turn to be sent"
            telemetry.alarm("LOG_GROUP_WAIT_TOO_LONG_ALARM", message, target=self.flusher.target, seconds=round(oldest, 1))
        elif self._waits_long and not is_long:
            telemetry.resolved("LOG_GROUP_WAIT_TOO_LONG_ALARM", target=self.flusher.target)
        self._waits_long = is_long

    async def keep_rest(self) -> None:
        """The worker stops: what is not acknowledged goes into the spool, so that the next one need not read it again. After `run`."""
        if self._entries:
            await self._relief.keep(whatever)

    # --- acknowledged -----------------------------------------------------------------------------------------------------------
    def _acknowledge(self, request: Request) -> None:
        self.sent_bytes += sum(item.payload.raw_size for item in request.items)
        self.sent_wire_bytes += request.size
        self._acknowledged.inc(sum(item.payload.events for item in request.items))
        self._drop(request)

    def _drop(self, request: Request) -> None:
        """What it carries is acknowledged, or is in the dead letters."""
        del self._requests[request]
        self.share.give_back(request.size)
        done: dict[Stream, list[Entry]] = {}
        for item in request.items:
            item.entry.unacknowledged -= 1
            if not item.entry.unacknowledged:
                done.setdefault(item.entry.stream, []).append(item.entry)
        for stream, entries in done.items():
            self._settle(stream, entries)

    async def _reserve(self, stream: Stream, count: int) -> int:
        """The first of so many sequences that nothing else of the stream will have; durable."""
        first = stream.take_sequences(count)
        reserved = self._loop.create_future()
        self._checkpoint.reserve(stream.row, first + count, lambda: self._loop.call_soon_threadsafe(_resolve, reserved))
        await reserved
        return first

    def _settle(self, stream: Stream, entries: Sequence[Entry]) -> None:
        """Entries have no part left that is not acknowledged: tell the checkpoint, then their input."""
        self._entries -= len(entries)
        for entry in entries:
            self._prepared.pop(entry, None)
            if entry.sender is not None:
                entry.sender.acknowledged(entry.events)
        durable, ranges = self._durable[stream], [entry.range for entry in entries]
        kept = [entry.kept for entry in entries if entry.kept is not None]

        def done() -> None:
            if kept:
                release(kept)
                self._spooling.tell_size()
            for one in ranges:
                durable(one)

        moved = stream.advance()
        self._checkpoint.acknowledge(stream.row, [one.sequence for one in ranges], moved, done)
        if moved is not None:
            self._pending.look_again(stream)
            self._spooling.look_again(stream)
            self._changed.set()
        self._forget_if_done(stream)

    def _forget_if_done(self, stream: Stream) -> None:
        if stream.ended and not stream.under_way:
            self._durable.pop(stream, None)
            forget = partial(self._checkpoint.forget, stream.id, lambda: self._loop.call_soon_threadsafe(self._say_farewell, stream))
            self._ended(stream, forget)

    def _say_farewell(self, stream: Stream) -> None:
        self._farewells.add(stream)
        self._changed.set()

    def _delivered(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        self._slots.release()
        self._changed.set()
        if not delivery.cancelled() and (error := delivery.exception()):
            raise error


def _nobody(_done: Range) -> None:
    """Whose input is not there: it is told nothing."""


def _resolve(durable: asyncio.Future[None]) -> None:
    if not durable.done():
        durable.set_result(None)
