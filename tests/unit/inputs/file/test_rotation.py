"""Rotation, truncation and deletion: every line once, in order, whether the agent looks or is down."""

import os
import shutil
import time

import pytest

from tests.unit.inputs.file.following import Following, wait_for, write


@pytest.fixture(params=["*.log", "*.log*"], ids=["live name only", "rotated names too"])
def following(request, tmp_path):
    following = Following(tmp_path, FilePaths=[f"{tmp_path}/{request.param}"])
    yield following
    following.stop()


def rotate(path):
    """logrotate's `create` with numbers."""
    numbered = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda one: -int(one.name.rpartition(".")[2]))
    for older in numbered:
        older.rename(path.with_name(f"{path.name}.{int(older.name.rpartition('.')[2]) + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))
    path.touch()


def test_a_rename_is_followed(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "1\n")
        following.expect("1")
        rotate(log)
        write(log.with_name("x.log.1"), "late\n")
        following.expect("1", "late")
        write(log, "2\n")
        following.expect("1", "late", "2")


def test_what_was_written_before_the_rename_comes_first(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "0\n")
        following.expect("0")
        following.lane.room.clear()
        for number in range(1, 4):
            write(log, f"{number}\n")
            rotate(log)
        write(log, "4\n")
        following.lane.room.set()
        following.expect("0", "1", "2", "3", "4")


def test_rotations_while_the_agent_is_down(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "0\n")
        following.expect("0")
    for number in range(1, 4):
        write(log, f"{number} before\n{number} after\n")
        rotate(log)
    write(log, "4\n")
    with following:
        wait_for(lambda: len(following.contents) >= 8)
        assert sorted(following.contents) == sorted(["0", *(f"{n} {w}" for n in (1, 2, 3) for w in ("before", "after")), "4"])


def test_a_chain_of_rotations_while_down_is_read_in_order(tmp_path):
    log = tmp_path / "x.log"
    following = Following(tmp_path)
    with following:
        write(log, "0\n")
        following.expect("0")
    for number in range(1, 5):
        write(log, f"{number}\n")
        rotate(log)
    write(log, "5\n")
    with following:
        following.expect("0", "1", "2", "3", "4", "5")


def test_a_name_that_rotation_does_not_make_is_left_alone(tmp_path):
    log = tmp_path / "x.log"
    following = Following(tmp_path)
    with following:
        write(log, "0\n")
        following.expect("0")
    write(tmp_path / "x.log.bak", "a copy of something\n")
    rotate(log)
    write(log, "1\n")
    with following:
        following.expect("0", "1")


def test_a_compressed_copy_is_no_log(tmp_path):
    with Following(tmp_path, FilePaths=[f"{tmp_path}/*.log*"]) as following:
        (tmp_path / "x.log.1.gz").write_bytes(b"\x1f\x8b\x08\x00some compressed bytes\n")
        write(tmp_path / "x.log", "1\n")
        following.expect("1")
        assert following.lane.counts["compressed_files_skipped"] == 1


def test_truncation_begins_a_new_generation(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "a long first line\n")
        following.expect("a long first line")
        write(log, "2\n", mode="w")
        following.expect("a long first line", "2")
        assert following.lane.counts["truncations"] == 1
        assert len({stream for stream, _ in following.lane.ranges}) == 2
        assert following.lane.going == [(following.lane.ranges[0][0], False)]


def test_truncated_and_grown_beyond_the_old_size(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "first\n")
        following.expect("first")
        following.lane.room.clear()
        write(log, "")
        write(log, "second, and longer than what was there before\n", mode="w")
        following.lane.room.set()
        following.expect("first", "second, and longer than what was there before")


def test_truncated_while_the_agent_is_down(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "first\n")
        following.expect("first")
    write(log, "second, and longer than what was there before\n", mode="w")
    with following:
        following.expect("first", "second, and longer than what was there before")


def test_a_deleted_file_is_read_to_its_end(tmp_path):
    log = tmp_path / "x.log"
    with Following(tmp_path) as following, log.open("a") as file:
        file.write("1\n")
        file.flush()
        following.expect("1")
        following.lane.room.clear()
        file.write("2\n")
        file.flush()
        log.unlink()
        file.write("3\n")
        file.flush()
        following.lane.room.set()
        following.expect("1", "2", "3")
        assert (following.lane.ranges[0][0], True) in following.lane.going


def test_a_file_deleted_and_made_again_at_once(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        for number in range(5):
            write(log, f"{number}\n")
            following.expect(*map(str, range(number + 1)))
            log.unlink()


def test_an_inode_that_is_used_again_while_the_agent_is_down(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "first\n")
        following.expect("first")
    log.unlink()
    write(log, "other\n")  # ext4 gives the freed inode to the next file
    with following:
        following.expect("first", "other")


def test_even_when_it_begins_as_the_former_file_did(following, tmp_path):
    log = tmp_path / "x.log"
    with following:
        write(log, "header\n")
        following.expect("header")
    log.unlink()
    write(log, "header\nnew\n")
    with following:
        following.expect("header", "header", "new")


def test_a_symbolic_link_that_changes_its_target(tmp_path):
    (tmp_path / "real").mkdir()
    write(tmp_path / "real" / "1", "one\n")
    with Following(tmp_path) as following:
        (tmp_path / "x.log").symlink_to(tmp_path / "real" / "1")
        following.expect("one")
        write(tmp_path / "real" / "2", "two\n")
        (tmp_path / "next").symlink_to(tmp_path / "real" / "2")
        os.replace(tmp_path / "next", tmp_path / "x.log")
        following.expect("one", "two")


def test_a_directory_that_is_moved_away_and_comes_back(tmp_path):
    logs = tmp_path / "d"
    logs.mkdir()
    with Following(tmp_path, FilePaths=[f"{tmp_path}/d/*.log"]) as following:
        write(logs / "x.log", "1\n")
        following.expect("1")
        logs.rename(tmp_path / "away")
        following.rescan()
        time.sleep(0.2)
        shutil.move(tmp_path / "away", logs)
        following.rescan()
        write(logs / "x.log", "2\n")
        following.expect("1", "2")


def test_an_inode_that_comes_back_after_its_file_was_closed_and_deleted_is_another_file(tmp_path):
    with Following(tmp_path, CloseUnusedReaderIntervalSec=1) as following:
        write(tmp_path / "a.log", "one\n")
        following.expect("one")
        follower = following.input._follower
        wait_for(lambda: following.rescan() or not follower._files.open_generations)
        inode = (tmp_path / "a.log").stat().st_ino
        (tmp_path / "a.log").unlink()
        for number in range(50):  # file systems give freed inodes out again soon, not always at once
            write(tmp_path / f"{number}.log", f"{number}\n")
            if (tmp_path / f"{number}.log").stat().st_ino == inode:
                break
        wait_for(lambda: len(following.contents) == number + 2)
    assert sorted(following.contents[1:], key=int) == [str(one) for one in range(number + 1)]
    assert "unread_bytes_deleted" not in following.lane.counts
