"""What waits for a target: requests are filled from all streams in turn, so that fresh lines never stand behind another file's backlog.

Within a stream the order stays. One request has one compression and goes to one shard.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from tailrace.agent.delivery.request import Item
from tailrace.agent.lanes.streams import Stream
from tailrace.pipeline.contract import BatchLimits

MOST_ASKED = 2048
"""So many streams are asked for something that fits into a request: with many shards few of them do."""


class Queue:
    """Belongs to the event loop; `arrivals` may be asked from any thread."""

    def __init__(self) -> None:
        self._streams: dict[Stream, deque[Item]] = {}
        """In the order of their turns; none is empty."""
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._size = self._events = self._count = 0
        self._first_arrived = self._last_arrived = 0.0

    def __bool__(self) -> bool:
        return bool(self._streams)

    def put(self, items: Iterable[Item]) -> None:
        for item in items:
            self._first_arrived = min(self._first_arrived, item.arrived) if self._count else item.arrived
            self._streams.setdefault(item.entry.stream, deque()).append(item)
            self._last_arrived = item.arrived
            self._weigh(item, 1)

    def __iter__(self) -> Iterator[Item]:
        """All that waits, stream by stream."""
        return chain.from_iterable(self._streams.values())

    def remove(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Take what is wanted out of its turn."""
        taken = [item for item in self if wanted(item)]
        if taken:
            left = {stream: deque(item for item in items if not wanted(item)) for stream, items in self._streams.items()}
            self._streams = {stream: items for stream, items in left.items() if items}
        for item in taken:
            self._weigh(item, -1)
        return taken

    def is_full(self, limits: BatchLimits) -> bool:
        """Whether the next request would be full, or has others waiting for it to go."""
        full = self._size >= limits.max_bytes or self._events >= limits.max_events or self._count >= limits.max_payloads
        return full or len(self._kinds) > 1

    def take(self, limits: BatchLimits) -> list[Item]:
        """The next request; nothing when nothing waits. Streams that had their turn go behind those that had none."""
        items = self._fitting(limits)
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
        return (self._first_arrived, self._last_arrived) if self._count else None

    def _weigh(self, item: Item, sign: int) -> None:
        """Add an item that came to the sums, or take off one that went."""
        self._count += sign
        self._size += sign * item.payload.raw_size
        self._events += sign * item.payload.events
        kind = _kind(item)
        self._kinds[kind] += sign
        if not self._kinds[kind]:
            del self._kinds[kind]

    def _fitting(self, limits: BatchLimits) -> list[Item]:
        """The items of the next request: one of each stream, then the next of each.

        Bytes and events may overshoot by the last item, so that a range of a full block is never sent alone.
        """
        items: list[Item] = []
        size = events = 0
        turn: Iterable[Iterator[Item]] = map(iter, islice(self._streams.values(), MOST_ASKED))
        while turn:
            having_more: list[Iterator[Item]] = []
            for stream in turn:
                item = next(stream, None)
                if item is None or (items and _kind(item) != _kind(items[0])):
                    continue
                items.append(item)
                size += item.payload.raw_size
                events += item.payload.events
                if size >= limits.max_bytes or events >= limits.max_events or len(items) >= limits.max_payloads:
                    return items
                having_more.append(stream)
            turn = having_more
        return items


def _kind(item: Item) -> tuple[str, str]:
    return item.payload.compression, item.payload.hash_key
