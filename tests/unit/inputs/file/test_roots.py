"""Trees that come and go while an input works, as containers do."""

import time

import pytest

from tailrace.inputs.file import InputFile
from tailrace.inputs.file.roots import Root, Roots
from tests.unit.inputs.file.following import Following, wait_for, write


def tree(tmp_path, name, text=""):
    directory = tmp_path / name / "var" / "log"
    directory.mkdir(parents=True)
    if text:
        write(directory / "app.log", text)
    return directory


@pytest.fixture
def following(tmp_path):
    following = Following(tmp_path, FilePaths=["/var/log/*.log"])
    following.roots = Roots(())
    yield following
    following.lane.room.set()
    following.stop()


def root_of(tmp_path, name, **more):
    return Root(name, host=str(tmp_path / name), beneath=str(tmp_path / name), **more)


@pytest.mark.parametrize(
    ("root", "shown", "host"),
    [
        (Root(), "/var/log/x", "/var/log/x"),
        (Root("c", host="/run/c1"), "/var/log/x", "/run/c1/var/log/x"),
        (Root("v", host="/mnt/v", shown="/var/log"), "/var/log/x", "/mnt/v/x"),
    ],
)
def test_a_path_in_a_root_and_on_the_host(root, shown, host):
    assert root.host_path(shown) == host


def test_a_config_says_nothing_of_trees_that_its_paths_do_not_lie_in():
    assert Root("v", host="/mnt/v", shown="/var/log").pattern("/srv/*.log", 0) is None


def test_a_root_that_is_added_is_read_like_new_files(following, tmp_path):
    following.start()
    tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1"))
    following.expect("one")
    write(tmp_path / "c1" / "var" / "log" / "app.log", "two\n")
    following.expect("one", "two")


TAGS = (("_container_name_", "shop"), ("_image_name_", "shop:7"))


def test_events_carry_the_roots_tags_and_the_path_that_it_shows(following, tmp_path):
    following.start()
    tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1", tags=TAGS))
    following.expect("one")
    assert following.lane.events == [{"__path__": "/var/log/app.log", **dict(TAGS), "content": "one"}]


def test_a_replay_after_the_root_has_gone_gives_the_same_tags(following, tmp_path):
    following.start()
    tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1", tags=TAGS))
    following.expect("one")
    stream, done = following.lane.ranges[0]
    state = following.lane.known[stream]
    again = InputFile(following.input.config)
    following.stop()
    batch = again.replay(following.lane, state, done)
    assert batch.tags == [(b"__path__", b"/var/log/app.log"), (b"_container_name_", b"shop"), (b"_image_name_", b"shop:7")]


def test_what_goes_on_after_a_restart_keeps_its_tags(following, tmp_path):
    following.start()
    directory = tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1", tags=TAGS))
    following.expect("one")
    following.stop()
    write(directory / "app.log", "two\n")
    following.roots = Roots((root_of(tmp_path, "c1", tags=(("_container_name_", "renamed"),)),))
    following.start()
    following.expect("one", "two")
    assert following.lane.events[1] == {**following.lane.events[0], "content": "two"}


@pytest.mark.parametrize("way", ["truncate", "rotate"])
def test_the_next_generation_has_the_tags_too(following, tmp_path, way):
    following.start()
    directory = tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1", tags=TAGS))
    following.expect("one")
    if way == "rotate":
        (directory / "app.log").rename(directory / "app.log.1")
    write(directory / "app.log", "another\n", mode="w")
    following.expect("one", "another")
    assert following.lane.events[1] == {**following.lane.events[0], "content": "another"}


def test_the_innermost_root_names_a_path():
    roots = Roots((Root(), Root("c", host="/run/c"), Root("v", host="/run/c/data", shown="/data")))
    assert [roots.of(path).name for path in ("/run/x", "/run/c/x", "/run/c/data/x", "/run/cc")] == ["", "c", "v", ""]
    roots.remove("v")
    assert roots.of("/run/c/data/x").shown_path("/run/c/data/x") == "/data/x", "what it called a file that is found late"


