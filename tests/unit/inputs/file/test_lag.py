"""A file that is read more slowly than it is written: an alarm after a minute, and a jump ahead where that is wanted."""

import pytest

from tailrace.inputs.file import FileConfig
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.lag import ALARM_AFTER_SECS, Lag
from tailrace.inputs.file.rotation import open_content
from tests.unit.inputs.file.following import Following, RememberingLane, wait_for, write


@pytest.fixture
def following(tmp_path):
    following = Following(tmp_path)
    yield following
    following.stop()


class Behind:
    """A generation, as far as the alarm goes."""

    stream, path, unread = "S", "/var/log/a.log", 1001


def test_the_alarm_comes_after_a_minute_behind_and_not_before(following):
    now = [0.0]
    config = FileConfig.model_validate({"FilePaths": ["/var/log/a.log"], "ReadDelayAlertThresholdBytes": 1000})
    lag, alarms = Lag(config, following.lane, clock=lambda: now[0]), following.lane.alarms
    lag.look([Behind()])
    now[0] = ALARM_AFTER_SECS - 1
    lag.look([Behind()])
    assert alarms == []
    now[0] = ALARM_AFTER_SECS
    lag.look([Behind()])
    assert alarms == [("READ_LOG_DELAY_ALARM", {"path": "/var/log/a.log", "unread_bytes": 1001})]
    assert following.lane.resolutions == []
    lag.look([])  # it has caught up
    assert following.lane.resolutions == [("READ_LOG_DELAY_ALARM", {"path": "/var/log/a.log"})]
    now[0] = 2 * ALARM_AFTER_SECS
    lag.look([Behind()])
    assert len(alarms) == 1


def test_only_the_newest_part_is_read_from_a_line_start_and_the_rest_is_counted(following, tmp_path):
    log = tmp_path / "a.log"
    text = "".join(f"line {number:05d}\n" for number in range(10_000))
    log.write_text(text)
    following.start(TailingAllMatchedFiles=True, ReadDelaySkipThresholdBytes=1000)
    wait_for(lambda: following.contents and following.contents[-1] == "line 09999")
    assert following.contents == text.splitlines()[-(1000 // 11) :]
    skipped = len(text) - len(following.contents) * 11
    assert following.lane.counts["skipped_bytes"] == skipped
    assert ("SKIP_READ_LOG_ALARM", {"path": str(log), "skipped_bytes": skipped, "offset": 0}) in following.lane.alarms
    write(log, "one more\n")
    wait_for(lambda: following.contents[-1] == "one more")
    sequences = [done.sequence for _, done in following.lane.ranges]
    assert sequences == list(range(len(sequences)))
    assert [done.start for _, done in following.lane.ranges] == [skipped, len(text)]


def test_nothing_is_skipped_unless_it_is_asked_for(following, tmp_path):
    (tmp_path / "a.log").write_text("x" * 5000 + "\nlast\n")
    following.start(TailingAllMatchedFiles=True)
    wait_for(lambda: len(following.contents) == 2)
    assert "skipped_bytes" not in following.lane.counts


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_line_start_is_one_of_the_encoding(following, tmp_path, codec):
    """U+0A41 and U+410A hold the byte of a newline in UTF-16."""
    log = tmp_path / "a.log"
    text = "\ufeff" + "".join(f"\u0a41\u410a {number:05d}\n" for number in range(2_000))
    log.write_bytes(text.encode(codec))
    following.start(TailingAllMatchedFiles=True, ReadDelaySkipThresholdBytes=997, FileEncoding="utf16")
    wait_for(lambda: following.contents and following.contents[-1].endswith("01999"))
    assert following.contents == text.splitlines()[-(997 // 18) :]
    assert following.lane.counts["skipped_bytes"] == len(log.read_bytes()) - len(following.contents) * 18


def test_a_truncation_is_not_hidden_by_a_jump(following, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("before\n")
    following.start(TailingAllMatchedFiles=True, ReadDelaySkipThresholdBytes=1000)
    following.expect("before")
    text = "".join(f"line {number:05d}\n" for number in range(200))
    log.write_text(text)
    wait_for(lambda: following.contents[-1] == "line 00199")
    assert following.lane.counts["truncations"] == 1
    first = int(following.contents[1].split()[1])
    assert following.contents[1:] == text.splitlines()[first:]
    assert following.lane.counts.get("skipped_bytes", 0) == first * 11


def test_a_file_that_is_no_longer_as_long_as_it_was_seen_is_not_jumped_over(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("line 1\nline 2\n")
    content = open_content(RememberingLane().platform, str(log), beneath="/")
    generation = Generation("1:2:3", content.file, content.identity.born, str(log), str(log), content=content)
    generation.size = 10_000  # at the last look
    lane = RememberingLane()
    Lag(FileConfig.model_validate({"FilePaths": [str(log)], "ReadDelaySkipThresholdBytes": 1000}), lane).skip(generation)
    generation.close()
    assert (generation.offset, lane.counts, lane.alarms) == (0, {}, [])
