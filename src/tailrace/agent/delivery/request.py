"""Filling a request from a target's queue."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.agent.streams import Entry
from tailrace.pipeline.contract import BatchLimits, Payload


@dataclass(frozen=True, slots=True)
class Item:
    """One payload that waits. `arrived` is monotonic seconds."""

    entry: Entry
    payload: Payload
    arrived: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, acknowledged or refused as a whole."""

    items: Sequence[Item]
    farewells: Sequence[Payload] = ()
    """They say that streams have ended (docs/specs/batch-form.md)."""

    @property
    def payloads(self) -> list[Payload]:
        return [*(item.payload for item in self.items), *self.farewells]

    @property
    def entries(self) -> list[Entry]:
        """The ranges it has parts of, each once, in order."""
        return list(dict.fromkeys(item.entry for item in self.items))

    @property
    def size(self) -> int:
        """Encoded bytes."""
        return sum(len(item.payload.body) for item in self.items)


def fitting(pending: deque[Item], limits: BatchLimits) -> tuple[int, bool]:
    """How many items from the front go into one request, and whether that makes it full.

    Bytes and events may overshoot by the last item, so that a range of a full block is never sent alone. One request has one compression
    and goes to one shard.
    """
    size = events = count = 0
    for item in pending:
        if item.payload.compression != pending[0].payload.compression or item.payload.hash_key != pending[0].payload.hash_key:
            return count, True
        count += 1
        size += item.payload.raw_size
        events += item.payload.events
        if size >= limits.max_bytes or events >= limits.max_events or count >= limits.max_payloads:
            return count, True
    return count, False
