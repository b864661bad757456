"""Positions of files that earlier layouts have written: each goes on where it stood, and none is taken for what it does not say."""

import pytest

from tailrace.pipeline.contract import StreamState
from tests.property.file_model import World

LINES = [b"line %06d of incarnation 0\n" % number for number in range(36)]
HEADS = {29: "82f7b1258c3c038bb40763497b92f2e4", 174: "cbad1d1d9e84c3e9341a67649ff6bdc3", 1044: "ff5ffb7e4634cd2678dbb452008698f7"}
TAILS = {**HEADS, 1044: "312a4552dbe0a49d28e72fd968c3ec8a"}
TRAILS = {
    29: [],
    174: [
        [64, "e53b6e6e8e283cb2d1b06ebe93871bdf"],
        [96, "01fd6aa1ef2fc1bc9961b7d624566aa4"],
        [144, "0f5722cf69f18dbead2539355f90ec99"],
    ],
    1044: [
        [216, "0952bf9e038e34c623dff0109c49562b"],
        [324, "2c8961c62f6754aab3a27425a0e2666e"],
        [486, "0c8ca8e6262e2acb4d56cefb1540e1dd"],
        [729, "c07f50eb75a745f3f75bfad5787103ab"],
    ],
}
"""As layout 1 had them: the last four marks, each with its hash; two of them look like what layout 2 has."""


def as_layout_1(path, offset, trail):
    """What an agent wrote that had read `offset` bytes of LINES."""
    size = min(1024, offset)
    position = {"v": 1, "offset": offset, "path": str(path), "head": [size, HEADS[offset]], "tail": [size, TAILS[offset]]}
    seen = path.stat()
    times = {"opened": seen.st_mtime_ns, "read_to_end_at": seen.st_mtime_ns, "seen": [offset, seen.st_mtime_ns]}
    return position | times | ({"trail": trail} if trail else {})


@pytest.fixture(params=[(offset, many) for offset in TRAILS for many in range(len(TRAILS[offset]) + 1)], ids=str)
def upgraded(request, tmp_path):
    """A model whose checkpoint holds such a position, with the last `many` marks, of the file that stands there."""
    offset, many = request.param
    world = World(tmp_path, "x.log*")
    world.stop()
    world.live.write_bytes(b"".join(LINES)[:offset])
    status = world.live.stat()
    key = f"{status.st_dev:x}:{status.st_ino:x}:{world.lane.platform.born_at(str(world.live)):x}"
    position = as_layout_1(world.live, offset, TRAILS[offset][:many])
    world.lane.known[key] = StreamState(key, key, position, position, 0)
    yield world, offset
    world.stop()


def test_the_file_goes_on_where_it_stood(upgraded):
    world, _ = upgraded
    with world.live.open("ab") as file:
        file.write(b"written after the upgrade\n")
    world.settle()
    assert world.contents == [b"written after the upgrade"]
    assert [state.next["v"] for state in world.lane.known.values() if "head" in state.next] == [2]


def test_it_goes_on_in_its_copy(upgraded):
    world, _ = upgraded
    (world.directory / "x.log.1").write_bytes(world.live.read_bytes() + b"the last one\n")
    world.live.write_bytes(b"the next file\n")
    world.settle()
    assert world.contents == [b"the last one", b"the next file"]


def test_another_file_that_begins_alike_is_read(upgraded):
    world, offset = upgraded
    other = b"".join(LINES)[: offset // 2] + b" and another end\n"
    (world.directory / "x.log.1").write_bytes(other)
    world.live.write_bytes(b"the next file\n")
    world.settle()
    assert sorted(world.contents) == sorted([*other.splitlines(), b"the next file"])
