"""Who is read when: fresh lines before what is far behind, and everybody in the end."""

import time
from itertools import islice

import pytest

from tailrace.inputs.file.framing import BLOCK_SIZE
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.turns import Turns
from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write


def file(name, unread=100):
    return Generation(name, (1, 1), 0, name, name, size=unread)


def names(generations):
    return [one.key for one in generations]


def test_fresh_lines_come_before_what_is_far_behind():
    turns = Turns()
    for one in (file("backlog", 100 * BLOCK_SIZE), file("a"), file("b")):
        turns.add(one)
    assert names(turns.round()) == ["a", "b", "backlog"]
    assert not len(turns)


def test_what_is_behind_gets_its_block_however_many_fresh_lines_there_are():
    turns, behind = Turns(), [file(name, 100 * BLOCK_SIZE) for name in ("far", "further")]
    for one in behind:
        turns.add(one)
    read = []
    for number in range(8):  # each round ends after two: the time, or the room, is over
        turns.add(file(f"fresh {number}"))
        turns.add(file(f"fresh {number} too"))
        for one in islice(turns.round(), 2):
            read.append(one.key)
            if one in behind:
                turns.add(one)
    assert read.count("far") >= 2
    assert read.count("further") >= 2
    assert len([key for key in read if key.startswith("fresh")]) >= 12


def test_a_file_waits_once_and_not_while_another_must_be_read_before_it():
    turns, first, second = Turns(), file("first"), file("second")
    second.after = first
    for one in (first, first, second):
        turns.add(one)
    assert names(turns.round()) == ["first"]


def test_a_file_that_is_let_go_waits_no_more():
    turns, backlog, fresh = Turns(), file("backlog", 100 * BLOCK_SIZE), file("fresh")
    for one in (backlog, fresh):
        turns.add(one)
        turns.remove(one)
        turns.remove(one)
    assert not len(turns)


def test_a_huge_backlog_never_delays_the_fresh_lines_of_another_file(tmp_path):
    line = "b" * 1023 + "\n"
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    following.lane.room.clear()
    write(tmp_path / "backlog.log", line * 4096)
    write(tmp_path / "fresh.log", "begin\n")
    with following:
        wait_for(lambda: len(following.input._follower._files.open_generations) == 2)
        write(tmp_path / "fresh.log", "fresh\n")
        time.sleep(0.2)
        following.lane.room.set()
        wait_for(lambda: len(following.contents) == 4096 + 2)
    assert following.contents[:2] == ["begin", "fresh"]


class SlowLane(RememberingLane):
    """Takes each range in a time in which many could be read."""

    def submit(self, *arguments, **options):
        time.sleep(0.05)
        return super().submit(*arguments, **options)


def test_a_new_directory_is_found_while_a_backlog_is_read(tmp_path):
    line = "b" * 1023 + "\n"
    write(tmp_path / "backlog.log", line * 40_960)
    options = {"FilePaths": [f"{tmp_path}/**/*.log"], "MaxDirSearchDepth": 1, "TailingAllMatchedFiles": True}
    with Following(tmp_path, SlowLane(), **options) as following:
        (tmp_path / "new").mkdir()
        write(tmp_path / "new" / "x.log", "new\n")
        wait_for(lambda: len(following.lane.events) == 40_961)
    assert following.contents.index("new") < 40_960


@pytest.mark.parametrize(("lacks_cpu", "looked_at"), [(True, range(1, 100)), (False, [200])])
def test_where_only_cpu_is_lacking_little_of_it_goes_into_looking_after_what_waits(tmp_path, monkeypatch, lacks_cpu, looked_at):
    """Looking takes as long as reading; while a target is full, all that changes is looked after at once."""
    following = Following(tmp_path)
    with following:
        follower = following.input._follower
    looked: list[Generation] = []
    monkeypatch.setattr(follower._files.inspection, "look_after", lambda one: (looked.append(one), time.sleep(0.001)))
    following.lane.room.lacks_cpu, follower._is_blocked = lacks_cpu, True
    follower._changed = dict.fromkeys(file(str(number)) for number in range(200))
    follower._look_after_changed()
    assert len(looked) in looked_at
    assert len(follower._changed) == 200 - len(looked), "the others have their turn later"
