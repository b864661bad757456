"""What rules of records share: the parts of a block, and what has to be known to go on behind one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

BETWEEN, OPEN, OUTSIDE, MID_LINE, OBJECT = range(5)
"""States: a record may begin here; within a record, at the beginning of a line; within a line that belongs to no record; within a record
and one of its lines; from here on within a JSON object."""


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes `[begin, next)`, whose value ends at `end`."""

    begin: int
    end: int
    next: int
    is_record: bool = True

    def unmatched(self) -> "Part":
        return replace(self, is_record=False)


def lines_of(block: bytes, position: int = 0) -> Iterator[Part]:
    while position < len(block):
        newline = block.find(b"\n", position)
        end, following = (newline, newline + 1) if newline >= 0 else (len(block), len(block))
        yield Part(position, end, following)
        position = following


def without_return(block: bytes, part: Part) -> bytes:
    r"""A `\r` belongs to the end of a line only where a `\n` follows."""
    value = block[part.begin : part.end]
    return value.removesuffix(b"\r") if part.next > part.end else value
