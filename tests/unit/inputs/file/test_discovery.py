"""Which files are found: links, loops, bounds, directories that come and go, and what the agent's own policy forbids."""

import errno
import os
import time

import pytest

from tailrace.inputs.file import FileConfig
from tailrace.pipeline.platform import Change
from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write


def alarms(following, kind):
    return [values for one, values in following.lane.alarms if one == kind]


def test_a_linked_file_is_read_under_the_name_of_the_link_and_its_growth_is_seen_at_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "app.log").symlink_to(tmp_path / "real" / "data")
    with Following(tmp_path) as following:
        write(tmp_path / "real" / "data", "one\n")
        following.rescan()
        following.expect("one")
        write(tmp_path / "real" / "data", "two\n")
        following.expect("one", "two")
    assert {event["__path__"] for event in following.lane.events} == {str(tmp_path / "app.log")}


def test_a_link_that_is_switched_to_another_file_is_followed_there_and_nothing_of_the_old_one_is_missed(tmp_path):
    (tmp_path / "real").mkdir()
    for name in ("1", "2"):
        write(tmp_path / "real" / name, "")
    (tmp_path / "app.log").symlink_to(tmp_path / "real" / "1")
    with Following(tmp_path) as following:
        write(tmp_path / "real" / "1", "one\n")
        following.expect("one")
        write(tmp_path / "real" / "1", "last of one\n")
        (tmp_path / "new").symlink_to(tmp_path / "real" / "2")
        os.replace(tmp_path / "new", tmp_path / "app.log")
        write(tmp_path / "real" / "2", "two\n")
        following.expect("one", "last of one", "two")


def test_a_directory_link_that_is_switched_is_noticed_without_an_event(tmp_path):
    for release in ("1", "2"):
        (tmp_path / release / "log").mkdir(parents=True)
    (tmp_path / "current").symlink_to(tmp_path / "1")
    with Following(tmp_path, FilePaths=[f"{tmp_path}/current/log/*.log"]) as following:
        write(tmp_path / "1" / "log" / "x.log", "one\n")
        following.expect("one")
        (tmp_path / "new").symlink_to(tmp_path / "2")
        os.replace(tmp_path / "new", tmp_path / "current")
        write(tmp_path / "2" / "log" / "x.log", "two\n")
        following.expect("one", "two")
        write(tmp_path / "2" / "log" / "x.log", "three\n")
        following.expect("one", "two", "three")


