"""Cutting a block into events: lines, or records that begin at lines which match a pattern."""

from itertools import accumulate

from tailrace.batch.twin.pattern import Pattern
from tailrace.batch.twin.table import Origin, Table, one_column


def split_lines(block: bytes, origin: Origin) -> Table:
    lines, starts, lengths = _lines(block)
    return one_column(block, origin, _without_returns(block, lines), starts, lengths)


def split_records(block: bytes, start: Pattern, origin: Origin, *, discard_unmatched: bool) -> tuple[Table, int]:
    """The table, and how many lines before the first record were discarded."""
    lines, starts, lengths = _lines(block)
    values = _without_returns(block, lines)
    # A line whose `\n` is still to come may end in the `\r` before it.
    seen = [line.removesuffix(b"\r") for line in lines] if b"\r" in block else lines
    begins = [index for index, match in enumerate(map(start.compiled.match, seen)) if match is not None]
    first = begins[0] if begins else len(lines)
    single = 0 if discard_unmatched else first
    ends = [*begins[1:], len(lines)] if begins else []
    record_starts = [starts[begin] for begin in begins]
    record_ends = [starts[end - 1] + len(values[end - 1]) for end in ends]
    records = [block[begin:end] for begin, end in zip(record_starts, record_ends, strict=True)]
    record_lengths = [starts[end - 1] + lengths[end - 1] - begin for begin, end in zip(record_starts, ends, strict=True)]
    table = one_column(block, origin, values[:single] + records, starts[:single] + record_starts, lengths[:single] + record_lengths)
    return table, first - single


def record_end(block: bytes, start: Pattern | None) -> int:
    """See the contract. Backwards over the whole lines: one that still grows may yet turn out to begin no record."""
    newline = block.rfind(b"\n")
    if start is None:
        return newline + 1
    matches = start.compiled.match
    while newline >= 0:
        before = block.rfind(b"\n", 0, newline)
        if matches(block[before + 1 : newline].removesuffix(b"\r")):
            return before + 1
        newline = before
    return 0


def _lines(block: bytes) -> tuple[list[bytes], list[int], list[int]]:
    r"""The lines without `\n`, where they start, and how long they are with it."""
    lines = block.split(b"\n")
    lengths = [size + 1 for size in map(len, lines)]
    if lines[-1]:
        lengths[-1] -= 1
    else:
        del lines[-1], lengths[-1]
    starts = list(accumulate(lengths, initial=0))
    del starts[-1]
    return lines, starts, lengths


def _without_returns(block: bytes, lines: list[bytes]) -> list[bytes]:
    r"""A `\r` belongs to the end of a line only where a `\n` follows."""
    if b"\r\n" not in block:
        return lines
    values = [line.removesuffix(b"\r") for line in lines]
    if not block.endswith(b"\n"):
        values[-1] = lines[-1]
    return values
