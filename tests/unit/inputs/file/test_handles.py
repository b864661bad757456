"""More files than may be open: each is read, as soon as another one that is read to its end has been closed for it."""

import gc
import os
from collections import Counter

import pytest

from tailrace.inputs.file.registry import SPARE_HANDLES
from tests.unit.inputs.file.following import Following, wait_for, write

FILES, OPEN = 60, 12


@pytest.fixture
def following(tmp_path, monkeypatch):
    """One that may hold OPEN files."""
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    gc.collect()
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    numbers_between = []
    while (number := os.dup(0)) < highest:  # what other tests have left open may leave gaps
        numbers_between.append(number)
    os.close(number)
    own = 3  # its watcher's handles
    monkeypatch.setattr(type(following.lane.platform), "file_handles", property(lambda _: number + own + OPEN + SPARE_HANDLES))
    yield following
    following.stop()
    for one in numbers_between:
        os.close(one)


def paths(directory):
    return [directory / f"{number}.log" for number in range(FILES)]


def opened(following):
    return len(following.input._follower._files.open_generations)


def verify_each_line_once(following, lines):
    most = 0

    def all_are_there():
        nonlocal most
        most = max(most, opened(following))
        return len(following.contents) >= len(lines)

    wait_for(all_are_there, lambda: f"{len(following.contents)} of {len(lines)} lines")
    assert Counter(following.contents) == Counter(lines)
    assert most <= OPEN + SPARE_HANDLES


def test_all_are_read_and_read_on(following, tmp_path):
    expected = []
    with following:
        for turn in range(4):
            for path in paths(tmp_path):
                write(path, f"{path.name} {turn}\n")
                expected.append(f"{path.name} {turn}")
            verify_each_line_once(following, expected)


def test_those_that_stand_there_at_the_start_too(following, tmp_path):
    for path in paths(tmp_path):
        write(path, f"{path.name}\n")
    with following:
        verify_each_line_once(following, [path.name for path in paths(tmp_path)])
    for path in paths(tmp_path):  # all of them have changed when it starts again
        write(path, f"{path.name} more\n")
    with following:
        verify_each_line_once(following, [path.name + more for path in paths(tmp_path) for more in ("", " more")])


def test_a_file_that_was_closed_for_another_goes_on_where_rotation_has_put_it(following, tmp_path):
    expected = []
    with following:
        for path in paths(tmp_path):
            write(path, f"{path.name} 1\n")
        expected += [f"{path.name} 1" for path in paths(tmp_path)]
        verify_each_line_once(following, expected)
        for path in paths(tmp_path):
            write(path, f"{path.name} 2\n")
            path.rename(f"{path}.1")
            write(path, f"{path.name} 3\n")
            expected += [f"{path.name} 2", f"{path.name} 3"]
        verify_each_line_once(following, expected)
    for path in paths(tmp_path):
        mine = [line for line in following.contents if line.startswith(f"{path.name} ")]
        assert mine == [f"{path.name} {turn}" for turn in (1, 2, 3)]


def test_a_rotated_file_that_was_closed_is_read_on_when_its_writer_writes_on(following, tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.inputs.file.files.ROTATED_SECS", 0.0)
    with following, (tmp_path / "0.log").open("a") as writer:
        print("1", file=writer, flush=True)
        following.expect("1")
        (tmp_path / "0.log").rename(tmp_path / "0.log.1")
        following.rescan()
        wait_for(lambda: not opened(following))
        print("2", file=writer, flush=True)
        following.rescan()
        following.expect("1", "2")


def test_those_that_are_behind_stay_open_and_the_others_wait_and_it_is_told(following, tmp_path):
    for path in paths(tmp_path):
        write(path, f"{path.name}\n")
    following.lane.room.clear()
    with following:
        wait_for(lambda: "OPEN_FILE_LIMIT_ALARM" in {kind for kind, _ in following.lane.alarms})
        assert following.contents == []
        assert OPEN // 2 <= opened(following) <= OPEN + SPARE_HANDLES
        following.lane.room.set()
        verify_each_line_once(following, [path.name for path in paths(tmp_path)])
        wait_for(lambda: "OPEN_FILE_LIMIT_ALARM" in {kind for kind, _ in following.lane.resolutions})


def test_one_input_closes_files_for_another(following, tmp_path):
    for directory in ("a", "b"):
        (tmp_path / directory).mkdir()
    first = following
    first.options["FilePaths"] = [f"{tmp_path}/a/*.log"]
    for path in paths(tmp_path / "a"):
        write(path, "a\n")
    second = Following(tmp_path / "b", TailingAllMatchedFiles=True)
    second.lane.bounds = first.lane.bounds
    with first:
        verify_each_line_once(first, ["a"] * FILES)
        for path in paths(tmp_path / "b"):
            write(path, "b\n")
        with second:
            wait_for(lambda: len(second.contents) == FILES)
    assert second.contents == ["b"] * FILES
