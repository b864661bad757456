"""Rows to LogGroup bytes (sls-api §2.1).

Rows of one shape are encoded together, column by column: what stands before a value depends only on its key and its size, so that it comes
from a table, and whole columns are put together by `map` and `join`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from tailrace.batch.twin.codec import compress
from tailrace.batch.twin.table import Keys, Table, Values
from tailrace.batch.twin.varint import varint

SECOND_NS = 1_000_000_000
MAX_SECONDS = 0xFFFF_FFFF
LOG, TOPIC, SOURCE, TAG = b"\x0a", b"\x1a", b"\x22", b"\x32"
TIME, CONTENT, TIME_NS = b"\x08", b"\x12", b"\x25"
KEY, VALUE = b"\x0a", b"\x12"
Pairs = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """See the contract."""

    body: bytes
    raw_size: int
    digest: str
    events: int


def seal(group: bytes, events: int, compression: str, digest: str) -> Encoded:
    """A log group, compressed and hashed."""
    body = compress(group, compression)
    match digest:
        case "sha256":
            text = hashlib.sha256(body).hexdigest()
        case "md5":
            text = hashlib.md5(body, usedforsecurity=False).hexdigest().upper()
        case "none":
            text = ""
        case _:
            raise ValueError(f"the digest `{digest}` is not known")
    return Encoded(body, len(group), text, events)


def log_group(table: Table, rows: slice, topic: bytes, source: bytes, tags: Pairs, *, time_ns_part: bool) -> bytes:
    """The uncompressed bytes."""
    logs = _logs(table.keys[rows], table.values[rows], _Times(time_ns_part=time_ns_part), table.times[rows])
    tail = [mark + varint(len(text)) + text for mark, text in ((TOPIC, topic), (SOURCE, source)) if text]
    tail += [_delimited(TAG, _delimited(KEY, key) + _delimited(VALUE, value)) for key, value in tags]
    return b"".join(chain(logs, tail))


def _logs(keys: list[Keys], values: list[Values], clock: "_Times", times: list[int]) -> Iterable[bytes]:
    """Every log with its head, in the order of the rows."""
    heads, tails = list(map(clock.head, times)), list(map(clock.tail, times))
    if not keys:
        return ()
    if keys.count(keys[0]) == len(keys):
        return _run(keys[0], values, heads, tails)
    logs: list[bytes] = [b""] * len(keys)
    rows_of: dict[Keys, list[int]] = {}
    for row, shape in enumerate(keys):
        rows_of.setdefault(shape, []).append(row)
    for shape, rows in rows_of.items():
        run = _run(shape, [values[row] for row in rows], [heads[row] for row in rows], [tails[row] for row in rows])
        for row, log in zip(rows, run, strict=True):
            logs[row] = log
    return logs


def _run(keys: Keys, values: list[Values], heads: list[bytes], tails: list[bytes]) -> Iterable[bytes]:
    """Rows of one shape."""
    parts: list[Iterable[bytes]] = [heads]
    for index, key in enumerate(keys):
        column = list(map(itemgetter(index), values))
        parts += [map(_Prefixes(key).__getitem__, map(len, column)), column]
    bodies = list(map(b"".join, zip(*parts, tails, strict=True)))
    return map(b"".join, zip(map(LOG_HEADS.__getitem__, map(len, bodies)), bodies, strict=True))


class _Prefixes(dict[int, bytes]):
    """By size of a value: all that stands before it in a Content."""

    def __init__(self, key: bytes) -> None:
        self._key = _delimited(KEY, key) + VALUE

    def __missing__(self, size: int) -> bytes:
        before = self._key + varint(size)
        self[size] = made = CONTENT + varint(len(before) + size) + before
        return made


class _LogHeads(dict[int, bytes]):
    """By size of a Log: its field mark and size."""

    def __missing__(self, size: int) -> bytes:
        made = LOG + varint(size)
        if size < 1 << 16:
            self[size] = made
        return made


LOG_HEADS = _LogHeads()


class _Times:
    """The first and the last field of a Log: seconds, and their nanoseconds if they are asked for."""

    def __init__(self, *, time_ns_part: bool) -> None:
        self._with_ns = time_ns_part
        self._heads: dict[int, bytes] = {}

    def head(self, time_ns: int) -> bytes:
        seconds = min(max(time_ns // SECOND_NS, 0), MAX_SECONDS)
        if seconds not in self._heads:
            self._heads[seconds] = TIME + varint(seconds)
        return self._heads[seconds]

    def tail(self, time_ns: int) -> bytes:
        if not self._with_ns:
            return b""
        return TIME_NS + (time_ns % SECOND_NS if time_ns >= 0 else 0).to_bytes(4, "little")


def _delimited(mark: bytes, text: bytes) -> bytes:
    return mark + varint(len(text)) + text
