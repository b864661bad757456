"""Rows that become several, or none."""

from collections.abc import Sequence
from itertools import chain, repeat
from typing import TypeVar

from tailrace.batch.twin.table import Table

T = TypeVar("T")


def repeat_rows(table: Table, counts: Sequence[int], starts: Sequence[int] | None) -> None:
    """Every row as often as `counts` says. `starts` divides the raw bytes of a row among its copies."""
    if starts is not None and len(starts) != sum(counts):
        raise ValueError(f"{sum(counts)} events are made, but not as many starts are given")
    raw = list(_shares(table, counts, starts))
    table.offsets, table.lengths = [offset for offset, _ in raw], [length for _, length in raw]
    table.keys, table.values, table.times = _each(table.keys, counts), _each(table.values, counts), _each(table.times, counts)
    before = table.spans
    table.spans = lambda: _each(before(), counts)


def _each(column: Sequence[T], counts: Sequence[int]) -> list[T]:
    return list(chain.from_iterable(map(repeat, column, counts)))


def _shares(table: Table, counts: Sequence[int], starts: Sequence[int] | None) -> "chain[tuple[int, int]]":
    """(raw offset, raw length) of the new rows."""
    shares: list[list[tuple[int, int]]] = []
    first = 0
    for count, offset, length in zip(counts, table.offsets, table.lengths, strict=True):
        if starts is None:
            shares.append([(offset, length)] * count)
            continue
        begins = [0] if count else []
        for start in starts[first + 1 : first + count]:
            begins.append(max(begins[-1], min(start, length)))
        ends = [*begins[1:], length]
        shares.append([(offset + begin, end - begin) for begin, end in zip(begins, ends[: len(begins)], strict=True)])
        first += count
    return chain.from_iterable(shares)