def test_a_root_that_is_removed_while_behind_loses_nothing(following, tmp_path):
    """Back-pressure holds reading; the root goes, a file of it is not even known yet; everything in it still comes."""
    following.start()
    directory = tree(tmp_path, "c1")
    following.input.add_root(root_of(tmp_path, "c1"))
    lines = [f"line {number:05d}" for number in range(20_000)]
    write(directory / "app.log", "begin\n")
    following.expect("begin")
    following.lane.room.clear()
    write(directory / "app.log", "\n".join(lines * 5) + "\n")
    wait_for(lambda: following.input._follower._files.open_generations)
    time.sleep(0.3)
    write(directory / "late.log", "late\n")
    following.input.remove_root("c1")
    following.lane.room.set()
    wait_for(lambda: len(following.contents) == 100_002)
    assert [text for text in following.contents if text.startswith("line")] == lines * 5
    assert "late" in following.contents
    wait_for(lambda: len(following.lane.ended) == 2)
    assert not following.input._follower._files.open_generations
    assert "unread_bytes_deleted" not in following.lane.counts


def test_what_a_removed_root_writes_afterwards_is_nobodys(following, tmp_path):
    following.start()
    directory = tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1"))
    following.expect("one")
    following.input.remove_root("c1")
    wait_for(lambda: following.lane.ended)
    wait_for(lambda: str(directory) not in following.input._follower._discovery.directories)
    write(directory / "app.log", "two\n")
    time.sleep(0.3)
    following.expect("one")


def test_the_life_time_bounds_how_long_it_is_read_and_what_is_lost_is_counted(following, tmp_path):
    following.start(FlushTimeoutSecs=3600)
    tree(tmp_path, "c1", "one\nunfinished")
    following.input.add_root(root_of(tmp_path, "c1", life_secs=0.5))
    following.expect("one")
    following.input.remove_root("c1")
    wait_for(lambda: following.lane.ended)
    assert following.lane.counts["unread_bytes_deleted"] == len("unfinished")
    assert [values["unread_bytes"] for kind, values in following.lane.alarms if kind == "DROP_LOG_ALARM"] == [len("unfinished")]


def test_a_root_that_is_removed_and_comes_back_goes_on(following, tmp_path):
    following.start()
    directory = tree(tmp_path, "c1", "one\n")
    following.input.add_root(root_of(tmp_path, "c1"))
    following.expect("one")
    following.input.remove_root("c1")
    following.input.add_root(root_of(tmp_path, "c1"))
    write(directory / "app.log", "two\n")
    following.expect("one", "two")


def test_a_link_in_a_root_that_leads_out_of_it_is_never_opened(following, tmp_path):
    write(tmp_path / "secret", "secret\n")
    directory = tree(tmp_path, "c1", "one\n")
    (directory / "out.log").symlink_to(tmp_path / "secret")
    (directory / "in.log").symlink_to(directory / "app.log.real")
    write(directory / "app.log.real", "two\n")
    following.start()
    following.input.add_root(root_of(tmp_path, "c1"))
    wait_for(lambda: len(following.contents) == 2)
    wait_for(lambda: [values["path"] for kind, values in following.lane.alarms if kind == "OPEN_LOGFILE_FAIL_ALARM"])
    assert sorted(following.contents) == ["one", "two"]


def test_a_link_that_is_swapped_in_where_a_file_of_a_root_stood_is_not_opened_again(following, tmp_path):
    """Also a removed root's files stay within it as long as they are read."""
    host = tmp_path / "other"
    host.mkdir()
    directory = tree(tmp_path, "c1", "one\n")
    following.start(CloseUnusedReaderIntervalSec=1)
    following.input.add_root(root_of(tmp_path, "c1"))
    following.expect("one")
    wait_for(lambda: _rescanned(following) and not following.input._follower._files.open_generations)
    (directory / "app.log").rename(host / "app.log")
    (directory / "app.log").symlink_to(host / "app.log")
    write(host / "app.log", "two\n")
    following.rescan()
    wait_for(lambda: [values["path"] for kind, values in following.lane.alarms if kind == "OPEN_LOGFILE_FAIL_ALARM"])
    assert following.contents == ["one"]


def _rescanned(following):
    following.rescan()
    time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("path", "beneath"),
    [
        ("/run/c1/var/log/x", "/real/c1"),
        ("/run/c1/vol/x", "/real/vol"),
        ("/run/c2/var/x", "/run/c2/var"),
    ],
)
def test_links_lead_as_far_as_the_root_says_that_lies_nearest(path, beneath):
    roots = Roots([Root("c1", host="/run/c1", beneath="/real/c1"), Root("v", host="/run/c1/vol", beneath="/real/vol")])
    assert roots.beneath(path) == beneath
    roots.remove("c1")
    roots.remove("v")
    assert roots.beneath(path) == beneath
