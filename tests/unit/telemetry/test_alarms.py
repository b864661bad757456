"""An alarm: what makes it the same one, how it begins and ends, what is reported of it."""

from collections.abc import Callable

import pytest

from tailrace import telemetry
from tailrace.telemetry import alarms


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the start of a process."""
    monkeypatch.setattr(alarms, "_alarms", type(alarms._alarms)())
    for counter in ("_crowds", "_lasting"):
        monkeypatch.setattr(alarms, counter, type(alarms._crowds)())


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock."""
    now = [1000.0]
    monkeypatch.setattr(alarms.time, "time", lambda: now[0])
    return lambda second: now.__setitem__(0, second)


def states() -> dict[object, str]:
    return {alarm.values.get("path", alarm.kind): alarm.state for alarm in telemetry.recent_alarms()}


def test_an_alarm_is_counted_and_remembered():
    telemetry.alarm("TEST_SEEN_ALARM", "cannot read `/a`", path="/a", size=3)
    [alarm] = telemetry.recent_alarms()
    assert (alarm.message, alarm.values, alarm.state) == ("cannot read `/a`", {"path": "/a", "size": 3}, "active")
    assert b'tailrace_alarms_total{kind="TEST_SEEN_ALARM"} 1.0' in telemetry.render()


def test_the_same_alarm_counts_up_and_another_subject_is_another_alarm(at):
    for second, path in ((1000, "/a"), (1010, "/a"), (1020, "/b")):
        at(second)
        telemetry.alarm("TEST_AGAIN_ALARM", "cannot read", path=path)
    first, second = telemetry.recent_alarms()
    assert (first.count, first.first_at, first.last_at) == (2, 1000, 1010)
    assert (second.count, second.values["path"]) == (1, "/b")
    assert first.id != second.id


def test_the_id_follows_from_the_kind_and_what_it_is_about():
    def id_of(kind: str, **values: object) -> str:
        telemetry.alarm(kind, "text", **values)
        return telemetry.recent_alarms()[-1].id

    one = id_of("A_ALARM", path="/a", pipeline="p", reason="yesterday")
    assert one == id_of("A_ALARM", pipeline="p", path="/a", reason="today")
    assert one == "1168d14969f42115"
    assert (
        len({one, id_of("B_ALARM", path="/a", pipeline="p"), id_of("A_ALARM", path="/b", pipeline="p"), id_of("A_ALARM", path="/a")}) == 4
    )


def test_an_alarm_keeps_no_secret():
    telemetry.alarm("TEST_SECRET_ALARM", "refused: token=abc", password="abc")
    assert "abc" not in repr(telemetry.recent_alarms())


def test_an_event_is_over_after_a_time_of_silence_and_a_condition_when_it_is_said(at):
    telemetry.alarm("LOG_TRUNCATE_ALARM", "cut", path="event")
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", path="condition")
    at(1000 + alarms.QUIET_SECS)
    assert states() == {"event": "active", "condition": "active"}
    at(1001 + alarms.QUIET_SECS)
    assert states() == {"event": "resolved", "condition": "active"}
    telemetry.resolved("SEND_DATA_FAIL_ALARM", path="another")
    assert states()["condition"] == "active"
    telemetry.resolved("SEND_DATA_FAIL_ALARM", path="condition")
    assert states()["condition"] == "resolved"


def test_what_comes_back_is_the_same_alarm_and_counts_anew(at):
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", target="t")
    telemetry.resolved("SEND_DATA_FAIL_ALARM", target="t")
    [before] = telemetry.recent_alarms()
    at(2000)
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", target="t")
    [after] = telemetry.recent_alarms()
    assert (after.id, after.first_at, after.count, after.state) == (before.id, 2000, 1, "active")


def test_a_pipeline_that_is_gone_takes_its_alarms_with_it():
    telemetry.alarm("A_ALARM", "text", pipeline="gone", path="/a")
    telemetry.alarm("A_ALARM", "text", pipeline="stays", path="/b")
    telemetry.resolved("", pipeline="gone")
    assert states() == {"/a": "resolved", "/b": "active"}


def test_a_condition_that_is_in_doubt_is_over_unless_it_is_raised_again(at):
    for path in ("/a", "/b"):
        telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", path=path)
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", file="/c")
    telemetry.alarm("SEND_QUOTA_EXCEED_ALARM", "cannot send", path="/d")
    telemetry.doubt("pipeline", "path", but="SEND_QUOTA_EXCEED_ALARM")
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", path="/b")
    at(1001 + alarms.QUIET_SECS)
    assert states() == {"/a": "resolved", "/b": "active", "/d": "active", "SEND_DATA_FAIL_ALARM": "active"}


def test_what_happened_is_reported_once_with_its_count():
    for _ in range(3):
        telemetry.alarm("A_ALARM", "text", path="/a")
    [report] = telemetry.reports()
    assert (report.count, report.alarm.count, report.alarm.state) == (3, 3, "active")
    assert telemetry.reports() == []
    telemetry.alarm("A_ALARM", "text", path="/a")
    telemetry.resolved("A_ALARM", path="/a")
    [report] = telemetry.reports()
    assert (report.count, report.alarm.count, report.alarm.state) == (1, 4, "resolved")
    assert telemetry.reports() == []


def test_an_alarm_of_a_former_life_goes_on(at):
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", target="t")
    [known] = telemetry.recent_alarms()
    alarms._alarms.clear()
    alarms._lasting.clear()
    telemetry.restore(known)
    telemetry.resolved("SEND_DATA_FAIL_ALARM", target="another")
    at(1100)
    telemetry.alarm("SEND_DATA_FAIL_ALARM", "cannot send", target="t")
    [alarm] = telemetry.recent_alarms()
    assert (alarm.id, alarm.first_at, alarm.count) == (known.id, 1000, 2)
    assert [report.count for report in telemetry.reports()] == [1]


def test_a_flood_of_paths_is_one_further_alarm_and_hides_no_other():
    telemetry.alarm("RARE_ALARM", "text")
    for number in range(1000):
        telemetry.alarm("FLOOD_ALARM", "text", path=str(number), pipeline="p")
    known = telemetry.recent_alarms()
    assert [alarm.kind for alarm in known].count("FLOOD_ALARM") == alarms.MOST_SUBJECTS + 1
    assert (known[-1].count, known[-1].values["path"]) == (1000 - alarms.MOST_SUBJECTS, "999")
    assert known[0].kind == "RARE_ALARM"


def test_of_too_many_what_is_over_is_forgotten_first():
    telemetry.alarm("OLD_ALARM", "text")
    telemetry.alarm("OVER_ALARM", "text")
    telemetry.resolved("OVER_ALARM")
    for number in range(alarms.RING_SIZE - 1):
        telemetry.alarm("MANY_ALARM", "text", pipeline=str(number))
    telemetry.resolved("OVER_ALARM")
    kinds = {alarm.kind for alarm in telemetry.recent_alarms()}
    assert kinds == {"OLD_ALARM", "MANY_ALARM"}
    telemetry.alarm("MANY_ALARM", "text", pipeline="one more")
    assert {alarm.kind for alarm in telemetry.recent_alarms()} == {"MANY_ALARM"}
    assert len(telemetry.recent_alarms()) == alarms.RING_SIZE
