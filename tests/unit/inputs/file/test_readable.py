"""Since when bytes could be read: what an event's age is counted from, so that our own delay never makes it too old."""

import time

import pytest

from tests.unit.inputs.file.following import Following, wait_for, write


@pytest.fixture
def following(tmp_path):
    following = Following(tmp_path)
    yield following
    following.stop()


def readable_at(following):
    return [done.readable_at for _, done in following.lane.ranges]


def test_growth_is_readable_since_the_file_was_last_read_to_its_end(following, tmp_path):
    log = tmp_path / "a.log"
    following.start()
    write(log, "one\n")
    following.expect("one")
    before = time.time_ns()
    write(log, "two\n")
    following.expect("one", "two")
    first, second = readable_at(following)
    assert first <= second <= before
    assert before - second < 5e9


def test_what_was_written_while_no_agent_ran_is_readable_since_before_it_stopped(following, tmp_path):
    log = tmp_path / "a.log"
    with following:
        write(log, "one\n")
        following.expect("one")
    stopped = time.time_ns()
    write(log, "two\n")
    write(tmp_path / "new.log", "three\n")
    with following:
        wait_for(lambda: len(following.contents) == 3)
    assert all(0 < since < stopped for since in readable_at(following))


def test_a_file_that_appears_is_readable_since_the_last_scan_before_it(following, tmp_path):
    following.start()
    started = time.time_ns()
    time.sleep(0.05)
    write(tmp_path / "a.log", "one\n")
    following.expect("one")
    assert 0 < readable_at(following)[0] <= started


def test_history_on_purpose_is_never_too_old(following, tmp_path):
    write(tmp_path / "a.log", "one\n")
    following.start(TailingAllMatchedFiles=True)
    following.expect("one")
    write(tmp_path / "a.log", "two\n")
    following.expect("one", "two")
    assert readable_at(following) == [0, 0]
