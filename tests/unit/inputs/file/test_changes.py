"""The matrix of what can happen to a file between two looks, and the ways in which a file goes on elsewhere."""

import gzip
import itertools
import os
import shutil

import pytest
from backports import zstd

from tests.property.file_model import HEADER, World

PATTERNS = ("x.log", "x.log*")


@pytest.fixture(params=PATTERNS)
def world(request, tmp_path):
    world = World(tmp_path, request.param)
    yield world
    world.stop()


def numbered(world):
    return [line for line in world.contents if not line.startswith(b"#")]


MATRIX = list(itertools.product(("create", "modify"), ("empty", "not empty"), ("change", "close"), ("same head", "other head")))


@pytest.mark.parametrize("way", ["rename", "copytruncate", "truncate after it was read", "delete after it was read"])
@pytest.mark.parametrize(("event", "content", "then", "head"), MATRIX)
def test_the_matrix_of_what_can_happen_between_two_looks(world, event, content, then, head, way):
    """{create, modify} by {empty, not} by {change, close} by {same, other head}: a file appears or changes; it is empty or is not; its
    program goes on writing or has closed it, so that we close it, too; what takes its place begins alike or not. Every line comes once."""
    if event == "modify":
        world.write(3, header=True)
        world.look()
        world.read(10)
    if content == "not empty":
        world.write(3, header=True)
    elif event == "create":
        world.write(0)
    world.look()
    if then == "close":
        world.read(10)
        for generation in world.agent.files.open_generations:
            generation.close()
    else:
        world.write(2)
    take_away(world, way)
    world.write(4, header=head == "same head")
    world.look()
    world.read(10)
    world.write(2)
    world.settle()
    world.verify()
    assert len(numbered(world)) == sum(len(one.lines) - one.headed * len(HEADER.splitlines()) for one in world.all)
    assert world.lane.counts.get("unread_bytes_deleted", 0) == 0


def take_away(world, way):
    if way.endswith("after it was read"):
        world.look()
        world.read(10)
    actions = {"rename": lambda: world.rename(create=False), "copytruncate": world.copytruncate}
    actions.get(way, world.truncate if way.startswith("truncate") else world.delete_live)()


@pytest.mark.parametrize("size", ["shorter", "same", "longer"])
@pytest.mark.parametrize("same_head", [True, False])
def test_truncated_and_filled_again_to_any_size(world, size, same_head):
    world.write(5, header=same_head)
    world.look()
    world.read(10)
    world.truncate()
    world.write({"shorter": 1, "same": 5, "longer": 40}[size], header=same_head)
    world.settle()
    world.verify()
    assert len(numbered(world)) == 5 + {"shorter": 1, "same": 5, "longer": 40}[size]


@pytest.mark.parametrize("down", [True, False])
def test_what_was_not_read_before_a_truncation_is_read_from_the_copy(world, down):
    world.write(4)
    world.look()
    world.read(10)
    if down:
        world.stop()
    world.write(4)
    world.copytruncate()
    world.write(4)
    world.settle()
    world.verify()
    assert len(numbered(world)) == 12


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_a_file_that_was_compressed_while_the_agent_was_down_goes_on_inside(world, pack):
    world.write(4, header=True)
    world.look()
    world.read(10)
    world.stop()
    world.write(400)
    world.rename(create=True)
    rotated = world.directory / "x.log.1"
    (world.directory / "x.log.1.gz").write_bytes(pack(rotated.read_bytes()))
    rotated.unlink()
    world.write(3)
    world.settle()
    assert numbered(world) == [line for one in world.all for line in one.lines if not line.startswith(b"#")]


def test_any_number_of_rotations_while_the_agent_was_down(world):
    world.write(3)
    world.look()
    world.read(10)
    world.stop()
    for _ in range(30):
        world.write(2)
        world.rename(create=True)
    world.write(1)
    world.settle()
    assert sorted(numbered(world)) == sorted(line for one in world.all for line in one.lines)


def test_a_rotated_file_that_is_compressed_while_it_is_read_is_not_read_twice(world):
    world.write(4)
    world.look()
    world.rename(create=True)
    world.scan()
    world.compress(0)
    world.write(2)
    world.settle()
    world.verify()
    assert len(numbered(world)) == 6


def test_bytes_that_were_deleted_while_no_agent_ran_are_counted_once(world):
    world.write(3)
    world.look()
    world.stop()
    size = world.live.stat().st_size
    world.delete_live()
    for _ in range(3):
        world.start()
        world.stop()
    assert world.lane.counts["unread_bytes_deleted"] == size
    assert [kind for kind, _ in world.lane.alarms] == ["DROP_LOG_ALARM"]


def test_bytes_that_were_truncated_away_unread_are_counted(world):
    world.write(3)
    world.look()
    size = world.live.stat().st_size
    world.truncate()
    world.write(1)
    world.settle()
    assert world.lane.counts["unread_bytes_deleted"] == size
    assert len(numbered(world)) == 1


def test_a_plain_copy_is_not_read(tmp_path):
    world = World(tmp_path, "x.log*")
    world.write(4, header=True)
    world.look()
    world.read(10)
    shutil.copyfile(world.live, tmp_path / "x.log.1")
    world.scan()
    world.stop()
    world.start()
    world.write(2)
    world.settle()
    assert len(numbered(world)) == 6
    assert world.contents.count(HEADER.splitlines()[0]) == 1


def test_two_files_that_begin_alike_are_two_files(tmp_path):
    world = World(tmp_path, "*.log")
    for name in ("messages.log", "syslog.log"):
        (tmp_path / name).write_bytes(HEADER)
    world.settle()
    assert world.contents == HEADER.splitlines() * 2


