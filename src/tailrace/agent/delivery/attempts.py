"""Asking one target to take requests: how long it is left alone after a failure, and what an operator is told of its answers.

While the target fails, one request at a time asks it, after the back-off; the others wait for that one's answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from tailrace import telemetry
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.bandwidth import Bandwidth
from tailrace.agent.delivery.concurrency import Concurrency
from tailrace.agent.delivery.missing import Missing
from tailrace.agent.delivery.request import Request, Requests
from tailrace.pipeline.contract import Delivery, Flusher, Outcome

LONG_SECS: Final = 10.0
"""An answer that takes longer is worth an alarm (the manual's bound)."""

ALARMS: Final = {
    Outcome.RETRY: ("SEND_DATA_FAIL_ALARM", "cannot send"),
    Outcome.THROTTLED: ("SEND_QUOTA_EXCEED_ALARM", "the target's quota is used up"),
    Outcome.UNAUTHORIZED: ("SEND_DATA_FAIL_ALARM", "the target refuses the access key"),
    Outcome.MISSING: ("SEND_DATA_FAIL_ALARM", "the target does not exist"),
    Outcome.DATA: ("SEND_DATA_FAIL_ALARM", "the target refuses the data; what is wrong with it is searched for"),
}


class Attempts:
    """Of one target; it belongs to the event loop."""

    def __init__(
        self, flusher: Flusher, requests: Requests, *, concurrency: Concurrency, bandwidth: Bandwidth | None = None, missing: Missing
    ) -> None:
        self._flusher = flusher
        self._requests = requests
        self.slots = concurrency
        self._bandwidth = bandwidth or Bandwidth(0)
        self._missing = missing
        self._backoff = Backoff()
        self._probe = asyncio.Lock()
        self._retry_at = 0.0
        self.failing_since = 0.0
        """Monotonic seconds; 0 while it does not fail."""
        self.trouble = ""
        """What the target answered last, when that was no success."""
        self.sent_at = 0.0
        """Wall clock of the last success; 0: none yet."""
        self._count = telemetry.counter("tailrace_agent_send_attempts_total", "Requests by outcome.", "target", "outcome")

    @property
    def failing(self) -> bool:
        return self._backoff.failing

    async def open(self) -> None:
        """Make the flusher ready to send; it is tried again until it is."""
        while (failure := await self._tried(self._opened)).outcome is not Outcome.ACKNOWLEDGED:
            self._judge(failure)
            await asyncio.sleep(self._retry_at - time.monotonic())

    async def one(self, request: Request) -> Delivery:
        """One attempt, when it is time for it."""
        if not self._backoff.failing:
            return await self._ask(request)
        async with self._probe:
            if self._backoff.failing:
                await asyncio.sleep(max(0.0, self._retry_at - time.monotonic()))
            return await self._ask(request)

    async def _ask(self, request: Request) -> Delivery:
        target = self._flusher.target
        await self._bandwidth.take(sum(item.payload.raw_size for item in request.items), target, request.precedence)
        self._requests[request] = time.monotonic()
        delivery = await self._tried(lambda: self._flusher.send(request.payloads))
        took, self._requests[request] = time.monotonic() - self._requests[request], 0.0
        if took > LONG_SECS:
            message = "the target was slow to answer"
            telemetry.alarm("SENDING_COSTS_TOO_MUCH_TIME_ALARM", message, target=target, seconds=round(took, 1))
        self._count.labels(target, delivery.outcome.value).inc()
        self._judge(delivery)
        return delivery

    async def _opened(self) -> Delivery:
        await self._flusher.open()
        return Delivery(Outcome.ACKNOWLEDGED)

    async def _tried(self, work: Callable[[], Awaitable[Delivery]]) -> Delivery:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its own target's trouble and no other one's
            telemetry.logger("agent.delivery").error("a flusher failed; it is tried again", target=self._flusher.target, exc_info=error)
            return Delivery(Outcome.RETRY, "Failed", f"{type(error).__name__}: {error}")

    def _judge(self, delivery: Delivery) -> None:
        now = time.monotonic()
        if delivery.outcome is Outcome.DATA:
            self._say(delivery)
        elif delivery.outcome in ALARMS:
            self.failing_since = self.failing_since or now
            self.slots.failed(over_quota=delivery.outcome is Outcome.THROTTLED)
            if now >= self._retry_at:  # the others that were under way with the one that failed say nothing new
                self._retry_at = now + self._backoff.failed(delivery.retry_after)
            self._say(delivery)
        if delivery.outcome in (Outcome.ACKNOWLEDGED, Outcome.DATA):  # it is well, whatever it says of the data
            self._backoff.succeeded()
            self.failing_since = 0.0
            self._missing.is_there(self._flusher.destination)
        if delivery.outcome is Outcome.ACKNOWLEDGED:
            self.slots.succeeded()
            if self.trouble:
                for kind, _ in ALARMS.values():
                    telemetry.resolved(kind, target=self._flusher.target)
            self.trouble, self.sent_at = "", time.time()

    def _say(self, delivery: Delivery) -> None:
        kind, message = ALARMS[delivery.outcome]
        if delivery.outcome is Outcome.MISSING and self._missing.is_parked(self._flusher.destination):
            message = "the target has not existed for a day; its data is kept"
        self.trouble = f"{message} ({delivery.code or delivery.outcome.value})"
        telemetry.alarm(kind, message, target=self._flusher.target, code=delivery.code, reason=delivery.message)
