"""One target: its queue, its requests, its back-off. Targets never wait for each other.

A request is filled from the queue, its ranges are prepared in the checkpoint in one transaction, then it is sent until the target says what
became of it. All methods but `submit` belong to the event loop.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.farewell import Farewells
from tailrace.agent.delivery.queue import Queue
from tailrace.agent.delivery.request import Item, Request
from tailrace.agent.delivery.share import Share
from tailrace.agent.streams import Entry, Sender, Stream
from tailrace.pipeline.contract import Delivery, Flusher, Outcome, Payload, Range

CONCURRENCY = 4
BUSY_LINGER = 1.0
"""How long the first payload may wait for company while other requests are under way, in seconds."""
PARKED_ALARM_SECS = 86_400.0

ALARMS = {
    Outcome.RETRY: ("SEND_DATA_FAIL_ALARM", "cannot send"),
    Outcome.THROTTLED: ("SEND_QUOTA_EXCEED_ALARM", "the target's quota is used up"),
    Outcome.UNAUTHORIZED: ("SEND_DATA_FAIL_ALARM", "the target refuses the access key"),
    Outcome.MISSING: ("SEND_DATA_FAIL_ALARM", "the target does not exist"),
    Outcome.DATA: ("SEND_DATA_FAIL_ALARM", "the target refuses the data; it is kept and tried again"),
}

Durable = Callable[[Range], None]


class Target:
    """Delivers what lanes put in, in their order, several requests at a time."""

    def __init__(
        self,
        flusher: Flusher,
        checkpoint: CheckpointWriter,
        share: Share,
        *,
        epoch: bytes,
        forked: Callable[[], None],
        ended: Callable[[Stream, Callable[[], object]], None],
    ) -> None:
        self.flusher = flusher
        self.share = share
        self._checkpoint = checkpoint
        self._forked = forked
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._pending = Queue()
        self._farewells = Farewells(flusher, epoch)
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._probe = asyncio.Lock()
        self._backoff = Backoff()
        self._retry_at = 0.0
        self._next_at = 0.0
        self._missing_since: float | None = None
        self.trouble = ""
        """What the target answered last, when that was no success."""
        self.sent_at = 0.0
        """Wall clock of the last success; 0: none yet."""
        self._prepared: dict[Entry, asyncio.Future[None]] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self._durable: dict[Stream, Durable] = {}
        self._entries = 0
        self._acknowledged = telemetry.counter("tailrace_agent_sent_events_total", "Events that targets acknowledged.", "target").labels(
            flusher.target
        )
        self._attempts = telemetry.counter("tailrace_agent_send_attempts_total", "Requests by outcome.", "target", "outcome")

    # --- from the lanes ---------------------------------------------------------------------------------------------------------
    def submit(self, entry: Entry, payloads: Sequence[Payload], durable: Durable) -> None:
        """Queue one range from a reading thread. One without payloads has nothing to send: it counts as acknowledged, at once or, when its
        entry says that something of it is not, with `settle`."""
        self.share.take(sum(len(payload.body) for payload in payloads))
        self._loop.call_soon_threadsafe(self._put, entry, payloads, durable)

    def settle(self, entry: Entry) -> None:
        """It is known what became of a range that was put in without payloads; from any thread."""
        self._loop.call_soon_threadsafe(self._settle_late, entry)

    def end(self, stream: Stream) -> None:
        """Nothing more comes from `stream`; called from its reading thread."""
        self._loop.call_soon_threadsafe(self._end, stream, stream.openings)

    def _put(self, entry: Entry, payloads: Sequence[Payload], durable: Durable) -> None:
        entry.stream.under_way.append(entry)
        self._durable[entry.stream] = durable
        self._entries += 1
        now = time.monotonic()
        self._pending.put(Item(entry, payload, now) for payload in payloads)
        if not entry.unacknowledged:
            self._settle(entry.stream, [entry])
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
        return not self._entries

    @property
    def waiting(self) -> tuple[int, float, float]:
        """(ranges that are not acknowledged, how long the oldest and the newest payload that is not under way have waited, in seconds)."""
        now = time.monotonic()
        first, last = self._pending.arrivals or (now, now)
        return self._entries, now - first, now - last

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
                await self._due()
                items = self._pending.take(self.flusher.limits)
                await self._paced(sum(item.payload.raw_size for item in items))
                request = Request(items, self._farewells.take([item.payload for item in items]))
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

    async def _due(self) -> None:
        """Until the next request is full, or its first payload has waited long enough."""
        while True:
            self._changed.clear()
            left = self._farewells.due_in()
            if self._pending:
                linger = BUSY_LINGER if self._deliveries else self.flusher.limits.linger
                left = self._pending.due_in(self.flusher.limits, linger)
            if left is not None and left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()

    def _prepare(self, request: Request) -> None:
        """Ask for the ranges to be made durable, now, so that they are prepared in stream order."""
        new = [entry for entry in request.entries if entry not in self._prepared]
        if new:
            durable: asyncio.Future[None] = self._loop.create_future()
            self._prepared.update(dict.fromkeys(new, durable))
            self._checkpoint.prepare(
                [(entry.stream.row, entry.range, entry.parts) for entry in new],
                lambda: self._loop.call_soon_threadsafe(_resolve, durable),
            )

    async def _deliver(self, request: Request) -> None:
        for entry in request.entries:
            await asyncio.shield(self._prepared[entry])
        while True:
            delivery = await self._try(request.payloads)
            self._count(request, delivery)
            if delivery.outcome is Outcome.ACKNOWLEDGED:
                self._acknowledge(request)
                return
            if delivery.outcome is Outcome.FORK:
                telemetry.alarm("EXACTLY_ONCE_ALARM", "the server has other data under our identity", target=self.flusher.target)
                self._forked()
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

    async def _try(self, payloads: Sequence[Payload]) -> Delivery:
        """One attempt. While the target fails, one request at a time probes it, after the back-off."""
        if not self._backoff.failing:
            return self._judge(await self.flusher.send(payloads))
        async with self._probe:
            if self._backoff.failing:
                await asyncio.sleep(max(0.0, self._retry_at - time.monotonic()))
            return self._judge(await self.flusher.send(payloads))

    def _judge(self, delivery: Delivery) -> Delivery:
        now = time.monotonic()
        if delivery.outcome in ALARMS:
            if now >= self._retry_at:  # the others that were under way with the one that failed say nothing new
                self._retry_at = now + self._backoff.failed(delivery.retry_after)
            self._say(delivery, now)
        elif delivery.outcome is Outcome.ACKNOWLEDGED:
            self._backoff.succeeded()
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

    # --- acknowledged -----------------------------------------------------------------------------------------------------------
    def _acknowledge(self, request: Request) -> None:
        self.share.give_back(request.size)
        self._acknowledged.inc(sum(item.payload.events for item in request.items))
        done: dict[Stream, list[Entry]] = {}
        for item in request.items:
            item.entry.unacknowledged -= 1
            if not item.entry.unacknowledged:
                done.setdefault(item.entry.stream, []).append(item.entry)
        for stream, entries in done.items():
            self._settle(stream, entries)

    def _settle(self, stream: Stream, entries: Sequence[Entry]) -> None:
        """Entries have no part left that is not acknowledged: tell the checkpoint, then their input."""
        self._entries -= len(entries)
        for entry in entries:
            self._prepared.pop(entry, None)
            if entry.sender is not None:
                entry.sender.acknowledged(entry.events)
        durable, ranges = self._durable[stream], [entry.range for entry in entries]
        self._checkpoint.acknowledge(
            stream.row, [done.sequence for done in ranges], stream.advance(), lambda: [durable(done) for done in ranges]
        )
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


def _resolve(durable: asyncio.Future[None]) -> None:
    if not durable.done():
        durable.set_result(None)
