"""Rows as one map column in Arrow's layout."""

import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, chain

from tailrace.batch.twin.table import Table


@dataclass(frozen=True, slots=True)
class MapColumns:
    """See the contract."""

    times: bytes
    offsets: bytes
    key_index: bytes
    keys: list[bytes]
    value_offsets: bytes
    value_data: bytes


def map_columns(table: Table, rows: slice) -> MapColumns:
    shapes, values = table.keys[rows], list(chain.from_iterable(table.values[rows]))
    places = distinct_keys(shapes)
    return MapColumns(
        times=_packed("q", table.times[rows]),
        offsets=_packed("i", accumulate(map(len, shapes), initial=0)),
        key_index=_packed("i", (places[key] for shape in shapes for key in shape)),
        keys=list(places),
        value_offsets=_packed("i", accumulate(map(len, values), initial=0)),
        value_data=b"".join(values),
    )


def distinct_keys(shapes: Iterable[tuple[bytes, ...]]) -> dict[bytes, int]:
    """Every key and its place, in order of first appearance."""
    found: dict[bytes, int] = {}
    for shape in dict.fromkeys(shapes):
        for key in shape:
            found.setdefault(key, len(found))
    return found


def _packed(code: str, numbers: Iterable[int]) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
