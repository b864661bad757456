"""Log groups as blocks of rows that the engine takes as they are: native code, in a thread, without a Python object per row.

Values of indexed fields go beside the map: what is at hand while a group is laid out would cost the engine a look-up per row and field
(docs/adr/0005).
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tailrace.batch import EventBatch, StoreColumns
from tailrace.server.store import native, schema
from tailrace.server.store.port import Compression, FieldIndex

Numbers: TypeAlias = "np.ndarray[Any, Any]"

NS = 1_000_000_000
TIME_AHEAD_TAG = b"__time_ahead__"
"""Marks an event whose time lies too far in the future; its value is how many seconds."""


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


def decode(body: bytes, compression: Compression, raw_size: int) -> EventBatch:
    """Raises DecodeError for a body that is malformed or beyond a bound."""
    return EventBatch.decode(body, compression=compression, raw_size=raw_size)


def write_block(path: Path, groups: Iterable[tuple[Placement, EventBatch]], fields: Sequence[FieldIndex] = ()) -> None:
    """Rows of several log groups, which are not empty, in the format `Native`; `fields` get their columns as text.

    What the file holds is written over, not thrown away first: its memory is still there then (`block_file`).
    """
    # While an index is being changed the same key may go to two columns.
    names = list(dict.fromkeys(index.key.encode() for index in fields))
    places = [names.index(index.key.encode()) for index in fields]
    heads = [native.column(name, kind) for name, kind in schema.block_columns(index.column for index in fields)]
    with open(path, "wb", opener=_open_as_it_is) as file:
        for at, group in groups:
            columns = group.store_columns(fields=names)
            data = [*_columns(at, group, columns), *([columns.fields[place]] for place in places)]
            file.write(native.head(len(heads), len(group)))
            for head, parts in zip(heads, data, strict=True):
                file.writelines([head, *parts])
        file.truncate()


def _open_as_it_is(path: str, _: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)


def _columns(at: Placement, group: EventBatch, columns: StoreColumns) -> list[list[bytes]]:
    """The data of the base columns, in the order of the schema."""
    count = len(group)
    return [
        [columns.times],
        _same(at.recv_ms, "<i8", count),
        _same(at.shard, "<u2", count),
        [np.arange(at.seq, at.seq + count, dtype="<u8").tobytes()],
        _same(at.group_cursor, "<u8", count),
        _same(count, "<u4", count),
        native.same_text(at.agent.encode(), count),
        native.same_text(at.epoch.hex().encode(), count),
        _same(at.stream, "<u8", count),
        _same(at.pack_seq, "<u8", count),
        _same(at.pack_part, "<u2", count),
        [np.arange(count, dtype="<u4").tobytes()],
        native.same_text(group.source, count),
        native.same_text(group.topic, count),
        _tags(at, group, columns.times),
        native.map_of(columns.ends, columns.keys, columns.key_index, columns.values),
    ]


def _same(value: int, kind: str, count: int) -> list[bytes]:
    return [np.full(count, value, dtype=kind).tobytes()]


def _tags(at: Placement, group: EventBatch, times: bytes) -> list[bytes]:
    """The group's tags on each row, and on those from the future one more."""
    count, own = len(group), group.tags
    keys = [*(key for key, _ in own), TIME_AHEAD_TAG]
    kind = native.place_type(len(keys))
    places, mark = np.arange(len(own), dtype=kind).tobytes(), np.array([len(own)], dtype=kind).tobytes()
    values = native.strings(value for _, value in own)
    ahead = _seconds_ahead(at, times)
    ends = (np.arange(1, count + 1, dtype="<u8") * len(own) + np.cumsum(ahead > 0, dtype="<u8")).tobytes()
    if not ahead.any():
        return native.map_of(ends, keys, places * count, values * count)
    seconds = ahead.tolist()
    return native.map_of(
        ends,
        keys,
        b"".join(places + mark if secs else places for secs in seconds),
        b"".join(values + native.string(b"%d" % secs) if secs else values for secs in seconds),
    )


def _seconds_ahead(at: Placement, times: bytes) -> Numbers:
    """Per row the seconds by which it lies in the future, 0 where that is not too far."""
    times_ns = np.frombuffer(times, dtype="<i8")
    if at.mark_ahead is None:
        return np.zeros(len(times_ns), dtype=np.int64)
    seconds = (times_ns - at.recv_ms * 1_000_000) // NS
    return np.where(seconds > at.mark_ahead, seconds, 0)
