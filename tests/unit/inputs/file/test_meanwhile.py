"""While a compressed file is unpacked, which may take minutes, files that only grow are read on."""

import errno
import gzip
import os
import time

import pytest

from tailrace.inputs.file import meanwhile
from tailrace.inputs.file.content import KEPT_BYTES, Unpacked
from tailrace.inputs.file.meanwhile import Meanwhile
from tailrace.inputs.file.packing import STEP_BYTES
from tests.property.file_model import World
from tests.unit.inputs.file.following import Following, wait_for, write

LINE = "a line of a file that is large when it is unpacked\n"
SIZE = 20 * STEP_BYTES


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path, "*.log")
    yield world
    world.stop()


def at_work(world):
    return Meanwhile(world.lane, world.agent.files, world.agent.reader, lambda: None)


def test_lines_that_come_while_a_large_file_is_unpacked_do_not_wait_for_it(tmp_path, monkeypatch):
    large, other = tmp_path / "x.log", tmp_path / "y.log"
    write(large, LINE)
    write(other, "begun\n")
    step, steps = Unpacked._step, []

    def slow_step(unpacked, size=STEP_BYTES):
        steps.append(len(unpacked._kept))
        if len(steps) == 5:
            write(other, "fresh\n")
        if len(steps) in (6, 7):
            time.sleep(2 * meanwhile.EVERY_SECS)  # what a slower machine or a larger file takes
        return step(unpacked, size)

    following = Following(tmp_path, TailingAllMatchedFiles=True)
    with following:
        wait_for(lambda: len(following.contents) == 2)
    packed = tmp_path / "x.log.1.gz"
    packed.write_bytes(gzip.compress((LINE * (SIZE // len(LINE)) + "the last one\n").encode(), 1))
    os.utime(packed, ns=(large.stat().st_mtime_ns,) * 2)
    seen = next(state for state in following.lane.known.values() if str(state.next.get("path", "")) == str(large))
    seen.next = {**seen.next, "seen": [SIZE, large.stat().st_mtime_ns]}  # so much of it had been seen, and not read
    large.unlink()
    monkeypatch.setattr(Unpacked, "_step", slow_step)
    with following:
        wait_for(lambda: "the last one" in following.contents)
    assert following.contents.index("fresh") < following.contents.index(LINE.strip(), 2)
    assert max(steps) <= 2 * KEPT_BYTES


def test_files_that_only_grow_are_read(world):
    world.write(2)
    world.look()
    world.read(10)
    world.write(3)
    at_work(world).read()
    assert len(world.contents) == 5


def test_a_closed_file_is_opened_again_when_an_event_tells_of_it(world):
    world.write(2)
    world.look()
    world.read(10)
    (generation,) = world.agent.files.open_generations
    generation.close()
    world.write(3)
    work = at_work(world)
    work.read()
    assert len(world.contents) == 2
    work.changed(str(world.live))
    work.read()
    assert len(world.contents) == 5


def test_the_last_handles_are_left_for_what_the_search_compares(world):
    world.write(2)
    world.look()
    world.read(10)
    (generation,) = world.agent.files.open_generations
    generation.close()
    world.write(3)
    world.agent.files.handles.lacking = True
    work = at_work(world)
    work.changed(str(world.live))
    work.read()
    assert not generation.is_open
    world.agent.files.handles.lacking = False
    work.changed(str(world.live))
    work.read()
    assert len(world.contents) == 5


def test_nothing_is_begun_or_ended_while_a_search_is_half_done(world):
    world.write(5)
    world.look()
    world.read(10)
    world.copytruncate()
    world.write(30)
    before = dict(world.agent.files._table.generations)
    work = at_work(world)
    work.changed(str(world.live))
    work.read()
    assert world.agent.files._table.generations == before
    world.settle()
    world.verify()
    assert len(world.contents) == 35


def test_a_file_that_cannot_be_read_is_left_to_its_own_turn(world, monkeypatch):
    world.write(2)
    world.look()
    world.read(10)
    world.write(3)
    work = at_work(world)

    def fails(generation):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(world.agent.reader, "read", fails)
        work.read()
    assert len(world.contents) == 2
    assert not world.agent.files.inspection.is_searching
    work.read()
    assert len(world.contents) == 5


def test_reading_and_unpacking_take_turns(world):
    work = at_work(world)
    assert work.is_due()
    work.read()
    assert not work.is_due()
    wait_for(work.is_due)
    world.agent.files.inspection.is_searching = True  # it reads itself
    assert not work.is_due()
