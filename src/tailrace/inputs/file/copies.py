"""Whether a file is a copy of another one, or of its beginning: what is in them decides, all of it where both are there.

Of what is gone only signatures are left: a hash of the head, and one of the last bytes that were read.
"""

import os

from tailrace.batch import fingerprint
from tailrace.inputs.file.content import Content, is_compressed
from tailrace.inputs.file.generation import SIGNATURE_SIZE, Generation, fits, has_head
from tailrace.inputs.file.packing import HEAD_BYTES, STEP_BYTES
from tailrace.inputs.file.trail import trail_at
from tailrace.pipeline.contract import Position

WHOLE_BYTES, PARTS = 16 * 1_048_576, 128
"""So much of the beginning of two files is compared byte by byte, and so many parts of the rest: programs write new lines, so that two logs
which differ at all differ from there on."""


def is_copy_of(content: Content, generation: Generation | None, position: Position) -> bool:
    """Whether all that a file holds is, or was, in a known one, which was read up to `position`."""
    if generation is not None and generation.content is not None:
        if lies_in(content, generation.content):
            return True
        if generation.unchanged():
            return False  # whatever it begins with: what it is compared with is all there
    if not int(position["offset"]):
        return False  # nothing was read: if it is a copy, what is in it is new all the same
    return _is_cut(content, position) or holds(content, position)


def holds(content: Content, position: Position) -> bool:
    """Whether a file holds what was read up to `position`, if that is anything, and what was seen then, or as much of it as there was
    when it was made."""
    try:
        found = bool(position["head"][0]) and fits(content, position)
        return found and (content.reaches(seen(position)) or _was_made_before(content, position))
    except OSError:
        return False  # a damaged compressed file


def holds_read(content: Content, position: Position) -> bool:
    """Whether a file that is a copy of a known one holds what was read of that up to `position`, however much more had been seen then."""
    try:
        return bool(position["head"][0]) and fits(content, position)
    except OSError:
        return False


def may_be(content: Content, position: Position) -> bool:
    """Whether a file with the inode and birth time of a known one may be that: another one can have both within a tick of the clock."""
    if "head" not in position:
        return True
    return holds(content, position) if content.is_unpacked else fits(content, position)


def seen(position: Position) -> int:
    """How large a file was when it was looked at last."""
    return int(position.get("seen", (position["offset"], 0))[0])


def _was_made_before(content: Content, position: Position) -> bool:
    """Whether a file was written last when the one that was read up to `position` still held all that was seen of it: a copy that is
    shorter than that was. Compressing keeps the time."""
    return content.status().st_mtime_ns <= int(position.get("seen", (0, 0))[1])


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


def proof_of_copy(content: Content, size: int) -> Position:
    """What shows that a file of `size` bytes is still the copy that it was; where it is not compressed, what another file must hold, and
    end with, to be a copy of it."""
    if content.is_unpacked:
        return {"packed": [size, _packed_head(content)]}
    head, tail = content.read_at(SIGNATURE_SIZE, 0), content.read_at(min(SIGNATURE_SIZE, size), max(0, size - SIGNATURE_SIZE))
    return {"offset": size, "head": [len(head), fingerprint(head).hex()], "tail": [len(tail), fingerprint(tail).hex()]}


def is_still(content: Content, note: Position) -> bool:
    """Whether a file is the copy that was noted: another one may have got its inode, and be born, within the same tick of the clock."""
    if "head" in note:
        return holds(content, note)
    if "packed" not in note:  # as releases before 0.1.0 noted compressed copies
        return is_compressed(os.pread(content.descriptor, HEAD_BYTES, 0))
    return [content.status().st_size, _packed_head(content)] == list(note["packed"])


def _packed_head(content: Content) -> str:
    return fingerprint(os.pread(content.descriptor, SIGNATURE_SIZE, 0)).hex()


def _agree(one: Content, other: Content) -> bool:
    """Whether the shorter of two files is what the longer one begins with. Of large files, where both can be read at any place, parts are
    compared: this is done between looks, which must not wait for long."""
    try:
        offset = 0
        while (first := one.read_at(STEP_BYTES, offset)) and (second := other.read_at(STEP_BYTES, offset)):
            size = min(len(first), len(second))
            if first[:size] != second[:size]:
                return False
            offset += size
            if offset >= WHOLE_BYTES and not (one.is_unpacked or other.is_unpacked):
                return _agree_in_parts(one, other, offset)
    except OSError:
        return False
    return True


def _agree_in_parts(one: Content, other: Content, begin: int) -> bool:
    """Whether two files have the same in parts that lie evenly from a place on, the last one at the end of the shorter file."""
    last = min(one.status().st_size, other.status().st_size) - STEP_BYTES
    places = [begin + (last - begin) * number // PARTS for number in range(1, PARTS + 1)] if last > begin else [begin]
    for place in places:
        first, second = one.read_at(STEP_BYTES, place), other.read_at(STEP_BYTES, place)
        size = min(len(first), len(second))
        if first[:size] != second[:size]:
            return False
    return True


def _is_cut(content: Content, position: Position) -> bool:
    """Whether a file holds the beginning of what was read, but ends before the offset: it was copied before the last lines were written.

    The trail proves at least the half of it, and its time the rest.
    """
    offset, head = int(position["offset"]), position["head"]
    try:
        if content.reaches(offset) or not _was_made_before(content, position):
            return False
        return trail_at(position).leads_into(content, offset) and (not content.reaches(int(head[0])) or has_head(content, position))
    except OSError:
        return False
