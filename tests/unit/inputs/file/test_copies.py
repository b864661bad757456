"""Whether one file is a copy of another is found out in bounded time, however large they are."""

import os

import pytest

from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import PARTS, WHOLE_BYTES, lies_in
from tailrace.inputs.file.packing import STEP_BYTES
from tests.unit.inputs.file.following import RememberingLane

GIB = 1 << 30
BEGIN, END = b"the first line\n", b"the last line\n"


class Counted(Content):
    """Counts what is read of it."""

    __slots__ = ("bytes_read",)

    def __init__(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        super().__init__(descriptor, RememberingLane().platform.identity(descriptor))
        self.bytes_read = 0

    def read_at(self, size, offset):
        piece = super().read_at(size, offset)
        self.bytes_read += len(piece)
        return piece


@pytest.fixture
def large(tmp_path):
    """Makes files of some GiB that take no room, with other bytes where that is wanted."""
    made = []

    def make(size, **others):
        path = tmp_path / f"{len(made)}.log"
        with path.open("wb") as file:
            file.truncate(size)
            for place, data in [(0, BEGIN), (GIB - len(END), END), *((int(place[1:]), data) for place, data in others.items())]:
                file.seek(place)
                file.write(data)
        made.append(Counted(path))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_of_large_files_little_is_read(large):
    copy, original = large(GIB), large(2 * GIB)
    assert lies_in(copy, original)
    assert copy.bytes_read + original.bytes_read <= 2 * (WHOLE_BYTES + (PARTS + 2) * STEP_BYTES)


@pytest.mark.parametrize("place", [0, WHOLE_BYTES - 1, GIB - 1])
def test_a_byte_at_the_begin_or_at_the_end_makes_them_two(large, place):
    assert not lies_in(large(GIB, **{f"_{place}": b"?"}), large(2 * GIB))


def test_lines_from_some_place_on_make_them_two(large):
    other = {f"_{place}": b"another line\n" * 20_000 for place in range(GIB // 2, GIB, 4 * STEP_BYTES)}
    assert not lies_in(large(GIB, **other), large(2 * GIB))


def test_what_is_longer_than_the_other_one_does_not_lie_in_it(large):
    assert not lies_in(large(2 * GIB), large(GIB))
