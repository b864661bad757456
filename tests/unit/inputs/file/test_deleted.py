"""Deleted files are held open until they are read, as far as the agent's settings let them be."""

import pytest

from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write

LINE = "x" * 99 + "\n"
MIB = 1_048_576


@pytest.fixture
def held_back(tmp_path):
    """Three files, seen and not read: each holds a line that is not finished."""

    def start(**settings):
        following = Following(tmp_path, RememberingLane(**settings)).start()
        for name in ("a.log", "b.log", "c.log"):
            write(tmp_path / name, "unfinished")
        wait_for(lambda: len(following.input._follower._files.open_generations) == 3)
        return following

    return start


def unread(following):
    return following.lane.counts.get("unread_bytes_deleted", 0)


@pytest.mark.parametrize(
    ("settings", "given_up"),
    [
        ({"max_deleted_files": 2}, 1),
        ({"max_deleted_files": 1}, 2),
        ({"force_release_deleted_file_fd_timeout": 0}, 3),
        ({}, 0),
    ],
)
def test_beyond_the_bound_the_first_deleted_go_and_are_counted(tmp_path, held_back, settings, given_up):
    following = held_back(**settings)
    for name in ("a.log", "b.log", "c.log"):
        (tmp_path / name).unlink()
    wait_for(lambda: unread(following) == given_up * len("unfinished"))
    alarms = [values["bound"] for kind, values in following.lane.alarms if kind == "FILE_READER_EXCEED_ALARM"]
    assert alarms == [*settings][:1] * given_up
    assert len(following.input._follower._files.open_generations) == 3 - given_up
    following.stop()


def test_what_deleted_files_take_up_on_the_disk_is_bounded(tmp_path):
    lane = RememberingLane(max_deleted_mb=1)
    with Following(tmp_path, lane, FlushTimeoutSecs=3600) as following:
        for name in ("a.log", "b.log"):
            write(tmp_path / name, LINE * 8000 + "unfinished")
        wait_for(lambda: len(following.contents) == 16_000)
        for name in ("a.log", "b.log"):
            (tmp_path / name).unlink()
        wait_for(lambda: unread(following) == len("unfinished"))
        held = following.input._follower._files.open_generations
        assert sum(generation.size for generation in held) <= MIB


def test_what_is_read_to_its_end_goes_first_and_costs_nothing(tmp_path):
    with Following(tmp_path, RememberingLane(max_deleted_files=1), FlushTimeoutSecs=3600) as following:
        write(tmp_path / "a.log", "unfinished")
        write(tmp_path / "b.log", "whole\n")
        following.expect("whole")
        wait_for(lambda: len(following.input._follower._files.open_generations) == 2)
        for name in ("a.log", "b.log"):
            (tmp_path / name).unlink()
        wait_for(lambda: len(following.input._follower._files.open_generations) == 1)
        assert unread(following) == 0
        assert following.lane.alarms == []


def test_a_file_that_is_replaced_at_once_is_kept_as_one_that_is_deleted(tmp_path):
    log = tmp_path / "a.log"
    with Following(tmp_path) as following:
        write(log, "one\n")
        following.expect("one")
        write(tmp_path / "new", "two\n")
        (tmp_path / "new").rename(log)
        following.expect("one", "two")
        assert following.lane.going == [(following.lane.ranges[0][0], True)]


def test_a_file_that_is_only_renamed_stays_where_it_can_be_read_again(tmp_path):
    log = tmp_path / "a.log"
    with Following(tmp_path) as following:
        write(log, "one\n")
        following.expect("one")
        log.rename(tmp_path / "a.log.1")
        write(log, "two\n")
        following.expect("one", "two")
        assert following.lane.going == []
