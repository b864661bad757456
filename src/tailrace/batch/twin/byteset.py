"""Sets of bytes as 256-bit numbers: bit `b` is set when byte `b` is a member."""

import string
from collections.abc import Iterable
from typing import TypeAlias

ByteSet: TypeAlias = int

NONE: ByteSet = 0
ALL: ByteSet = (1 << 256) - 1


def of(members: Iterable[int]) -> ByteSet:
    found = 0
    for byte in members:
        found |= 1 << byte
    return found


def of_text(members: str) -> ByteSet:
    return of(members.encode("ascii"))


def span(low: int, high: int) -> ByteSet:
    """Every byte from `low` to `high`, both included."""
    return (1 << (high + 1)) - (1 << low)


def complement(members: ByteSet) -> ByteSet:
    return ALL ^ members


UPPER = of_text(string.ascii_uppercase)
LOWER = of_text(string.ascii_lowercase)
DIGIT = of_text(string.digits)
ALPHA = UPPER | LOWER
WORD = ALPHA | DIGIT | of_text("_")
SPACE = of_text(" \t\n\r\f\v")
GRAPH = span(0x21, 0x7E)

PERL = {"d": DIGIT, "w": WORD, "s": SPACE, "D": complement(DIGIT), "W": complement(WORD), "S": complement(SPACE)}
POSIX = {
    "alnum": ALPHA | DIGIT,
    "alpha": ALPHA,
    "ascii": span(0, 0x7F),
    "blank": of_text(" \t"),
    "cntrl": span(0, 0x1F) | of([0x7F]),
    "digit": DIGIT,
    "graph": GRAPH,
    "lower": LOWER,
    "print": GRAPH | of_text(" "),
    "punct": GRAPH & complement(ALPHA | DIGIT),
    "space": SPACE,
    "upper": UPPER,
    "word": WORD,
    "xdigit": of_text(string.hexdigits),
}


def folded(members: ByteSet) -> ByteSet:
    """With the other case of every ASCII letter added: the cases are 32 apart."""
    return members | (members & UPPER) << 32 | (members & LOWER) >> 32


def runs(members: ByteSet) -> list[tuple[int, int]]:
    """The set as ranges (first, last), in order."""
    found: list[tuple[int, int]] = []
    for byte in range(256):
        if not members >> byte & 1:
            continue
        if found and found[-1][1] == byte - 1:
            found[-1] = (found[-1][0], byte)
        else:
            found.append((byte, byte))
    return found
