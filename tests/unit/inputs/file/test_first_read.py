"""Only what is written after a config reached the agent is collected (DESIGN §4.4)."""

import os

import pytest

from tailrace.wire.identity import StoredEnd
from tests.unit.inputs.file.following import Following, wait_for, write


def test_a_file_that_stands_there_is_not_read_until_it_changes(tmp_path):
    write(tmp_path / "old.log", "old 1\nold 2\n")
    with Following(tmp_path) as following:
        following.expect()
        write(tmp_path / "old.log", "new\n")
        following.expect("old 1", "old 2", "new")


def test_of_a_large_one_the_tail_is_read_from_a_line_start(tmp_path):
    write(tmp_path / "old.log", "".join(f"{number:09d}\n" for number in range(1000)))
    following = Following(tmp_path, TailSizeKB=1)
    with following:
        write(tmp_path / "old.log", "new\n")
        wait_for(lambda: "new" in following.contents)
    assert following.contents == [f"{number:09d}" for number in range(898, 1000)] + ["new"]


def test_nothing_that_was_written_since_is_left_out_however_much_it_is(tmp_path):
    write(tmp_path / "old.log", "old\n" * 5)
    with Following(tmp_path, TailSizeKB=1) as following:
        pass
    new = [f"new {number:05d}" for number in range(2000)]
    write(tmp_path / "old.log", "\n".join(new) + "\n")
    with following:
        following.expect(*new)


def test_without_a_tail_a_line_that_was_unfinished_then_is_read_whole(tmp_path):
    write(tmp_path / "old.log", "old\nbegun ")
    with Following(tmp_path, TailSizeKB=0) as following:
        write(tmp_path / "old.log", "and finished\n")
        following.expect("begun and finished")


def test_a_file_that_appears_later_is_read_from_its_beginning(tmp_path):
    with Following(tmp_path) as following:
        write(tmp_path / "new.log", "first\nsecond\n")
        following.expect("first", "second")


def test_a_file_that_appeared_while_the_agent_was_down_too(tmp_path):
    with Following(tmp_path) as following:
        pass
    write(tmp_path / "new.log", "first\n")
    with following:
        following.expect("first")


def test_a_new_path_in_the_config_makes_its_files_standing_ones(tmp_path):
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "x.log", "old\n")
    with Following(tmp_path) as following:
        pass
    following.options["FilePaths"] = [f"{tmp_path}/*.log", f"{tmp_path}/other/*.log"]
    with following:
        following.expect()
        write(tmp_path / "other" / "x.log", "new\n")
        following.expect("old", "new")


def test_a_standing_file_that_is_written_anew_is_read_from_its_beginning(tmp_path):
    write(tmp_path / "old.log", "something long that stood there\n")
    with Following(tmp_path, TailSizeKB=0) as following:
        write(tmp_path / "old.log", "short\n", mode="w")
        following.expect("short")


def test_a_standing_file_stays_one_when_it_is_renamed(tmp_path):
    write(tmp_path / "old.log", "old\n")
    with Following(tmp_path, FilePaths=[f"{tmp_path}/*.log*"], TailSizeKB=0) as following:
        os.rename(tmp_path / "old.log", tmp_path / "old.log.1")
        following.rescan()
        following.expect()
        write(tmp_path / "old.log.1", "late\n")
        following.expect("late")


def test_all_from_the_beginning_on_purpose(tmp_path):
    write(tmp_path / "old.log", "old 1\nold 2\n")
    with Following(tmp_path, TailingAllMatchedFiles=True) as following:
        following.expect("old 1", "old 2")
    with following:
        following.expect("old 1", "old 2")


@pytest.mark.parametrize("size", [0, 7])
def test_what_the_server_has_goes_before_everything(tmp_path, size):
    write(tmp_path / "a.log", "event1\nevent2\n")
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    with following:
        following.expect("event1", "event2")
    key = next(state.key for state in following.lane.known.values() if not state.key.startswith("scanned:"))
    lost = Following(tmp_path)
    lost.lane.stored[key] = StoredEnd(size)
    with lost:
        lost.expect(*["event1", "event2"][size // 7 :])


def test_what_the_config_leaves_out_by_now_is_read_no_further_until_it_names_it_again(tmp_path):
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    for name in ("kept", "left"):
        write(tmp_path / f"{name}.log", f"{name} 1\n")
    with following:
        wait_for(lambda: sorted(following.contents) == ["kept 1", "left 1"])
    for number in (2, 3):
        for name in ("left", "kept"):
            write(tmp_path / f"{name}.log", f"{name} {number}\n")
        following.start(ExcludeFiles=["left.log"])
        wait_for(lambda number=number: f"kept {number}" in following.contents)
        write(tmp_path / "left.log", "more\n")
        following.rescan()
        write(tmp_path / "kept.log", f"and {number}\n")
        wait_for(lambda number=number: f"and {number}" in following.contents)
        following.stop()
    assert sorted(following.contents) == ["and 2", "and 3", "kept 1", "kept 2", "kept 3", "left 1"]
    with following:
        wait_for(lambda: "more" in following.contents)
    assert sorted(following.contents)[-4:] == ["left 2", "left 3", "more", "more"]
