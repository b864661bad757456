"""Consumer groups (sls-api §2.7): what they are and how far they have read lies in the database, who holds what in memory beside it.

Holders are written down when they change, so that after a restart of the server nobody gets a shard that another still reads.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from tailrace.errors import ApiError, EngineError
from tailrace.server.consumption.assignment import Assignment
from tailrace.server.db import consumption_statements as statements
from tailrace.server.db import sharding
from tailrace.server.db.records import Checkpoint, ConsumerGroup, Logstore, Shard
from tailrace.server.db.transactions import Transactions
from tailrace.server.query.pulling import ShardReader

Readers = Callable[[int], ShardReader]
"""The reader of each shard."""
_Key: TypeAlias = tuple[int, int]
"""Ids of the logstore and of the group: the latter may be used again once the logstore is gone, the former never is."""


class ConsumerGroups:
    """One per server; raises ApiError with the SLS codes."""

    def __init__(self, transactions: Transactions, clock: Callable[[], float] = time.monotonic) -> None:
        self._run = transactions.run
        self._clock = clock
        self._live: dict[_Key, Assignment] = {}
        self._read: set[tuple[_Key, int, str]] = set()
        """(group, shard, checkpoint) of shards that take no writes and are read to their end."""

    async def groups(self, logstore: Logstore) -> list[ConsumerGroup]:
        """By name."""
        return await self._run(statements.groups, logstore.id)

    async def create(self, logstore: Logstore, name: str, silence_secs: int, *, in_order: bool) -> None:
        """`silence_secs`: how long a consumer may go without a heartbeat."""
        made = await self._run(statements.insert_group, logstore.id, name, int(time.time()), silence_secs=silence_secs, in_order=in_order)
        if made is None:
            raise ApiError(400, "ConsumerGroupAlreadyExist", f"consumer group `{name}` already exists")

    async def change(self, logstore: Logstore, name: str, silence_secs: int | None, *, in_order: bool | None) -> None:
        """What is None stays."""
        group = await self._known(logstore, name)
        silence_secs = group.silence_secs if silence_secs is None else silence_secs
        await self._run(statements.change_group, group.id, silence_secs, group.in_order if in_order is None else in_order)

    async def delete(self, logstore: Logstore, name: str) -> None:
        """With its checkpoints."""
        group = await self._known(logstore, name)
        key = logstore.id, group.id
        self._live.pop(key, None)
        self._read = {each for each in self._read if each[0] != key}
        await self._run(statements.delete_group, group.id)

    async def checkpoints(self, logstore: Logstore, name: str) -> dict[int, Checkpoint]:
        """Of every shard that the logstore has or the group has read."""
        group = await self._known(logstore, name)
        shards = sharding.readable(logstore.shards, logstore.ttl, int(time.time()))
        return {shard.id: Checkpoint() for shard in shards} | await self._run(statements.checkpoints, group.id)

    async def set_checkpoint(self, logstore: Logstore, name: str, shard: int, cursor: str, owner: str | None) -> None:
        """`owner` has to hold the shard; None stands for anybody."""
        group = await self._known(logstore, name)
        if owner is not None:
            holder = (await self._assignment(logstore, group)).holders.get(shard)
            if holder != owner:
                raise ApiError(400, "ConsumerNotMatch", f"shard {shard} is held by `{holder or ''}`, not by `{owner}`")
        await self._run(statements.set_checkpoint, group.id, shard, cursor, time.time_ns() // 1000)

    async def beat(self, logstore: Logstore, name: str, consumer: str, held: Collection[int], readers: Readers) -> list[int]:
        """A heartbeat: the shards that the consumer is to read from now on."""
        group = await self._known(logstore, name)
        assignment = await self._assignment(logstore, group)
        shards = await self._unread(logstore, group, readers)
        before = dict(assignment.holders)
        answer = assignment.beat(consumer, held, shards, group.silence_secs)
        if assignment.holders != before:
            await self._run(statements.set_holders, group.id, dict(assignment.holders))
        return answer

    async def _known(self, logstore: Logstore, name: str) -> ConsumerGroup:
        group = await self._run(statements.group, logstore.id, name)
        if group is None:
            raise ApiError(404, "ConsumerGroupNotExist", f"consumer group `{name}` does not exist")
        return group

    async def _assignment(self, logstore: Logstore, group: ConsumerGroup) -> Assignment:
        key = logstore.id, group.id
        if key not in self._live:
            kept = await self._run(statements.checkpoints, group.id)
            holders = {shard: checkpoint.consumer for shard, checkpoint in kept.items() if checkpoint.consumer}
            self._live.setdefault(key, Assignment.restored(self._clock, holders))
        return self._live[key]

    async def _unread(self, logstore: Logstore, group: ConsumerGroup, readers: Readers) -> list[int]:
        """The shards that there is something to read of, or may be one day; in order, what comes after a shard only when that is done."""
        shards = sharding.readable(logstore.shards, logstore.ttl, int(time.time()))
        closed = [shard for shard in shards if shard.closed is not None]
        checkpoints: Mapping[int, Checkpoint] = await self._run(statements.checkpoints, group.id) if closed else {}
        key = logstore.id, group.id
        read = {shard.id for shard in closed if await self._is_read(key, checkpoints.get(shard.id, Checkpoint()).cursor, readers(shard.id))}
        return [shard.id for shard in shards if shard.id not in read and not (group.in_order and _waits(shard, closed, read))]

    async def _is_read(self, group: _Key, cursor: str, reader: ShardReader) -> bool:
        """Of a shard that takes no writes: then it stays so for as long as the checkpoint does."""
        key = (group, reader.shard, cursor)
        if key not in self._read:
            try:
                if not await reader.is_read(cursor):
                    return False
            except EngineError:
                return False
            self._read.add(key)
        return True


def _waits(shard: Shard, closed: Sequence[Shard], read: Collection[int]) -> bool:
    return any(each.id not in read for each in sharding.ancestors(closed, shard))
