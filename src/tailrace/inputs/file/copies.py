"""Whether a file is a copy of another one, or of its beginning: what is in them decides, all of it where both are there.

Of what is gone only signatures are left: a hash of the head, and one of the last bytes that were read.
"""

from collections.abc import Iterable

from tailrace.batch import fingerprint
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.generation import SIGNATURE_SIZE, Generation, fits, trail_of
from tailrace.inputs.file.packing import STEP_BYTES
from tailrace.pipeline.contract import Position


def is_copy_of(content: Content, generation: Generation | None, position: Position) -> bool:
    """Whether all that a file holds is, or was, in a known one, which was read up to `position`."""
    if generation is not None and generation.content is not None:
        if lies_in(content, generation.content):
            return True
        if generation.unchanged():
            return False  # whatever it begins with: what it is compared with is all there
    if not int(position["offset"]):
        return False  # nothing was read: if it is a copy, what is in it is new all the same
    trail = generation.trail if generation is not None and generation.trail else trail_of(position)
    return _is_cut(content, trail, int(position["offset"])) or holds(content, position)


def holds(content: Content, position: Position) -> bool:
    """Whether a file holds what was seen up to `position`, if that is anything."""
    try:
        return bool(position["head"][0]) and fits(content, position)
    except OSError:
        return False  # a damaged compressed file


def lies_in(copy: Content, other: Content) -> bool:
    """Whether an open file begins with all that a copy holds, also where it was written anew since it was read."""
    if not _agree(copy, other):
        return False
    size = other.status().st_size
    return other.is_unpacked or (copy.reaches(1) and not copy.read_at(1, size))


def is_front_of(copy: Content, live: Content) -> bool:
    """Whether a file holds what the live one, of which it may be a copy in the making, begins with, and nothing else."""
    size = copy.status().st_size
    if size > live.status().st_size:
        return False
    head = copy.read_at(SIGNATURE_SIZE, 0)
    begin = max(0, size - SIGNATURE_SIZE)
    return live.read_at(len(head), 0) == head and live.read_at(size - begin, begin) == copy.read_at(SIGNATURE_SIZE, begin)


def proof_of_end(content: Content, size: int) -> Position:
    """What another file must hold, and end with, to be a copy of this one."""
    head, tail = content.read_at(SIGNATURE_SIZE, 0), content.read_at(min(SIGNATURE_SIZE, size), max(0, size - SIGNATURE_SIZE))
    return {"offset": size, "head": [len(head), fingerprint(head).hex()], "tail": [len(tail), fingerprint(tail).hex()]}


def _agree(one: Content, other: Content) -> bool:
    """Whether the shorter of two files is what the longer one begins with."""
    offset = 0
    try:
        while (first := one.read_at(STEP_BYTES, offset)) and (second := other.read_at(STEP_BYTES, offset)):
            size = min(len(first), len(second))
            if first[:size] != second[:size]:
                return False
            offset += size
    except OSError:
        return False
    return True


def _is_cut(content: Content, trail: Iterable[tuple[int, bytes]], offset: int) -> bool:
    """Whether a file holds the beginning of what was read, but ends before the offset: it was copied before the last lines were written."""
    try:
        if content.reaches(offset):
            return False
        for mark, expected in reversed([*trail]):
            if content.reaches(mark):
                size = min(SIGNATURE_SIZE, mark)
                return fingerprint(content.read_at(size, mark - size)) == expected
    except OSError:
        pass
    return False
