"""Prints events as JSON lines on standard output: to try a pipeline out.

At least once: after a crash the last events may be printed again.
"""

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tailrace.batch import EventBatch
from tailrace.flushers.json_lines import payloads
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.contract import BatchLimits, Delivery, FlusherContext, Group, Identity, Outcome, Payload
from tailrace.pipeline.registry import flusher


class StdoutConfig(PluginConfig):
    """No options."""


@flusher("flusher_stdout", stability="stable")
class FlusherStdout:
    """Implements `Flusher`."""

    Config = StdoutConfig

    def __init__(self, config: StdoutConfig) -> None:
        self.config = config
        self.target = self.destination = "stdout"
        self.formerly: Sequence[str] = ()
        self.limits = BatchLimits()
        self.recognises_repeats = False
        self._printing = ThreadPoolExecutor(1, "flusher-stdout")
        """A thread of its own: whoever does not read what is printed holds nobody else."""

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    def start(self, context: FlusherContext) -> None:
        """Needs nothing."""

    def encode(self, batch: EventBatch, identity: Identity, groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> list[Payload]:
        return payloads(batch, identity, groups, nanoseconds=nanoseconds)

    async def open(self) -> None:
        """Standard output is open."""

    async def send(self, payloads: Sequence[Payload]) -> Delivery:
        try:
            await asyncio.get_running_loop().run_in_executor(self._printing, _print, b"".join(payload.body for payload in payloads))
        except OSError as error:
            return Delivery(Outcome.RETRY, "Output", str(error))
        return Delivery(Outcome.ACKNOWLEDGED)

    async def close(self) -> None:
        """Standard output stays open."""
        await asyncio.to_thread(self._printing.shutdown)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
