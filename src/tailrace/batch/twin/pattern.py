"""User patterns on the `re` module: the tree of the dialect written down again as a bytes pattern.

Nothing of the user's spelling reaches `re`: sets, flags and names are resolved before, so that no reading of its own can differ.
"""

import re
from typing import Literal

from tailrace.batch.twin import byteset
from tailrace.batch.twin.byteset import ByteSet
from tailrace.batch.twin.syntax import parse
from tailrace.batch.twin.tree import (
    Atomic,
    Back,
    Concat,
    Edge,
    Either,
    End,
    Group,
    Look,
    Node,
    Repeat,
    Set,
    Start,
    is_negation,
    nullable,
    parts,
)

LOOK_MARK = {(False, False): b"(?=", (False, True): b"(?!", (True, False): b"(?<=", (True, True): b"(?<!"}
SHORT: dict[tuple[int, int | None], bytes] = {(0, None): b"*", (1, None): b"+", (0, 1): b"?"}


class Pattern:
    """See the contract. `compiled` is for the parts of this engine."""

    __slots__ = ("_engine", "_names", "_pattern", "compiled", "may_be_empty")

    def __init__(self, pattern: str, *, dotall: bool = True) -> None:
        parsed = parse(pattern, dotall=dotall)
        self._pattern = pattern
        self._names = parsed.names
        self._engine: Literal["negation", "backtracking"] = "negation" if is_negation(parsed.root) else "backtracking"
        self.compiled: re.Pattern[bytes] = re.compile(_written(parsed.root), re.DOTALL)
        self.may_be_empty = nullable(parsed.root)

    @property
    def pattern(self) -> str:
        return self._pattern

    @property
    def groups(self) -> int:
        return len(self._names)

    @property
    def group_names(self) -> list[str | None]:
        return list(self._names)

    @property
    def engine(self) -> Literal["scanner", "linear", "negation", "backtracking"]:
        return self._engine

    def full_match(self, data: bytes) -> list[bytes | None] | None:
        match = self.compiled.fullmatch(data)
        return None if match is None else list(match.groups())

    def prefix_match(self, data: bytes) -> bool:
        return self.compiled.match(data) is not None

    def search(self, data: bytes) -> tuple[int, int] | None:
        match = self.compiled.search(data)
        return None if match is None else match.span()


def _written(node: Node) -> bytes:
    mark = _group_mark(node)
    if mark or isinstance(node, Either):
        return mark + b"|".join(map(_written, parts(node))) + (b")" if mark else b"")
    match node:
        case Concat(nodes):
            return b"".join(_grouped(part) if isinstance(part, Either) else _written(part) for part in nodes)
        case Repeat(body, least, most, how):
            repeated = _grouped(body) + _written_bounds(least, most) + (b"?" if how == "lazy" else b"")
            # As an atomic group: `)*+` takes half a repetition with it in Python 3.11.2.
            return b"(?>%s)" % repeated if how == "possessive" else repeated
        case Set(members):
            return _written_set(members)
        case Back(group, folded):
            return b"(?%s:\\%d)" % (b"i" if folded else b"", group)
        case _:
            return _written_place(node)


def _group_mark(node: Node) -> bytes:
    match node:
        case Group():
            return b"("
        case Atomic():
            return b"(?>"
        case Look(behind, negated):
            return LOOK_MARK[behind, negated]
        case _:
            return b""


def _written_place(node: Node) -> bytes:
    match node:
        case Start():
            return rb"\A"
        case End():
            return rb"\Z"
        case Edge(negated):
            # `re` has `\B` fail in an empty value; a border is none where there is no word.
            return rb"(?!\b)" if negated else rb"\b"
        case _:
            return b""


def _grouped(node: Node) -> bytes:
    written = _written(node)
    return written if isinstance(node, Set | Group) else b"(?:" + written + b")"


def _written_bounds(least: int, most: int | None) -> bytes:
    if short := SHORT.get((least, most)):
        return short
    return b"{%d}" % least if least == most else b"{%d,%s}" % (least, b"" if most is None else b"%d" % most)


def _written_set(members: ByteSet) -> bytes:
    if members == byteset.ALL:
        return b"."
    if members == byteset.NONE:
        return rb"[^\x00-\xff]"
    runs, others = byteset.runs(members), byteset.runs(byteset.complement(members))
    if len(runs) == 1 and runs[0][0] == runs[0][1]:
        return re.escape(bytes([runs[0][0]]))
    negated = len(others) < len(runs)
    ranges = [rb"\x%02x" % low if low == high else rb"\x%02x-\x%02x" % (low, high) for low, high in (others if negated else runs)]
    return (b"[^" if negated else b"[") + b"".join(ranges) + b"]"
