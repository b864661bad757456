"""Rotation that compresses, under an agent that is killed: whatever lies in a compressed file only is found, once, and in order."""

import gzip
import os

import pytest

from tests.property.file_model import World


@pytest.fixture(params=("x.log", "x.log*"))
def world(request, tmp_path):
    world = World(tmp_path, request.param)
    yield world
    world.stop()


def all_lines(world):
    return [line for one in world.all for line in one.lines]


def begin(world):
    world.write(3)
    world.look()
    world.read(10)


def rotate_and_compress(world, times):
    for _ in range(times):
        world.write(2)
        world.rename(create=False)
        if len(world.rotated()) > 1:
            world.compress(1)  # the one before, as `delaycompress` does


def test_what_came_and_went_while_the_agent_was_down_needs_no_new_file_to_be_found(world):
    begin(world)
    world.stop()
    rotate_and_compress(world, 5)
    assert not world.live.exists()
    world.settle()
    assert world.contents == all_lines(world)


def test_and_a_file_that_comes_later_is_read_after_it(world):
    begin(world)
    world.stop()
    rotate_and_compress(world, 5)
    world.start()
    world.write(2)
    world.settle()
    assert world.contents == all_lines(world)


def test_what_was_found_but_not_noted_when_the_agent_was_killed_is_found_again(world):
    begin(world)
    world.stop()
    rotate_and_compress(world, 4)
    world.write(2)
    before = set(world.lane.known)
    world.start()
    world.stop()
    for key in set(world.lane.known) - before:  # of what came, only the live file had reached the checkpoint
        if int(key.split(":")[1], 16) != world.live.stat().st_ino:
            del world.lane.known[key]
    world.settle()
    assert sorted(world.contents) == sorted(all_lines(world))


def test_a_file_whose_compressed_copy_was_noted_before_it_was_read_goes_on_in_it(world):
    begin(world)
    world.write(4)
    world.rename(create=True)
    world.compress(0)
    world.write(2)
    world.scan()  # finds the copy of what is still open
    world.stop()
    world.settle()
    assert sorted(world.contents) == sorted(all_lines(world))
    assert world.lane.counts.get("unread_bytes_deleted", 0) == 0


def test_a_file_first_seen_under_a_rotated_name_goes_on_in_its_compressed_copy(tmp_path):
    world = World(tmp_path, "x.log*")
    world.write(3)
    world.rename(create=False)
    world.scan()
    world.read(10)
    world.stop()
    world.write(1)
    world.live.rename(tmp_path / "other")
    world.places.pop(world.live)
    with (tmp_path / "x.log.1").open("ab") as file:
        file.write(b"late\n")
    world.places[tmp_path / "x.log.1"].lines.append(b"late")
    world.compress(0)
    world.settle()
    assert world.contents == world.all[0].lines


def test_a_compressed_file_that_is_still_being_made_is_not_taken_for_a_log(world):
    begin(world)
    world.stop()
    for _ in range(2):
        world.write(300)
        world.rename(create=True)
    plain, packed = world.directory / "x.log.1", world.directory / "x.log.1.gz"
    whole = gzip.compress(plain.read_bytes())
    world.write(2)
    packed.touch()
    world.start()
    world.scan()
    packed.write_bytes(whole[: len(whole) // 2])
    world.scan()
    packed.write_bytes(whole)
    world.scan()
    world.places[packed] = world.places[plain]
    plain.unlink()
    del world.places[plain]
    world.settle()
    assert sorted(world.contents) == sorted(all_lines(world))


def test_a_copy_that_is_compressed_after_it_was_left_alone_is_not_read(world):
    begin(world)
    for down in (False, True, False):
        world.write(2)
        world.look()
        world.read(10)
        world.copytruncate()
        world.write(2)
        world.scan()
        world.read(10)
        if down:
            world.stop()
        world.compress(0)
        world.start()
        world.scan()
        world.read(10)
    world.settle()
    assert world.contents == all_lines(world)


def test_compressed_files_that_stood_there_before_are_left_alone(tmp_path):
    (tmp_path / "x.log.1.gz").write_bytes(gzip.compress(b"history\n"))
    os.utime(tmp_path / "x.log.1.gz", (1, 1))
    world = World(tmp_path, "x.log*")
    begin(world)
    world.settle()
    world.settle()
    assert world.contents == all_lines(world)
