"""After a restart what is known goes on at once; nothing has to wait until all directories have been looked through."""

import itertools
import os
import threading
from pathlib import Path

import pytest

from tailrace.inputs.file.discover import Discovery
from tailrace.inputs.file.notes import Notes
from tests.unit.inputs.file.following import Following, wait_for, write


@pytest.fixture
def following(tmp_path):
    following = Following(tmp_path)
    yield following
    following.stop()


@pytest.fixture
def end_of_walk(monkeypatch):
    """The first walk comes to its end when this is set."""
    walk, over = Discovery.walk, threading.Event()

    def slow(discovery):
        steps = walk(discovery)
        while True:
            try:
                yield next(steps)
            except StopIteration as done:
                while not over.wait(0.01):
                    yield None
                return done.value

    monkeypatch.setattr(Discovery, "walk", slow)
    yield over
    over.set()


def test_a_known_file_goes_on_before_the_first_scan_is_over(following, tmp_path, end_of_walk):
    end_of_walk.set()
    with following:
        write(tmp_path / "a.log", "one\n")
        following.expect("one")
    end_of_walk.clear()
    write(tmp_path / "a.log", "two\n")
    following.start(scanned=False)
    following.expect("one", "two")
    write(tmp_path / "a.log", "three\n")
    following.expect("one", "two", "three")
    end_of_walk.set()
    write(tmp_path / "a.log", "four\n")
    following.expect("one", "two", "three", "four")


def test_a_file_that_was_only_noted_and_has_changed_too(following, tmp_path, end_of_walk):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.log", "old\n")
    end_of_walk.set()
    with following:
        following.expect()
    end_of_walk.clear()
    write(tmp_path / "a.log", "new\n")
    following.start(scanned=False, TailSizeKB=0)
    following.expect("new")
    end_of_walk.set()
    write(tmp_path / "b.log", "new b\n")
    following.expect("new", "new b")


def test_what_was_only_noted_is_found_before_any_directory_is_walked(following, tmp_path, monkeypatch):
    for name in ("app-20261122", "b", "c"):  # no live file stands beside the first, so that its name says nothing
        write(tmp_path / f"{name}.log", "old\n")
    with following:
        following.expect()
    write(tmp_path / "app-20261122.log", "new\n")
    write(tmp_path / "b.log", "new b\n")
    monkeypatch.setattr(Discovery, "walk", lambda discovery: itertools.repeat(None))  # finds nothing, and never ends
    following.start(scanned=False, TailSizeKB=0)
    wait_for(lambda: len(following.contents) == 2)
    assert sorted(following.contents) == ["new", "new b"]


def test_what_was_only_noted_and_changes_while_the_directories_are_walked_does_not_wait_for_that(following, tmp_path, monkeypatch):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.log", "old\n")
    with following:
        following.expect()
    write(tmp_path / "a.log", "new\n")
    monkeypatch.setattr(Discovery, "walk", lambda discovery: itertools.repeat(None))  # finds nothing, and never ends
    following.start(scanned=False, TailSizeKB=0)
    following.expect("new")
    write(tmp_path / "b.log", "new b\n")
    following.expect("new", "new b")


def test_directories_where_nothing_of_ours_is_any_more_are_watched_no_longer_than_the_first_walk_takes(following, tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "x.log", "old\n")
    with following.start(FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=1):
        following.expect()
    with following.start(FilePaths=[f"{tmp_path}/*.log"]):
        assert following.input._follower._discovery._watched == {str(tmp_path)}


def test_what_may_have_been_rotated_away_waits_for_the_scan(following, tmp_path, end_of_walk):
    for name in ("a.log", "a-1.log"):
        write(tmp_path / name, "old\n")
    end_of_walk.set()
    with following:
        following.expect()
    end_of_walk.clear()
    write(tmp_path / "a-1.log", "new\n")
    following.start(scanned=False, TailSizeKB=0)
    following.expect()
    end_of_walk.set()
    following.expect("new")


def test_directories_that_were_written_to_last_are_looked_at_first(following, tmp_path):
    names = ["b", "c", "a"]
    for age, name in enumerate(names):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "x.log", "old\n")
        os.utime(tmp_path / name / "x.log", (2_000_000_000 - age, 2_000_000_000 - age))
    with following.start(FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=1):
        following.expect()
    for name in names:
        write(tmp_path / name / "x.log", "new\n")
    notes = Notes(following.lane, following.lane.streams)
    assert [Path(found[0]).parent.name for found in notes.changed(lambda directory: True) if found is not None] == names


def test_what_was_rotated_meanwhile_waits_for_the_scan_and_comes_in_order(following, tmp_path, end_of_walk):
    end_of_walk.set()
    with following:
        write(tmp_path / "a.log", "one\n")
        following.expect("one")
    end_of_walk.clear()
    write(tmp_path / "a.log", "two\n")
    os.rename(tmp_path / "a.log", tmp_path / "a.log.1")
    write(tmp_path / "a.log", "three\n")
    following.start(scanned=False)
    following.expect("one")
    end_of_walk.set()
    following.expect("one", "two", "three")


def test_what_another_pipeline_names_better_by_now_is_not_gone_on_with(following, tmp_path, end_of_walk):
    end_of_walk.set()
    with following:
        write(tmp_path / "a.log", "one\n")
        following.expect("one")
    end_of_walk.clear()
    following.lane.claims.stake("better", lambda path: (1000, 0, 0))
    write(tmp_path / "a.log", "two\n")
    following.start(scanned=False)
    following.expect("one")


def test_files_without_news_stay_closed_until_they_grow(following, tmp_path):
    with following:
        for number in range(20):
            write(tmp_path / f"{number}.log", f"{number}\n")
        wait_for(lambda: len(following.contents) == 20)
    write(tmp_path / "7.log", "seven\n")
    with following:
        wait_for(lambda: len(following.contents) == 21)
        assert len(following.input._follower._files.open_generations) == 1
        write(tmp_path / "8.log", "eight\n")
        wait_for(lambda: len(following.contents) == 22)
    assert following.contents[20:] == ["seven", "eight"]


def test_a_file_that_stayed_closed_and_is_written_anew_is_read_from_its_beginning(following, tmp_path):
    with following:
        write(tmp_path / "a.log", "something long that was read\n")
        following.expect("something long that was read")
    with following:
        assert not following.input._follower._files.open_generations
        write(tmp_path / "a.log", "anew\n", mode="w")
        following.expect("something long that was read", "anew")


def test_a_file_that_stayed_closed_is_ended_when_it_is_deleted(following, tmp_path):
    with following:
        write(tmp_path / "a.log", "one\n")
        following.expect("one")
    with following:
        (tmp_path / "a.log").unlink()
        wait_for(lambda: following.rescan() or following.lane.ended)
    assert "unread_bytes_deleted" not in following.lane.counts
