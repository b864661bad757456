"""The trail that reading leaves in a file: a hash of what stands before each mark, at 16 bytes and then each half as far again.

It proves a copy that was cut short: at least two thirds of it are verified.
"""

import bisect
import itertools
from typing import NamedTuple

from tailrace.batch import fingerprint
from tailrace.inputs.file.content import Content
from tailrace.pipeline.contract import Position

MARKS = tuple(itertools.accumulate(range(80), lambda mark, _: mark + mark // 2, initial=16))
"""Where they lie: the last one is beyond the size of any file."""
HASH_BYTES = 6
SPAN_BYTES = 1024
"""So much before a mark goes into its hash."""


class Trail(NamedTuple):
    """The hashes at the marks that reading has passed, one after the other."""

    begin: int = 0
    """Which mark the first hash belongs to: reading began before that one."""
    hashes: bytes = b""

    @property
    def next_mark(self) -> int:
        return MARKS[self.begin + len(self.hashes) // HASH_BYTES]

    def passing(self, tail: bytes, piece: bytes, offset: int) -> "Trail":
        """The trail behind `piece`, which was read at `offset`, after `tail`."""
        trail = self
        while (mark := trail.next_mark) <= offset + len(piece):
            end = mark - offset
            before = piece[max(0, end - SPAN_BYTES) : end]
            missing = min(SPAN_BYTES, mark) - len(before)
            before = tail[len(tail) - missing :] + before
            trail = Trail(trail.begin, trail.hashes + _hash(before))
        return trail

    def leads_into(self, content: Content, offset: int) -> bool:
        """Whether a file that ends before `offset` has what was read at the last mark that it reaches. False when there is none."""
        at = len(self.hashes) - HASH_BYTES
        while at >= 0:
            mark = MARKS[self.begin + at // HASH_BYTES]
            if mark <= offset and content.reaches(mark):
                size = min(SPAN_BYTES, mark)
                return _hash(content.read_at(size, mark - size)) == self.hashes[at : at + HASH_BYTES]
            at -= HASH_BYTES
        return False


def trail_from(offset: int) -> Trail:
    """Of reading that begins there."""
    return Trail(begin=bisect.bisect_right(MARKS, offset))


def trail_at(position: Position) -> Trail:
    match position.get("trail"):
        case [int(begin), str(hashes)]:
            return Trail(begin, bytes.fromhex(hashes))
        case _:  # too short for a mark, or pairs of mark and hash, as layout 1 had them
            return trail_from(int(position["offset"]))


def _hash(before: bytes) -> bytes:
    return fingerprint(before)[:HASH_BYTES]
