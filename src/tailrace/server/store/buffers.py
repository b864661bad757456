"""Durable requests that are not in the engine yet, per logstore, and when they become a block."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tailrace.batch import EventBatch
from tailrace.server.store.records import RequestRecord

DAY_MS = 86_400_000
MAX_ROWS, MAX_BYTES = 100_000, 32 << 20
"""A block is full at either; one request is never split, so a block may exceed them by one request."""
IDLE_SECS, BUSY_SECS, LONGEST_SECS = 0.25, 1.0, 5.0
"""How long a block is filled: with nothing of its logstore in flight, otherwise, and at most when very many logstores are active."""


@dataclass(slots=True)
class Pending:
    """One durable request. `groups` is None where they were dropped to save memory: they are decoded again from the bodies."""

    id: int
    request: RequestRecord
    groups: list[EventBatch] | None
    added_at: float
    """Monotonic seconds."""

    @property
    def day(self) -> int:
        return self.request.recv_ms // DAY_MS

    @property
    def rows(self) -> int:
        return sum(package.events for package in self.request.packages)

    @property
    def raw_size(self) -> int:
        return sum(package.raw_size for package in self.request.packages)

    @property
    def stored_size(self) -> int:
        """Bytes in the journal, about."""
        return sum(len(package.body) for package in self.request.packages)


@dataclass(slots=True)
class Block:
    """Requests of one logstore, received on one day, that go into the engine together, under one token."""

    logstore: int
    requests: list[Pending]
    token: str
    attempts: int = 0
    crashes: int = 0
    """Times the engine died while this block was with it."""
    bare: bool = False
    """Whether it goes without the values of indexed fields, which the engine then takes from the rows: the table was changed meanwhile."""

    @property
    def first(self) -> int:
        return self.requests[0].id

    @property
    def last(self) -> int:
        return self.requests[-1].id

    @property
    def day(self) -> int:
        return self.requests[0].day

    @property
    def rows(self) -> int:
        return sum(request.rows for request in self.requests)


@dataclass(slots=True)
class Buffer:
    """The unsealed requests of one logstore, oldest first, and its blocks on their way."""

    logstore: int
    waiting: deque[Pending] = field(default_factory=deque)
    blocks: list[Block] = field(default_factory=list)
    rows: int = 0
    raw_size: int = 0
    not_before: float = 0.0
    """Monotonic time of the next try after a seal could not be written."""

    def add(self, pending: Pending) -> None:
        self.waiting.append(pending)
        self.rows += pending.rows
        self.raw_size += pending.raw_size

    def put_back(self, requests: list[Pending]) -> None:
        """Requests whose seal could not be written."""
        self.waiting.extendleft(reversed(requests))
        self.rows += sum(request.rows for request in requests)
        self.raw_size += sum(request.raw_size for request in requests)

    @property
    def full(self) -> bool:
        return self.rows >= MAX_ROWS or self.raw_size >= MAX_BYTES

    def due_at(self) -> float:
        """Monotonic time from which the waiting requests may become a block."""
        if self.full:
            return self.not_before
        patience = BUSY_SECS if self.blocks else IDLE_SECS
        return max(self.waiting[0].added_at + patience, self.not_before)

    def overdue_at(self) -> float:
        """Monotonic time from which they become one whatever the insert budget says."""
        return self.due_at() if self.full else max(self.waiting[0].added_at + LONGEST_SECS, self.not_before)

    def take(self) -> list[Pending]:
        """The oldest requests that fit one block: same receive day, within the bounds."""
        taken: list[Pending] = []
        rows = size = 0
        while self.waiting and (not taken or (rows < MAX_ROWS and size < MAX_BYTES and self.waiting[0].day == taken[0].day)):
            taken.append(self.waiting.popleft())
            rows += taken[-1].rows
            size += taken[-1].raw_size
        self.rows -= rows
        self.raw_size -= size
        return taken

    def requests(self) -> Iterator[Pending]:
        """All that the engine does not have."""
        yield from self.waiting
        for block in self.blocks:
            yield from block.requests

    def newest(self) -> int:
        """Id of the newest request that the engine does not have; 0 without one."""
        return max([*(block.last for block in self.blocks), *(pending.id for pending in list(self.waiting)[-1:])], default=0)

    def holds_up_to(self, record_id: int) -> bool:
        """Whether a request with this id or an older one is not in the engine yet."""
        oldest = self.oldest()
        return oldest is not None and oldest.id <= record_id

    def oldest(self) -> Pending | None:
        """The oldest request that the engine does not have."""
        requests = [block.requests[0] for block in self.blocks]
        if self.waiting:
            requests.append(self.waiting[0])
        return min(requests, key=lambda pending: pending.id, default=None)
