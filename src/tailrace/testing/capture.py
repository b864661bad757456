"""A flusher that delivers nowhere and keeps what it was given."""

import asyncio
from collections import deque
from collections.abc import Sequence

from tailrace.batch import EventBatch
from tailrace.flushers.json_lines import payloads
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.contract import BatchLimits, Delivery, FlusherContext, Group, Identity, Outcome, Payload


class CaptureFlusher:
    """Implements `Flusher`. Answers as `script` says, one outcome per request, then acknowledges; each answer takes `seconds`.

    `sent` has the payloads of each request, of JSON lines, in the order in which requests began; also those that were refused.
    """

    config = PluginConfig()
    target = destination = "capture"
    formerly: Sequence[str] = ()
    recognises_repeats = False

    def __init__(self, *script: Outcome, limits: BatchLimits | None = None, seconds: float = 0.0) -> None:
        self.limits = limits or BatchLimits(linger=0.01)
        self.script = deque(script)
        self.seconds = seconds
        self.sent: list[list[Payload]] = []

    def start(self, context: FlusherContext) -> None:
        """Needs nothing."""

    def encode(self, batch: EventBatch, identity: Identity, groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> list[Payload]:
        return payloads(batch, identity, groups, nanoseconds=nanoseconds)

    async def open(self) -> None:
        """There is nothing to open."""

    async def send(self, payloads: Sequence[Payload]) -> Delivery:
        self.sent.append(list(payloads))
        await asyncio.sleep(self.seconds)
        return Delivery(self.script.popleft()) if self.script else Delivery(Outcome.ACKNOWLEDGED)

    async def close(self) -> None:
        """Nothing is open."""
