"""What is read of files that simply grow, and which files are."""

import os
import time
from errno import EACCES, EMFILE
from threading import Event

import pytest

from tailrace.inputs.file import FileConfig, InputFile, split
from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write


def test_an_unfinished_line_waits_then_goes_out_and_its_rest_is_marked(tmp_path):
    with Following(tmp_path, FlushTimeoutSecs=1) as following:
        write(tmp_path / "x.log", "one\nhal")
        following.expect("one")
        following.expect("one", "hal")
        write(tmp_path / "x.log", "f\ntwo\n")
        following.expect("one", "hal", "f", "two")
    assert [event.get("__truncate_info__") for event in following.lane.events] == [None, None, "continued", None]


def test_a_half_line_is_not_sent_in_halves_when_it_is_finished_in_time(tmp_path):
    with Following(tmp_path, FlushTimeoutSecs=5) as following:
        for part in ("one", " and", " the rest", "\n"):
            write(tmp_path / "x.log", part)
            time.sleep(0.15)
        following.expect("one and the rest")


def test_ranges_lie_side_by_side(tmp_path):
    with Following(tmp_path) as following:
        for number in range(20):
            write(tmp_path / "x.log", f"line {number}\n" * (number * 50))
            time.sleep(0.02)
        size = (tmp_path / "x.log").stat().st_size
        wait_for(lambda: following.lane.ranges and following.lane.ranges[-1][1].end == size)
    ends = [one.end for _, one in following.lane.ranges]
    assert [one.start for _, one in following.lane.ranges] == [0, *ends[:-1]]


