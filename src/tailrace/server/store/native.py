"""The engine's `Native` format: a block of rows, column after column, each as the engine holds it in memory.

    block    columns varint · rows varint · column…
    column   name string · type string · data                      (a string is its length as a varint, then its bytes)

A varint is base 128, lowest digits first; integers are little-endian. Data of the types used here:

    numbers, times                      the values
    String                              a string per row
    LowCardinality(String)              version u64 = 1 · index
    Map(LowCardinality(String), String) version u64 = 1 · ends u64 per row · index of the keys · a string per entry

An index, of which there is none for no entries, is `flags u64 · distinct u64 · a string each · entries u64 · place per entry`; the flags'
low byte says how wide a place is (0, 1, 2: u8, u16, u32), the others that the dictionary is this index's own.
"""

import struct
from collections.abc import Iterable, Sequence

from tailrace.batch.twin.varint import varint

_OWN_DICTIONARY = 0x600
_VERSION = struct.pack("<Q", 1)


def head(columns: int, rows: int) -> bytes:
    return varint(columns) + varint(rows)


def column(name: str, kind: str) -> bytes:
    """What stands before a column's data."""
    return string(name.encode()) + string(kind.encode())


def string(value: bytes) -> bytes:
    return varint(len(value)) + value


def strings(values: Iterable[bytes]) -> bytes:
    return b"".join(map(string, values))


def same_text(value: bytes, rows: int) -> list[bytes]:
    """A LowCardinality(String) that is the same in each row."""
    return [_VERSION, *_index([value], bytes(rows))]


def map_of(ends: bytes, keys: Sequence[bytes], places: bytes, values: bytes) -> list[bytes]:
    """A Map of `ends` (u64 per row), the distinct keys, the place of each entry's key (as `place_type` says), and a string per entry."""
    return [_VERSION, ends, *_index(keys, places), values]


def place_type(keys: int) -> str:
    """numpy's name for a place among so many keys; `StoreColumns.key_index` follows the same rule."""
    return "<u1" if keys <= 1 << 8 else "<u2" if keys <= 1 << 16 else "<u4"


def _index(distinct: Sequence[bytes], places: bytes) -> list[bytes]:
    if not places:
        return []
    width = int(place_type(len(distinct))[-1])
    flags = _OWN_DICTIONARY | width >> 1
    return [struct.pack("<QQ", flags, len(distinct)), strings(distinct), struct.pack("<Q", len(places) // width), places]