def test_loops_of_links_end(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    write(tmp_path / "a" / "b" / "x.log", "once\n")
    with Following(tmp_path, FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=1000, TailingAllMatchedFiles=True) as following:
        following.expect("once")


def test_a_deep_tree_is_searched_to_its_bottom(tmp_path):
    deep = tmp_path.joinpath(*["d"] * 900)
    deep.mkdir(parents=True)
    write(deep / "x.log", "deep\n")
    with Following(tmp_path, FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=1000, TailingAllMatchedFiles=True) as following:
        following.expect("deep")


def test_a_directory_that_is_made_later_and_made_anew_is_watched(tmp_path):
    logs = tmp_path / "later" / "logs"
    with Following(tmp_path, FilePaths=[f"{logs}/*.log"]) as following:
        for number in range(2):
            logs.mkdir(parents=True)
            write(logs / "x.log", f"{number}\n")
            following.expect(*map(str, range(number + 1)))
            (logs / "x.log").unlink()
            logs.rmdir()
            logs.parent.rmdir()
            time.sleep(0.2)


@pytest.mark.parametrize("policy", [{"roots": "{}/allowed"}, {"never_read": ["{}/state"]}])
def test_the_agents_policy_holds_against_configs_and_links(tmp_path, policy):
    for name in ("allowed", "state"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "x.log", f"{name}\n")
    (tmp_path / "allowed" / "link.log").symlink_to(tmp_path / "state" / "x.log")
    (tmp_path / "allowed" / "linked").symlink_to(tmp_path / "state")
    policy = {key: [text.format(tmp_path) for text in ([value] if isinstance(value, str) else value)] for key, value in policy.items()}
    options = {"FilePaths": [f"{tmp_path}/**/*.log", f"{tmp_path}/state/x.log"], "MaxDirSearchDepth": 5, "TailingAllMatchedFiles": True}
    with Following(tmp_path, RememberingLane(**policy), **options) as following:
        following.expect("allowed")
        forbidden = {"path": str(tmp_path / "state"), "reason": "the agent's own policy forbids to read it"}
        told = [values for kind, values in following.lane.alarms if kind == "LOGDIR_PERMINSSION_ALARM"]
        assert told  # a config names it
        assert [values for values in told if values != forbidden] == []  # what a link leads to is nobody's wish


def test_links_of_a_root_lead_no_further_than_its_own_tree(tmp_path):
    write(tmp_path / "secret", "secret\n")
    (tmp_path / "in").mkdir()
    descriptor = None
    platform = RememberingLane().platform
    (tmp_path / "in" / "x.log").symlink_to(tmp_path / "secret")
    with pytest.raises(PermissionError):
        descriptor = platform.open_file(str(tmp_path / "in" / "x.log"), beneath=str(tmp_path / "in"))
    assert descriptor is None


def test_a_link_that_is_swapped_while_it_is_opened_never_shows_what_is_forbidden(tmp_path):
    """The race that a check before opening loses: the link points to a harmless file when it is checked and elsewhere when it is opened."""
    (tmp_path / "state").mkdir()
    write(tmp_path / "state" / "key", "secret")
    write(tmp_path / "fine", "fine")
    platform = RememberingLane(never_read=[tmp_path / "state"]).platform
    link, new = tmp_path / "x.log", tmp_path / "new"
    stop = time.monotonic() + 0.5
    opened = {b"fine": 0, "refused": 0}

    def swap():
        while time.monotonic() < stop:
            for target in (tmp_path / "fine", tmp_path / "state" / "key"):
                new.symlink_to(target)
                os.replace(new, link)

    link.symlink_to(tmp_path / "fine")
    child = os.fork()
    if not child:
        swap()
        os._exit(0)
    while time.monotonic() < stop:
        try:
            descriptor = platform.open_file(str(link))
        except PermissionError:
            opened["refused"] += 1
            continue
        opened[os.read(descriptor, 10)] += 1
        os.close(descriptor)
    os.waitpid(child, 0)
    assert opened[b"fine"] > 10
    assert opened["refused"] > 10


def test_beyond_the_bound_new_files_are_left_out_and_known_ones_stay(tmp_path):
    for number in range(3):
        write(tmp_path / f"old{number}.log", "")
    with Following(tmp_path, RememberingLane(max_files_per_config=3)) as following:
        write(tmp_path / "a-new-one.log", "left out\n")
        for number in range(3):
            write(tmp_path / f"old{number}.log", f"{number}\n")
        wait_for(lambda: len(following.contents) == 3)
        following.rescan()
        wait_for(lambda: alarms(following, "STAT_LIMIT_ALARM"))
        assert sorted(following.contents) == ["0", "1", "2"]
        (tmp_path / "old1.log").unlink()
        following.rescan()
        wait_for(lambda: "left out" in following.contents)


def test_all_inputs_share_the_agents_bound(tmp_path):
    for directory in ("a", "b"):
        (tmp_path / directory).mkdir()
        for number in range(2):
            write(tmp_path / directory / f"{number}.log", f"{directory}\n")
    first_lane = RememberingLane(max_files=3)
    second_lane = RememberingLane()
    second_lane.bounds = first_lane.bounds
    first = Following(tmp_path / "a", first_lane, TailingAllMatchedFiles=True)
    second = Following(tmp_path / "b", second_lane, TailingAllMatchedFiles=True)
    with first:
        first.expect("a", "a")
        with second:
            second.expect("b")
            assert alarms(second, "STAT_LIMIT_ALARM")


def test_a_wildcard_stands_for_so_many_directories_and_no_more(tmp_path):
    for number in range(5):
        (tmp_path / str(number)).mkdir()
        write(tmp_path / str(number) / "x.log", f"{number}\n")
    lane = RememberingLane(max_wildcard_directories=2)
    with Following(tmp_path, lane, FilePaths=[f"{tmp_path}/*/x.log"], TailingAllMatchedFiles=True) as following:
        wait_for(lambda: len(following.contents) == 2)
        assert sorted(following.contents) == ["0", "1"]
        assert alarms(following, "STAT_LIMIT_ALARM") == [{"path": str(tmp_path), "directories": 5, "bound": 2}]


def test_a_directory_that_cannot_be_listed_is_an_alarm_until_it_can(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    write(closed / "x.log", "1\n")
    scan, listed = os.scandir, []

    def guarded(path="."):
        """What the system does to everybody but root."""
        if path == str(closed) and not listed:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with Following(tmp_path, FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=1, TailingAllMatchedFiles=True) as following:
        wait_for(lambda: alarms(following, "LOGDIR_PERMINSSION_ALARM"))
        assert alarms(following, "LOGDIR_PERMINSSION_ALARM")[0] == {"path": str(closed), "reason": "permission denied"}
        listed.append(True)
        following.rescan()
        following.expect("1")
    assert following.lane.resolutions[0] == ("LOGDIR_PERMINSSION_ALARM", {"path": str(closed)})


def test_directories_beyond_the_watches_are_scanned(tmp_path):
    for number in range(4):
        (tmp_path / str(number)).mkdir()
    lane = RememberingLane(max_watched_directories=2)
    with Following(tmp_path, lane, FilePaths=[f"{tmp_path}/**/*.log"], MaxDirSearchDepth=1) as following:
        for number in range(4):
            write(tmp_path / str(number) / "x.log", f"{number}\n")
        wait_for(lambda: len(following.contents) == 4)
        assert alarms(following, "DIR_EXCEED_LIMIT_ALARM")


def test_changes_that_came_too_fast_to_be_noted_are_found_by_a_scan(tmp_path):
    with Following(tmp_path) as following:
        follower = following.input._follower
        follower._watcher.changes = lambda: [Change("", "")]
        write(tmp_path / "x.log", "one\n")
        wait_for(lambda: following.contents == ["one"])
    assert alarms(following, "INOTIFY_EVENT_OVERFLOW_ALARM")


def test_a_directory_without_updates_is_left_and_comes_back_with_a_new_file(tmp_path):
    old = time.time() - 3600
    for name in ("quiet", "busy"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "x.log", "")
    os.utime(tmp_path / "quiet" / "x.log", (old, old))
    os.utime(tmp_path / "quiet", (old, old))
    options = {"FilePaths": [f"{tmp_path}/**/*.log"], "MaxDirSearchDepth": 1, "PreservedDirDepth": 0}
    with Following(tmp_path, **options) as following:
        follower = following.input._follower
        following.rescan()
        wait_for(lambda: follower._discovery.directories[str(tmp_path / "quiet")].asleep)
        assert not follower._discovery.directories[str(tmp_path / "busy")].asleep
        assert not follower._discovery.directories[str(tmp_path)].asleep
        write(tmp_path / "quiet" / "x.log", "unnoticed for now\n")
        write(tmp_path / "busy" / "x.log", "busy\n")
        following.rescan()
        following.expect("busy")
        write(tmp_path / "quiet" / "new.log", "new\n")
        following.rescan()
        wait_for(lambda: sorted(following.contents) == ["busy", "new", "unnoticed for now"])


@pytest.mark.parametrize("path", ["/x.log", "/*/x.log", "/**/x.log"])
def test_the_root_directory_is_searched_only_on_purpose(path):
    with pytest.raises(ValueError, match="searches the root directory"):
        FileConfig.model_validate({"FilePaths": [path]})
    FileConfig.model_validate({"FilePaths": [path], "AllowingCollectingFilesInRootDir": True})


EVERY_MODE = {
    "lines": {},
    "start": {"Multiline": {"StartPattern": r"\d"}},
    "start and continue": {"Multiline": {"StartPattern": r"\d", "ContinuePattern": r"\s"}},
    "start and end": {"Multiline": {"StartPattern": r"\d", "EndPattern": "e"}},
    "continue and end": {"Multiline": {"ContinuePattern": r"\s", "EndPattern": "e"}},
    "end": {"Multiline": {"EndPattern": "e"}},
    "JSON objects": {"Multiline": {"Mode": "JSON"}},
    "whole files": {"Multiline": {"Mode": "whole_file"}},
    "gbk": {"FileEncoding": "gbk"},
    "utf16": {"FileEncoding": "utf16"},
}


@pytest.fixture(scope="module")
def old_files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("old")
    for number in range(1000):
        write(directory / f"{number}.log", '1 old\n{"a": 1}\n unfinished')
    return directory


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_a_thousand_old_files_are_no_news_in_any_mode_neither_now_nor_after_a_restart(old_files, mode):
    following = Following(old_files, FlushTimeoutSecs=1, **EVERY_MODE[mode])
    for _ in range(2):
        with following:
            following.rescan()
            following.expect()
    assert following.lane.ranges == []


def test_one_of_a_thousand_old_files_that_changes_is_read(tmp_path):
    for number in range(1000):
        write(tmp_path / f"{number}.log", "old\n")
    with Following(tmp_path) as following:
        write(tmp_path / "7.log", "new\n")
        following.expect("old", "new")