def test_files_take_turns(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.log", f"{name}{'x' * 98}\n" * 60_000)
    with Following(tmp_path, TailingAllMatchedFiles=True) as following:
        wait_for(lambda: len(following.lane.events) == 120_000)
    assert len({stream for stream, _ in following.lane.ranges[:2]}) == 2


def test_position_meta(tmp_path):
    with Following(tmp_path, AppendingLogPositionMeta=True, FileOffsetKey="where") as following:
        write(tmp_path / "x.log", "one\ntwo\n")
        following.expect("one", "two")
    inode = str(os.stat(tmp_path / "x.log").st_ino)
    assert [(event["__inode__"], event["__file_offset__"], event["where"]) for event in following.lane.events] == [
        (inode, "0", "0"),
        (inode, "4", "4"),
    ]


def test_directories_below_to_the_given_depth(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    with Following(tmp_path, FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=2) as following:
        write(deep / "too_deep.log", "no\n")
        write(deep.parent / "x.log", "yes\n")
        following.expect("yes")
        (tmp_path / "new").mkdir()
        write(tmp_path / "new" / "x.log", "new directory\n")
        following.expect("yes", "new directory")


def test_wildcards_in_directories(tmp_path):
    for name in ("app1", "app2", "other"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "x.log", f"{name}\n")
    with Following(tmp_path, FilePaths=[f"{tmp_path}/app?/*.log"], TailingAllMatchedFiles=True) as following:
        wait_for(lambda: len(following.contents) == 2)
        time.sleep(0.1)
    assert sorted(following.contents) == ["app1", "app2"]


def test_what_is_excluded(tmp_path):
    for directory in ("in", "out", "in/deep"):
        (tmp_path / directory).mkdir()
        for name in ("a.log", "debug.log", "b.log"):
            write(tmp_path / directory / name, f"{directory}/{name}\n")
    options = {
        "FilePaths": [f"{tmp_path}/**/*.log"],
        "MaxDirSearchDepth": 5,
        "ExcludeDirs": [f"{tmp_path}/ou*"],
        "ExcludeFiles": ["debug*"],
        "ExcludeFilePaths": [f"{tmp_path}/**/deep/b.log"],
    }
    with Following(tmp_path, TailingAllMatchedFiles=True, **options) as following:
        wait_for(lambda: len(following.contents) >= 3)
        time.sleep(0.1)
    assert sorted(following.contents) == ["in/a.log", "in/b.log", "in/deep/a.log"]


def test_special_files_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo.log")
    (tmp_path / "null.log").symlink_to("/dev/null")
    (tmp_path / "proc.log").symlink_to("/proc/self/status")
    with Following(tmp_path, TailingAllMatchedFiles=True) as following:
        write(tmp_path / "x.log", "fine\n")
        following.expect("fine")
    refused = {values["path"].rpartition("/")[2] for kind, values in following.lane.alarms if kind == "OPEN_LOGFILE_FAIL_ALARM"}
    assert refused == {"proc.log"}


def test_the_agents_own_state_is_never_read(tmp_path):
    (tmp_path / "home").mkdir()
    lane = RememberingLane(never_read=[tmp_path / "home"])
    following = Following(tmp_path, lane, FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=3, TailingAllMatchedFiles=True)
    with following:
        write(tmp_path / "home" / "agent.log", "loop\n")
        (tmp_path / "link").symlink_to(tmp_path / "home")
        following.rescan()
        write(tmp_path / "x.log", "fine\n")
        following.expect("fine")


def test_an_unreadable_file_is_an_alarm_and_is_read_once_it_may_be(tmp_path, monkeypatch):
    write(tmp_path / "x.log", "secret\n")
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    kind, allowed = type(following.lane.platform), Event()
    open_file = kind.open_file

    def guarded(platform, path, **_):
        """What the system does to everybody but root."""
        if not allowed.is_set():
            raise PermissionError(EACCES, "permission denied", path)
        return open_file(platform, path)

    monkeypatch.setattr(kind, "open_file", guarded)
    with following:
        wait_for(lambda: any(alarm == "LOGFILE_PERMINSSION_ALARM" for alarm, _ in following.lane.alarms))
        allowed.set()
        following.rescan()
        following.expect("secret")
    assert ("LOGFILE_PERMINSSION_ALARM", {"path": str(tmp_path / "x.log")}) in following.lane.resolutions


def test_too_many_open_files_are_an_alarm_of_their_own(tmp_path, monkeypatch):
    write(tmp_path / "x.log", "late\n")
    following = Following(tmp_path, TailingAllMatchedFiles=True)
    kind, room = type(following.lane.platform), Event()
    open_file = kind.open_file

    def short(platform, path, **words):
        if not room.is_set():
            raise OSError(EMFILE, "too many open files", path)
        return open_file(platform, path, **words)

    monkeypatch.setattr(kind, "open_file", short)
    path = str(tmp_path / "x.log")
    with following:
        wait_for(lambda: ("OPEN_FILE_LIMIT_ALARM", {"path": path, "reason": "too many open files"}) in following.lane.alarms)
        room.set()
        following.rescan()
        following.expect("late")
    assert ("OPEN_FILE_LIMIT_ALARM", {"path": path}) in following.lane.resolutions


def test_a_file_that_another_pipeline_reads_for_the_same_target_is_left_to_it(tmp_path):
    write(tmp_path / "x.log", "1\n")
    first = Following(tmp_path, TailingAllMatchedFiles=True)
    with first:
        first.expect("1")
    second = Following(tmp_path, TailingAllMatchedFiles=True)
    second.lane.taken_by_others = set(first.lane.known)
    with second:
        write(tmp_path / "x.log", "2\n")
        time.sleep(0.3)
        second.rescan()
        second.expect()
    assert [kind for kind, _ in second.lane.alarms] == ["MULTI_CONFIG_MATCH_ALARM"]


def test_a_range_is_read_again_exactly(tmp_path):
    config = FileConfig.model_validate({"FilePaths": [f"{tmp_path}/*.log"], "FlushTimeoutSecs": 1})
    with Following(tmp_path, FlushTimeoutSecs=1) as following:
        write(tmp_path / "x.log", "one\nhal")
        following.expect("one", "hal")
        write(tmp_path / "x.log", "f\n")
        following.expect("one", "hal", "f")
    (tmp_path / "x.log").rename(tmp_path / "renamed.1")
    states = following.lane.known
    again = [InputFile(config).replay(following.lane, states[stream], one) for stream, one in following.lane.ranges]
    fields = [[(key, value) for key, value in fields] for batch in again for _, fields in batch.rows()]
    assert fields == [[(b"content", b"one")], [(b"content", b"hal")], [(b"content", b"f"), (b"__truncate_info__", b"continued")]]
    write(tmp_path / "renamed.1", "rewritten", mode="w")
    assert [InputFile(config).replay(following.lane, states[stream], one) for stream, one in following.lane.ranges] == [None] * 3


def test_split_is_what_the_input_would_do():
    config = FileConfig.model_validate({"FilePaths": ["/d/x"], "Multiline": {"StartPattern": r"\d"}})
    assert split(b"1 a\n  b\n2 c\n", config).column(b"content") == [b"1 a\n  b", b"2 c"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("x.log", "is not an absolute path"),
        ("/var/log/", "names no file"),
        ("/var/**/a/x.log", "does not stand right before the file name"),
        ("/var/a**/x.log", "does not stand right before the file name"),
    ],
)
def test_paths_that_cannot_be_searched_are_refused(path, problem):
    with pytest.raises(ValueError, match=problem):
        FileConfig.model_validate({"FilePaths": [path]})
