"""Log groups as the columns that the engine takes: decoded once, in a thread, without a Python object per row.

Keys and constant columns go as plain binary arrays: chDB reads those twice as fast as dictionaries (docs/adr/0001).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from tailrace.batch import EventBatch
from tailrace.server.store.port import Compression

Arrow: TypeAlias = Any
"""Arrow arrays, types and buffers: pyarrow has no type stubs."""
Numbers: TypeAlias = "np.ndarray[Any, Any]"

NS = 1_000_000_000
TIME_AHEAD_TAG = b"__time_ahead__"
"""Marks an event whose time lies too far in the future; its value is how many seconds."""

SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ns", "UTC")),
        ("recv", pa.timestamp("ms", "UTC")),
        ("shard", pa.uint16()),
        ("seq", pa.uint64()),
        ("group_cursor", pa.uint64()),
        ("group_size", pa.uint32()),
        ("agent", pa.binary()),
        ("epoch", pa.binary()),
        ("stream", pa.uint64()),
        ("pack_seq", pa.uint64()),
        ("pack_part", pa.uint16()),
        ("pack_index", pa.uint32()),
        ("source", pa.binary()),
        ("topic", pa.binary()),
        ("tags", pa.map_(pa.binary(), pa.binary())),
        ("fields", pa.map_(pa.binary(), pa.binary())),
    ]
)


@dataclass(frozen=True, slots=True)
class Columns:
    """One decoded log group."""

    times: Arrow
    """int64 ns."""
    fields: Arrow
    """map<binary, binary>, keys in the order of the log, repeats included."""
    source: bytes
    topic: bytes
    tags: tuple[tuple[bytes, bytes], ...]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def size(self) -> int:
        """Bytes held."""
        return self.times.nbytes + self.fields.nbytes

    def time_span(self) -> tuple[int, int]:
        """(oldest, newest) event time in ns; of no use for an empty group."""
        times = self.nanoseconds()
        return int(times.min()), int(times.max())

    def nanoseconds(self) -> Numbers:
        return np.frombuffer(self.times.buffers()[1], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the rows of one log group stand in the store: all that does not come from its body."""

    recv_ms: int
    shard: int
    seq: int
    group_cursor: int
    agent: str = ""
    epoch: bytes = b""
    stream: int = 0
    pack_seq: int = 0
    pack_part: int = 0
    mark_ahead: float | None = None
    """Events later than this many seconds after `recv_ms` get the tag `__time_ahead__`; None leaves them alone."""


def decode(body: bytes, compression: Compression, raw_size: int) -> Columns:
    """Raises DecodeError for a body that is malformed or beyond a bound."""
    batch = EventBatch.decode(body, compression=compression, raw_size=raw_size)
    columns = batch.map_columns()
    count, entries = len(columns.times) // 8, len(columns.key_index) // 4
    keys = pa.DictionaryArray.from_arrays(_ints(pa.int32(), columns.key_index), _binary(columns.keys), safe=False)
    values = pa.Array.from_buffers(pa.binary(), entries, [None, pa.py_buffer(columns.value_offsets), pa.py_buffer(columns.value_data)])
    fields = pa.MapArray.from_arrays(_ints(pa.int32(), columns.offsets), keys.dictionary_decode(), values)
    times = pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(columns.times)])
    return Columns(times, fields, batch.source, batch.topic, tuple(batch.tags))


def write_block(path: Path, groups: Iterable[tuple[Placement, Columns]]) -> None:
    """Rows of several log groups as one Arrow IPC stream."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as writer:
        for placement, columns in groups:
            writer.write_batch(_batch(placement, columns))


def _batch(at: Placement, columns: Columns) -> Arrow:
    count = len(columns)
    arrays = [
        columns.times.cast(SCHEMA.field("time").type),
        _same(at.recv_ms, np.int64, count).cast(SCHEMA.field("recv").type),
        _same(at.shard, np.uint16, count),
        _numbers(pa.uint64(), np.arange(at.seq, at.seq + count, dtype=np.uint64)),
        _same(at.group_cursor, np.uint64, count),
        _same(count, np.uint32, count),
        _same_binary(at.agent.encode(), count),
        _same_binary(at.epoch.hex().encode(), count),
        _same(at.stream, np.uint64, count),
        _same(at.pack_seq, np.uint64, count),
        _same(at.pack_part, np.uint16, count),
        _numbers(pa.uint32(), np.arange(count, dtype=np.uint32)),
        _same_binary(columns.source, count),
        _same_binary(columns.topic, count),
        _tags(at, columns),
        columns.fields,
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _tags(at: Placement, columns: Columns) -> Arrow:
    """The group's tags on each row, and on those from the future one more."""
    count, own = len(columns), len(columns.tags)
    ahead = np.zeros(count, dtype=np.int64)
    if at.mark_ahead is not None:
        seconds = (columns.nanoseconds() - at.recv_ms * 1_000_000) // NS
        ahead = np.where(seconds > at.mark_ahead, seconds, 0)
    marked = ahead > 0
    # Each row takes the tags 0…own-1 from one list; a marked row also takes the entry that stands for its number of seconds.
    distinct, which = np.unique(ahead, return_inverse=True)
    keys = _binary([*(key for key, _ in columns.tags), *[TIME_AHEAD_TAG] * len(distinct)])
    values = _binary([*(value for _, value in columns.tags), *(b"%d" % secs for secs in distinct.tolist())])
    entries = np.empty((count, own + 1), dtype=np.int32)
    entries[:, :own] = np.arange(own, dtype=np.int32)
    entries[:, own] = own + which
    taken = np.ones((count, own + 1), dtype=bool)
    taken[:, own] = marked
    indexes = _numbers(pa.int32(), entries[taken])
    offsets = np.zeros(count + 1, dtype=np.int32)
    np.cumsum(own + marked, out=offsets[1:])
    return pa.MapArray.from_arrays(_numbers(pa.int32(), offsets), keys.take(indexes), values.take(indexes))


# Arrays are made from buffers: `pa.array` loads pandas where it is installed, which takes a second and 60 MB.
def _ints(kind: Arrow, data: bytes) -> Arrow:
    return pa.Array.from_buffers(kind, len(data) // (kind.bit_width // 8), [None, pa.py_buffer(data)])


def _numbers(kind: Arrow, values: Numbers) -> Arrow:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _binary(values: Sequence[bytes]) -> Arrow:
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum(np.fromiter(map(len, values), dtype=np.int32, count=len(values)), out=offsets[1:])
    return pa.Array.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))])


def _same(value: int, kind: type[np.generic], count: int) -> Arrow:
    return _numbers(pa.from_numpy_dtype(kind), np.full(count, value, dtype=kind))


def _same_binary(value: bytes, count: int) -> Arrow:
    offsets = np.arange(count + 1, dtype=np.int32) * len(value)
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(value * count)])
