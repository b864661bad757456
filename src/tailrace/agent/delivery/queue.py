"""What waits for a target: requests are filled from all streams in turn, so that fresh lines never stand behind another file's backlog.

Within a stream the order is that of the sequences. One request has one compression and goes to one shard. What lies too far beyond the
oldest range of its stream that is not acknowledged is put aside until that moves (`Stream.admits`).
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TypeAlias

from tailrace.agent.delivery.precedence import Precedence
from tailrace.agent.delivery.request import Item
from tailrace.agent.lanes.streams import Stream
from tailrace.pipeline.contract import BatchLimits

MOST_ASKED = 2048
"""So many streams are asked for something that fits into a request: with many shards few of them do."""

Kind: TypeAlias = tuple[str, str, bytes]
"""Payloads of which this differs do not share a request: compression, shard, and the topic where that is wanted."""


class Queue:
    """Belongs to the event loop; `arrivals` may be asked from any thread."""

    def __init__(self, *, one_topic: bool = False) -> None:
        self._one_topic = one_topic
        self._streams: dict[Stream, deque[Item]] = {}
        """In the order of their turns; none is empty."""
        self._aside: dict[Stream, deque[Item]] = {}
        """Those whose first item has to wait for what is under way of the stream; in no sum."""
        self._precedence = Precedence()
        self._kinds: Counter[Kind] = Counter()
        self._size = self._events = self._count = 0
        self._first_arrived = self._last_arrived = 0.0

    def __bool__(self) -> bool:
        return bool(self._streams)

    def put(self, items: Iterable[Item]) -> None:
        for item in items:
            stream = item.entry.stream
            self._last_arrived = item.arrived
            if stream in self._aside and not stream.admits(item.entry):
                _insert(self._aside[stream], item)
                continue
            self.look_again(stream)
            self._first_arrived = min(self._first_arrived, item.arrived) if self._count else item.arrived
            _insert(self._streams.setdefault(stream, deque()), item)
            self._weigh(item, 1)

    def __iter__(self) -> Iterator[Item]:
        """All that waits, stream by stream."""
        return chain(chain.from_iterable(self._streams.values()), chain.from_iterable(self._aside.values()))

    def remove(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Take what is wanted out of its turn."""
        for stream in list(self._aside):
            self.look_again(stream)
        taken = [item for item in self if wanted(item)]
        if taken:
            left = {stream: deque(item for item in items if not wanted(item)) for stream, items in self._streams.items()}
            self._streams = {stream: items for stream, items in left.items() if items}
        for item in taken:
            self._weigh(item, -1)
        return taken

    def look_again(self, stream: Stream) -> None:
        """The oldest range of a stream that is not acknowledged is another one now: what was put aside of it may go."""
        items = self._aside.pop(stream, None)
        if items is None:
            return
        self._first_arrived = min(self._first_arrived, items[0].arrived) if self._count else items[0].arrived
        self._streams[stream] = items
        for item in items:
            self._weigh(item, 1)

    def is_full(self, limits: BatchLimits) -> bool:
        """Whether the next request would be full, or has others waiting for it to go."""
        full = self._size >= limits.max_bytes or self._events >= limits.max_events or self._count >= limits.max_payloads
        return full or len(self._kinds) > 1

    def take(self, limits: BatchLimits) -> list[Item]:
        """The next request; nothing when nothing waits that may go. Streams that had their turn go behind those that had none."""
        items, blocked = self._fitting(limits)
        for stream in blocked:
            self._aside[stream] = self._streams.pop(stream)
            for item in self._aside[stream]:
                self._weigh(item, -1)
        for item in items:
            waiting = self._streams.pop(item.entry.stream)
            waiting.popleft()
            if waiting:
                self._streams[item.entry.stream] = waiting
            self._weigh(item, -1)
        self._first_arrived = min((waiting[0].arrived for waiting in self._streams.values()), default=0.0)
        return items

    def due_in(self, limits: BatchLimits, linger: float) -> float:
        """Seconds until the next request has to go: at once when it is full, or others wait for it to go; else when the first payload has
        waited for `linger`. Only where something waits."""
        return 0.0 if self.is_full(limits) else self._first_arrived + linger - time.monotonic()

    @property
    def arrivals(self) -> tuple[float, float] | None:
        """When the first and the last of those that wait came (monotonic seconds); None when none waits."""
        aside = list(self._aside.values())  # at once: whoever asks is another thread
        first = min([items[0].arrived for items in aside if items], default=self._first_arrived)
        return (min(first, self._first_arrived or first), self._last_arrived) if self._count or aside else None

    def _weigh(self, item: Item, sign: int) -> None:
        """Add an item that came to the sums, or take off one that went."""
        self._count += sign
        self._size += sign * item.payload.raw_size
        self._events += sign * item.payload.events
        kind = self._kind(item)
        self._kinds[kind] += sign
        if not self._kinds[kind]:
            del self._kinds[kind]

    def _kind(self, item: Item) -> Kind:
        payload = item.payload
        return payload.compression, payload.hash_key, payload.topic if self._one_topic else b""

    def _fitting(self, limits: BatchLimits) -> tuple[list[Item], list[Stream]]:
        """The items of the next request: one of each stream of a class, then the next of each. And the streams that have to wait.

        Bytes and events may overshoot by the last item, so that a range of a full block is never sent alone.
        """
        filling = _Filling(limits)
        blocked: list[Stream] = []
        for streams in self._in_turn():
            turn: Iterable[Iterator[Item]] = map(iter, streams)
            while turn:
                having_more: list[Iterator[Item]] = []
                for waiting in turn:
                    item = next(waiting, None)
                    if item is None or (filling.items and self._kind(item) != self._kind(filling.items[0])):
                        continue
                    stream = item.entry.stream
                    if not stream.admits(item.entry):
                        blocked += [stream] if self._streams[stream][0] is item else []
                        continue
                    if filling.add(item):
                        return filling.items, blocked
                    having_more.append(waiting)
                turn = having_more
        return filling.items, blocked

    def _in_turn(self) -> list[list[deque[Item]]]:
        """What waits, of the class first whose turn it is."""
        asked = list(islice(self._streams.items(), MOST_ASKED))
        present = {stream.precedence for stream, _ in asked}
        if len(present) <= 1:
            return [[items for _, items in asked]]
        order = self._precedence.order(present)
        self._precedence.charge(order[0], 1)
        return [[items for stream, items in asked if stream.precedence == one] for one in order]


@dataclass(slots=True)
class _Filling:
    """A request in the making."""

    limits: BatchLimits
    items: list[Item] = field(default_factory=list[Item])
    size: int = 0
    events: int = 0

    def add(self, item: Item) -> bool:
        """Whether it is full now."""
        self.items.append(item)
        self.size += item.payload.raw_size
        self.events += item.payload.events
        limits = self.limits
        return self.size >= limits.max_bytes or self.events >= limits.max_events or len(self.items) >= limits.max_payloads


def _insert(waiting: deque[Item], item: Item) -> None:
    """Behind all of its sequence and below: a range that had to be read again comes late."""
    at = len(waiting)
    while at and waiting[at - 1].entry.comes_after(item.entry):
        at -= 1
    waiting.insert(at, item)
