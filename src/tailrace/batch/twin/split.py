"""Cutting a block into events: one per line. Records of several lines stand in `records`."""

from itertools import accumulate

from tailrace.batch.twin.table import Origin, Table, one_column


def split_lines(block: bytes, origin: Origin) -> Table:
    lines, starts, lengths = _lines(block)
    return one_column(block, origin, _without_returns(block, lines), starts, lengths)


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
