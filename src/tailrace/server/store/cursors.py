"""Shards: which one a package goes to, and the numbers that its rows and group get there, without holes or repeats."""

from bisect import bisect_right
from collections.abc import Sequence

import xxhash

from tailrace.server.store.port import Package, ShardRange, Write
from tailrace.server.store.records import RequestRecord, ShardKey, ShardState, StateRecord

HASH_BITS = 128


class ShardChooser:
    """A writer's hash key decides, else the stream, which hashes to one, else the writes to a logstore go round."""

    def __init__(self) -> None:
        self._turns: dict[int, int] = {}
        """By logstore: one for all would send the writes of who writes to two in turn to one shard of each."""

    def choose(self, write: Write, packages: Sequence[Package]) -> list[int]:
        """A stream stays on one shard until that is split or merged."""
        shards = write.shards() if write.shards is not None else _even(max(1, write.table.shards))
        begins = [shard.begin for shard in shards]
        keys = [_key(write, package) for package in packages]
        turn = self._turns.get(write.table.logstore, 0)
        if None in keys:
            self._turns[write.table.logstore] = turn + 1
        return [shards[turn % len(shards) if key is None else bisect_right(begins, key) - 1].id for key in keys]


def _key(write: Write, package: Package) -> int | None:
    """What decides; None where the writes go round."""
    if write.hash_key is not None:
        return int(write.hash_key, 16)
    if package.identity is not None and package.agent:
        return xxhash.xxh3_128_intdigest(f"{package.agent}/{package.identity.stream}".encode())
    return None


def _even(count: int) -> list[ShardRange]:
    return [ShardRange(number, (number << HASH_BITS) // count) for number in range(count)]


class Cursors:
    """Next row and group number of every shard.

    The journal's writer thread numbers (`place`) and takes back (`undo`); what is durable (`apply`) is kept apart for snapshots.
    """

    def __init__(self) -> None:
        self._next: dict[ShardKey, ShardState] = {}
        self._durable: dict[ShardKey, ShardState] = {}

    def place(self, request: RequestRecord) -> None:
        for package in request.packages:
            shard = self._next.setdefault((request.logstore, package.shard), ShardState())
            package.seq, package.group_cursor = shard.seq, shard.group_cursor
            shard.seq += package.events
            shard.group_cursor += package.events > 0

    def undo(self, request: RequestRecord) -> None:
        for package in reversed(request.packages):
            self._next[request.logstore, package.shard] = ShardState(package.seq, package.group_cursor)

    def apply(self, request: RequestRecord) -> None:
        for package in request.packages:
            self._raise(
                self._durable, (request.logstore, package.shard), package.seq + package.events, package.group_cursor + (package.events > 0)
            )

    def snapshot(self) -> list[tuple[ShardKey, ShardState]]:
        return list(self._durable.items())

    def restore(self, snapshot: StateRecord) -> None:
        for key, shard in snapshot.shards:
            self._raise(self._durable, key, shard.seq, shard.group_cursor)

    def end(self, key: ShardKey) -> ShardState:
        """The numbers that come after all that is durable in a shard."""
        return self._durable.get(key, ShardState())

    def logstores(self) -> set[int]:
        """All that were ever written to, those that are gone too."""
        return {logstore for logstore, _ in self._durable}

    def shards(self, logstore: int) -> list[int]:
        """Those of a logstore that were ever written to."""
        return sorted(shard for owner, shard in self._durable if owner == logstore)

    def start(self) -> None:
        """After recovery: go on from what is durable."""
        self._next = {key: ShardState(shard.seq, shard.group_cursor) for key, shard in self._durable.items()}

    @staticmethod
    def _raise(shards: dict[ShardKey, ShardState], key: ShardKey, seq: int, group_cursor: int) -> None:
        shard = shards.setdefault(key, ShardState())
        shard.seq, shard.group_cursor = max(shard.seq, seq), max(shard.group_cursor, group_cursor)
