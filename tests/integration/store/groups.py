"""Log groups to commit, and how to find them again."""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from itertools import count

from tailrace.batch import EventBatch, fingerprint
from tailrace.pipeline.contract import Identity
from tailrace.server.store.port import EngineQuery, FieldIndex, LineIndex, Package, Store, TableSpec, Write

DELIMITERS = tuple(", '\";=()[]{}?@&<>/:\n\t\r")
EPOCH = b"0123456789abcdef"
STREAM = "00000000000000AB"
_logstores = count(1)


def spec(**changes: object) -> TableSpec:
    """A logstore of its own with a full-text index and two fields."""
    values: dict[str, object] = {
        "logstore": next(_logstores),
        "ttl_days": 30,
        "line": LineIndex(DELIMITERS),
        "fields": (FieldIndex("c1", "status", "long"), FieldIndex("c2", "url", "text", DELIMITERS)),
    }
    return TableSpec(**{**values, **changes})  # pyright: ignore[reportArgumentType]


def body(names: list[str], *, at: float | None = None, tags: dict[str, str] | None = None) -> tuple[bytes, int]:
    """One event per name, as (lz4 LogGroup, raw size)."""
    now = int((time.time() if at is None else at) * 1e9)
    batch = EventBatch.from_events([(now + i, [(b"name", name.encode()), (b"status", b"%d" % i)]) for i, name in enumerate(names)])
    batch.source, batch.topic = b"10.0.0.7", b"web"
    encoded = batch.encode(
        compression="lz4", tags=[(key.encode(), value.encode()) for key, value in (tags or {}).items()], time_ns_part=True
    )
    return encoded.body, encoded.raw_size


def package(
    sequence: int, names: list[str] | None = None, *, agent: str = "agent-1", at: float | None = None, **identity: object
) -> Package:
    """The agent's package number `sequence` of a stream; its range and fingerprint follow from its number unless given."""
    data, raw_size = body([f"s{sequence}-{i}" for i in range(3)] if names is None else names, at=at)
    values: dict[str, object] = {
        "epoch": EPOCH, "stream": STREAM, "sequence": sequence, "start": sequence * 100, "end": sequence * 100 + 100,
        "fingerprint": fingerprint(b"range %d" % sequence),
    }  # fmt: skip
    return Package(data, "lz4", raw_size, agent, Identity(**{**values, **identity}))  # pyright: ignore[reportArgumentType]


def plain(names: list[str], *, at: float | None = None, tags: dict[str, str] | None = None) -> Package:
    """A package of a writer that is no agent."""
    data, raw_size = body(names, at=at, tags=tags)
    return Package(data, "lz4", raw_size)


async def names(store: Store, table: TableSpec) -> list[str]:
    """What is in the engine, sorted."""
    answer = await store.query(EngineQuery(f"SELECT fields['name'] AS name FROM ls_{table.logstore} ORDER BY name"))
    return [str(row[0]) for row in answer.rows]


async def numbers(store: Store, table: TableSpec, column: str) -> dict[int, list[int]]:
    """Values of a cursor column per shard, sorted."""
    sql = f"SELECT shard, arraySort(groupUniqArray({column})) FROM ls_{table.logstore} GROUP BY shard"
    return {int(str(shard)): list(found) for shard, found in (await store.query(EngineQuery(sql))).rows}  # pyright: ignore[reportArgumentType]


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.05)


async def commit_forever(store: Store, table: TableSpec, seed: int, tell: Callable[[str], None]) -> None:
    """Writes with and without identity, each told about before it is sent and after it is acknowledged."""
    chance = random.Random(seed)
    run = os.urandom(4).hex()
    for sequence in count(1):
        events = [f"{run}-{sequence}-{i}" for i in range(chance.randint(1, 40))]
        tell(f"try {' '.join(events)}")
        await store.commit(Write(table, [package(sequence, events, stream=f"{run:0>16}".upper(), agent=f"agent-{run}")]))
        tell(f"ack {run}-{sequence}")
        if chance.random() < 0.2:
            await asyncio.sleep(chance.random() / 20)
