"""Records that are one JSON object each, over any number of lines: from a `{` that nothing but blanks precedes on its line, or that
follows an object, to the brace that closes it. Only strings and nesting are looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tailrace.batch.twin.record_parts import BETWEEN, OBJECT, OUTSIDE, Part

BLANKS = re.compile(rb"[ \t\r\n]*")
STRUCTURE = re.compile(rb'["{}\[\]]')
STRING_END = re.compile(rb'["\\]')


@dataclass(slots=True)
class Inside:
    """Where within an object a stretch of bytes ends."""

    depth: int = 1
    in_string: bool = False
    escaped: bool = False

    @staticmethod
    def of(state: int) -> "Inside":
        bits = state - OBJECT
        return Inside((bits >> 2) + 1, bool(bits & 2), bool(bits & 1))

    @property
    def state(self) -> int:
        return OBJECT + ((self.depth - 1) << 2 | self.in_string << 1 | self.escaped)

    def close(self, block: bytes, at: int) -> int | None:
        """Goes on at `at`; the place behind the object, or None when the block ends within it."""
        if self.escaped and at < len(block):
            self.escaped = False
            at += 1
        while found := (STRING_END if self.in_string else STRUCTURE).search(block, at):
            at, byte = found.end(), found[0]
            if byte == b"\\":
                if at == len(block):
                    self.escaped = True
                at += 1
            elif byte == b'"':
                self.in_string = not self.in_string
            elif byte in b"{[":
                self.depth += 1
            elif self.depth == 1:
                return at
            else:
                self.depth -= 1
        return None


class Objects:
    def walk(self, block: bytes) -> Iterator[tuple[Part, Inside | None]]:
        """The parts of a block that begins between records; with the last, when it is an unfinished object, where in it the block ends."""
        whole = at = 0
        while (at := _behind(BLANKS, block, at)) < len(block):
            whole = max(whole, block.rfind(b"\n", whole, at) + 1)
            newline = block.find(b"\n", at)
            if block[at : at + 1] == b"{":
                inside = Inside()
                end = inside.close(block, at + 1)
                if end is None:
                    yield Part(at, len(block) - block.endswith(b"\n"), len(block)), inside
                    return
                yield Part(at, end, end), None
                at = whole = end
            elif newline < 0:
                yield Part(whole, len(block), len(block), is_record=False), None
                return
            else:
                yield Part(whole, newline, newline + 1, is_record=False), None
                at = whole = newline + 1

    def parts(self, block: bytes) -> Iterator[Part]:
        return (part for part, _ in self.walk(block))

    def end(self, block: bytes) -> int:
        whole = 0
        for part, inside in self.walk(block):
            if inside is not None or (part.end == part.next and not part.is_record):
                return max(whole, block.rfind(b"\n", whole, part.begin) + 1)
            whole = part.next
        return max(whole, block.rfind(b"\n", whole) + 1)

    def rest(self, block: bytes, state: int, begun: bytes, *, last: bool) -> int | None:  # noqa: ARG002 - the rules' one form
        if state < OBJECT:
            return block.find(b"\n") + 1 or None
        return Inside.of(state).close(block, 0)

    def state(self, block: bytes, state: int, begun: bytes) -> int:  # noqa: ARG002 - the rules' one form
        begin = 0
        if state >= OBJECT:
            inside = Inside.of(state)
            end = inside.close(block, 0)
            if end is None:
                return inside.state
            begin = end
        elif state != BETWEEN:
            begin = block.find(b"\n") + 1
            if not begin:
                return OUTSIDE
        rest = block[begin:]
        for part, inside in self.walk(rest):
            if inside is not None:
                return inside.state
            if part.end == part.next and not part.is_record:
                return OUTSIDE
        return BETWEEN


def _behind(pattern: re.Pattern[bytes], block: bytes, at: int) -> int:
    match = pattern.match(block, at)
    return match.end() if match else at
