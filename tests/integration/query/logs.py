"""A real engine with tables that tests fill with rows of their own, without journal and server around it."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from tailrace.server.query.service import Answer, Page, Queries
from tailrace.server.query.window import NS, Window
from tailrace.server.store.engine import Engine
from tailrace.server.store.port import EngineQuery, Rows, TableSpec
from tailrace.server.store.schema import create_statement, table_name

T = TypeVar("T")
START = 1_700_000_000
TOKENS = (",", " ", "'", '"', ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/", ":", "\n", "\t", "\r")

TEXT, PAIRS = pa.binary(), pa.map_(pa.binary(), pa.binary())
SCHEMA = pa.schema({
    "time": pa.timestamp("ns", "UTC"), "recv": pa.timestamp("ms", "UTC"), "shard": pa.uint16(), "seq": pa.uint64(),
    "group_cursor": pa.uint64(), "group_size": pa.uint32(), "agent": TEXT, "epoch": TEXT, "stream": pa.uint64(), "pack_seq": pa.uint64(),
    "pack_part": pa.uint16(), "pack_index": pa.uint32(), "source": TEXT, "topic": TEXT, "tags": PAIRS, "fields": PAIRS,
})  # fmt: skip


@dataclass
class Log:
    """One event; `time` in seconds."""

    fields: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]
    time: float = START
    source: str = ""
    topic: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    shard: int = 0
    seq: int | None = None
    """By default the rows of a shard are numbered in the order in which they are given."""
    received: float | None = None
    """Seconds; now, by default."""
    group: int = 7


class EngineThread:
    """Runs one engine on an event loop of its own, so that plain functions (and hypothesis) can ask it."""

    def __init__(self, directory: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.engine = Engine(directory)
        self.run(self.engine.open())
        self._ids = count(1)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self.run(self.engine.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def logstore(self, logs: Sequence[Log] = (), **spec: Any) -> "FilledLogstore":
        """A new table with these rows; options as of TableSpec."""
        table = TableSpec(next(self._ids), 30, **spec)
        self.run(self.engine.execute(create_statement(table)))
        made = FilledLogstore(self, table)
        made.add(logs)
        return made

    def insert(self, table: TableSpec, rows: bytes) -> None:
        names = ", ".join(SCHEMA.names)
        with tempfile.NamedTemporaryFile(suffix=".arrow") as file:
            file.write(rows)
            file.flush()
            source = f"SELECT {names} FROM file('{file.name}', 'ArrowStream')"
            self.run(self.engine.execute(f"INSERT INTO {table_name(table.logstore)} ({names}) {source}"))


@dataclass
class FilledLogstore:
    """What the tests ask their questions of."""

    thread: EngineThread
    table: TableSpec
    _next: dict[int, int] = field(default_factory=dict)

    @property
    def queries(self) -> Queries:
        return Queries(self.thread.engine)  # it has what a query needs of a store: `query` and `cancel`

    def add(self, logs: Sequence[Log]) -> None:
        if logs:
            self.thread.insert(self.table, _arrow(logs, self._next))

    def ask(self, statement: str, *, start: float = 0, end: float = START + 100_000, topic: str = "", **page: Any) -> Answer:
        window = Window(int(start * NS), int(end * NS), topic)
        return self.thread.run(self.queries.ask(self.table, "access", statement, window, Page(**page)))

    def find(self, search: str, field_name: str = "id", **options: Any) -> list[str]:
        """One field of what a search finds, ascending by time."""
        return [row.get(field_name, "") for row in self.ask(search, **options).rows]

    def sql(self, statement: str, **options: Any) -> list[tuple[str, ...]]:
        """The rows of `statement`; `* | ` is put before a bare SELECT."""
        text = f"* | {statement}" if statement.startswith(("select", "with")) else statement
        return [tuple(row.values()) for row in self.ask(text, **options).rows]

    def tail(self, search: str = "", after: str = "", limit: int = 100) -> tuple[list[dict[str, str]], str]:
        return self.thread.run(self.queries.tail(self.table, search, after, limit))

    def raw(self, sql: str, parameters: Mapping[str, object] | None = None) -> Rows:
        return self.thread.run(self.thread.engine.query(EngineQuery(sql, parameters or {})))


def _arrow(logs: Sequence[Log], numbers: dict[int, int]) -> bytes:
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for log in logs:
        seq = numbers.get(log.shard, 0) if log.seq is None else log.seq
        numbers[log.shard] = max(numbers.get(log.shard, 0), seq + 1)
        pairs = log.fields.items() if isinstance(log.fields, Mapping) else log.fields
        values = {
            "time": round(log.time * 1000) * 1_000_000,
            "recv": round((time.time() if log.received is None else log.received) * 1000),
            "shard": log.shard,
            "seq": seq,
            "group_cursor": log.group,
            "group_size": len(logs),
            "pack_index": seq,
            "source": log.source.encode(),
            "topic": log.topic.encode(),
            "tags": [(key.encode(), value.encode()) for key, value in log.tags.items()],
            "fields": [(key.encode(), value if isinstance(value, bytes) else value.encode()) for key, value in pairs],
        }
        for name, column in columns.items():
            column.append(values.get(name, b"" if pa.types.is_binary(SCHEMA.field(name).type) else 0))
    arrays = [pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
    return sink.getvalue().to_pybytes()