def test_dated_files_are_files_of_their_own_each_read_from_its_beginning(tmp_path):
    world = World(tmp_path, "app-*.log")

    def write_the_file_of(day):
        (tmp_path / f"app-2026-11-{day}.log").write_bytes(HEADER + b"written on the %d\n" % day)

    for day in (20, 21):
        write_the_file_of(day)
        world.scan()
        world.read(10)
    world.stop()
    write_the_file_of(22)
    world.settle()
    assert numbered(world) == [b"written on the 20", b"written on the 21", b"written on the 22"]
    assert world.contents.count(HEADER.splitlines()[0]) == 3


def test_a_file_that_is_moved_to_another_watched_directory_goes_on(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    world = World(tmp_path, "*/x.log")
    (tmp_path / "a" / "x.log").write_bytes(b"one\n")
    world.scan()
    world.read(10)
    os.rename(tmp_path / "a" / "x.log", tmp_path / "b" / "x.log")
    with (tmp_path / "b" / "x.log").open("ab") as file:
        file.write(b"two\n")
    world.settle()
    assert world.contents == [b"one", b"two"]


def test_of_a_damaged_copy_all_that_can_be_unpacked_is_read_and_the_rest_is_counted(world):
    world.write(4, header=True)
    world.look()
    world.read(10)
    world.stop()
    world.write(400)
    world.rename(create=True)
    rotated = world.directory / "x.log.1"
    packed = gzip.compress(rotated.read_bytes())
    (world.directory / "x.log.1.gz").write_bytes(packed[: len(packed) * 3 // 4])
    rotated.unlink()
    world.write(3)
    world.settle()
    lines = numbered(world)
    written = [line for one in world.all for line in one.lines if not line.startswith(b"#")]
    assert len(lines) > 200
    assert lines[-3:] == written[-3:]
    assert lines[:-4] == written[: len(lines) - 4]
    assert world.lane.counts["copies_damaged"] == 1
    assert [values["path"] for kind, values in world.lane.alarms if kind == "DROP_LOG_ALARM"] == [str(rotated) + ".gz"]


def test_a_file_that_was_found_compressed_is_remembered_as_read(world):
    world.write(4, header=True)
    world.look()
    world.read(10)
    world.stop()
    world.rename(create=True)
    world.write(40)
    world.rename(create=True)
    rotated = world.directory / "x.log.1"
    packed = world.directory / "x.log.1.gz"
    packed.write_bytes(gzip.compress(rotated.read_bytes()))
    os.utime(packed, ns=(rotated.stat().st_atime_ns, rotated.stat().st_mtime_ns))
    rotated.unlink()
    world.write(3)
    world.settle()
    assert len(numbered(world)) == 47
    assert [state.next["path"] for state in world.lane.known.values() if "copy" in state.next] == [str(packed)]
    world.stop()
    world.write(1)
    world.settle()
    assert len(numbered(world)) == 48


def test_a_file_that_came_while_no_agent_ran_and_was_copied_and_emptied_then(world):
    """No later scan would look beside it, if its directory stays as it is."""
    world.write(3)
    world.look()
    world.read(10)
    world.stop()
    world.rename(create=False)
    world.write(4)
    world.copytruncate()
    world.start()
    world.read(10)
    world.scan()
    world.read(10)
    assert len(numbered(world)) == 7


@pytest.mark.parametrize("size", ["same", "longer"])
def test_an_unread_file_that_is_written_anew_with_the_same_first_lines_is_told_by_the_last_ones(world, size):
    world.write(5, header=True)
    world.look()
    world.copytruncate()
    world.write({"same": 5, "longer": 9}[size], header=True)
    world.look()
    world.settle()
    world.verify()
    assert len(numbered(world)) == 5 + {"same": 5, "longer": 9}[size]
    assert world.contents.count(HEADER.splitlines()[0]) == 2
    assert "unread_bytes_deleted" not in world.lane.counts


def test_an_unread_file_that_was_shorter_at_one_look_and_is_longer_at_the_next_was_written_anew(world):
    world.write(40, header=True)
    world.look()
    world.copytruncate()
    world.write(20, header=True)
    world.look()
    world.write(24)
    world.settle()
    world.verify()
    assert len(numbered(world)) == 84


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("down", [True, False])
def test_lines_that_were_read_between_the_copy_and_the_truncation_make_the_copy_no_new_file(world, header, down):
    world.write(20, header=header)
    world.look()
    world.read(10)
    world.write(20)
    world.copytruncate_late(15, seen=True)
    if down:
        world.stop()
    world.write(4, header=header)
    world.settle()
    world.verify()
    assert len(numbered(world)) == 59
    assert world.contents.count(HEADER.splitlines()[0]) == 2 * header


def test_a_shorter_file_that_begins_alike_is_no_copy_that_was_cut_short(world):
    """The original is gone, and its first 1 KiB stood in both."""
    world.write(60, header=True)
    world.look()
    world.read(10)
    world.truncate()
    world.write(8, header=True)
    world.copytruncate()
    world.write(1)
    world.settle()
    world.verify()
    assert len(numbered(world)) == 69


def test_growth_behind_what_was_read_is_counted_when_it_was_deleted_while_no_agent_ran(world):
    """No range tells of it: a full target keeps it from being read."""
    world.write(3)
    world.look()
    world.read(10)
    world.write(5)
    world.look()
    size = world.live.stat().st_size
    for generation in world.agent.files.open_generations:
        world.agent.files.inspection.look_after(generation)
    read = sum(len(line) + 1 for line in world.contents)
    world.stop()
    world.delete_live()
    world.settle()
    assert world.lane.counts["unread_bytes_deleted"] == size - read > 0
