"""While a target takes nothing more, reading waits, looking does not: what is rotated away or deleted meanwhile still comes."""

import os
import shutil

import pytest

from tests.unit.inputs.file.following import Following, wait_for, write


@pytest.fixture
def following(tmp_path):
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    yield following
    following.lane.room.set()
    following.stop()


def held(following, path):
    """Whether all that the file has now was seen, and its handle is kept."""
    status = path.stat()
    return any(
        one.is_open and (one.file, one.size) == ((status.st_dev, status.st_ino), status.st_size)
        for one in following.input._follower._files.generations
    )


def write_and_look(following, path, text):
    write(path, text)
    wait_for(lambda: held(following, path), lambda: f"nobody looked at {path} after `{text}`")


def test_files_that_are_rotated_away_and_deleted_meanwhile_still_come(following, tmp_path):
    log = tmp_path / "app.log"
    write(log, "begin\n")
    following.start()
    following.expect("begin")
    following.lane.room.clear()
    for number in range(30):
        write_and_look(following, log, f"{number}\n")
        os.replace(log, tmp_path / "app.log.1")
    (tmp_path / "app.log.1").unlink()
    assert following.contents == ["begin"]
    following.lane.room.set()
    following.expect("begin", *map(str, range(30)))
    assert "unread_bytes_deleted" not in following.lane.counts


@pytest.mark.parametrize("begin", ["", "begin\n"])
def test_copies_that_come_and_go_meanwhile_still_come(following, tmp_path, begin):
    """copytruncate with a single copy: each one is overwritten by the next."""
    log, copy = tmp_path / "app.log", tmp_path / "app.log.1"
    write(log, begin)
    following.start()
    following.expect(*begin.split())
    following.lane.room.clear()
    for number in range(10):
        write_and_look(following, log, f"{number}\n")
        shutil.copy(log, tmp_path / "app.log.new")
        os.replace(tmp_path / "app.log.new", copy)
        os.truncate(log, 0)
        wait_for(lambda: held(following, copy), lambda: f"nobody took hold of the copy after {following.contents}")
    copy.unlink()
    following.lane.room.set()
    following.expect(*begin.split(), *map(str, range(10)))
    assert "unread_bytes_deleted" not in following.lane.counts


def test_a_file_that_was_closed_for_idleness_is_held_again_when_it_grows(following, tmp_path):
    write(tmp_path / "app.log", "one\n")
    following.start(CloseUnusedReaderIntervalSec=1)
    following.expect("one")
    follower = following.input._follower
    wait_for(lambda: following.rescan() or not follower._files.open_generations)
    following.lane.room.clear()
    write_and_look(following, tmp_path / "other.log", "other\n")
    write_and_look(following, tmp_path / "app.log", "two\n")
    (tmp_path / "app.log").unlink()
    following.lane.room.set()
    wait_for(lambda: sorted(following.contents) == ["one", "other", "two"])


def test_new_directories_are_searched_meanwhile(following, tmp_path):
    following.start(FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=3)
    following.lane.room.clear()
    write_and_look(following, tmp_path / "x.log", "x\n")
    (tmp_path / "new" / "deep").mkdir(parents=True)
    write_and_look(following, tmp_path / "new" / "deep" / "x.log", "deep\n")
    shutil.rmtree(tmp_path / "new")
    following.lane.room.set()
    wait_for(lambda: len(following.contents) == 2)
    assert sorted(following.contents) == ["deep", "x"]


def test_what_was_seen_of_a_file_and_never_read_is_counted_when_it_is_gone_at_the_next_start(following, tmp_path):
    log = tmp_path / "app.log"
    following.lane.room.clear()
    following.start()
    write_and_look(following, log, "begin\n")
    write_and_look(following, log, "and more\n")
    wait_for(lambda: [state.next["seen"][0] for state in following.lane.known.values() if "head" in state.next] == [15])
    following.stop()
    log.unlink()
    following.lane.room.set()
    following.start()
    wait_for(lambda: following.lane.counts.get("unread_bytes_deleted", 0))
    assert following.lane.counts["unread_bytes_deleted"] == 15
