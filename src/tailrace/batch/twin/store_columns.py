"""Rows as columns in the storage engine's own layout (ClickHouse's `Native`)."""

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from tailrace.batch.twin.table import Table
from tailrace.batch.twin.varint import varint


@dataclass(frozen=True, slots=True)
class StoreColumns:
    """See the contract."""

    times: bytes
    ends: bytes
    key_index: bytes
    keys: list[bytes]
    values: bytes
    fields: list[bytes]


def store_columns(table: Table, rows: slice, fields: Sequence[bytes]) -> StoreColumns:
    shapes, values = table.keys[rows], table.values[rows]
    places = distinct_keys(shapes)
    return StoreColumns(
        times=_packed("q", table.times[rows]),
        ends=_packed("Q", accumulate(map(len, shapes))),
        key_index=_packed(_index_code(len(places)), (places[key] for shape in shapes for key in shape)),
        keys=list(places),
        values=_strings(chain.from_iterable(values)),
        fields=[
            _strings(row[shape.index(name)] if name in shape else b"" for shape, row in zip(shapes, values, strict=True)) for name in fields
        ],
    )


def distinct_keys(shapes: Iterable[tuple[bytes, ...]]) -> dict[bytes, int]:
    """Every key and its place, in order of first appearance."""
    found: dict[bytes, int] = {}
    for shape in dict.fromkeys(shapes):
        for key in shape:
            found.setdefault(key, len(found))
    return found


def _index_code(keys: int) -> str:
    return "B" if keys <= 1 << 8 else "H" if keys <= 1 << 16 else "I"


def _strings(values: Iterable[bytes]) -> bytes:
    return b"".join(varint(len(value)) + value for value in values)


def _packed(code: str, numbers: Iterable[int]) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
