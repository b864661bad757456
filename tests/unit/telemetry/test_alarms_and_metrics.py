"""One call raises an alarm everywhere; metrics exist once per name."""

import pytest

from tailrace import telemetry


def latest(kind: str) -> telemetry.Alarm:
    return next(alarm for alarm in telemetry.recent_alarms() if alarm.kind == kind)


def test_an_alarm_is_counted_and_remembered():
    telemetry.alarm("TEST_SEEN_ALARM", "cannot read `/a`", path="/a", size=3)
    assert latest("TEST_SEEN_ALARM").message == "cannot read `/a`"
    assert latest("TEST_SEEN_ALARM").values == {"path": "/a", "size": 3}
    assert b'tailrace_alarms_total{kind="TEST_SEEN_ALARM"} 1.0' in telemetry.render()


def test_the_same_alarm_counts_up_and_another_subject_is_another_alarm():
    for path in ("/a", "/a", "/b"):
        telemetry.alarm("TEST_AGAIN_ALARM", "cannot read", path=path)
    counts = {str(alarm.values["path"]): alarm.count for alarm in telemetry.recent_alarms() if alarm.kind == "TEST_AGAIN_ALARM"}
    assert counts == {"/a": 2, "/b": 1}


def test_an_alarm_keeps_no_secret():
    telemetry.alarm("TEST_SECRET_ALARM", "refused: token=abc", password="abc")
    assert "abc" not in repr(latest("TEST_SECRET_ALARM"))


def test_only_the_latest_alarms_are_remembered():
    for number in range(300):
        telemetry.alarm("TEST_MANY_ALARM", "cannot read", path=str(number))
    assert len(telemetry.recent_alarms()) == 256
    assert telemetry.recent_alarms()[-1].values["path"] == "299"


def test_a_metric_exists_once_per_name():
    first = telemetry.counter("tailrace_test_things_total", "Things.", "kind")
    assert telemetry.counter("tailrace_test_things_total", "Things.", "kind") is first
    first.labels("a").inc(2)
    assert b'tailrace_test_things_total{kind="a"} 2.0' in telemetry.render()


def test_a_name_cannot_be_two_kinds_of_metric():
    telemetry.gauge("tailrace_test_level_bytes", "Level.")
    with pytest.raises(TypeError, match="is a gauge, not a counter"):
        telemetry.counter("tailrace_test_level_bytes", "Level.")


def test_the_values_of_a_metric_can_be_asked_for():
    metric = telemetry.gauge("tailrace_test_depth_bytes", "Depth.", "queue")
    metric.labels("a").set(3)
    metric.labels("b").set(4)
    assert telemetry.values("tailrace_test_depth_bytes") == {("a",): 3.0, ("b",): 4.0}
    assert telemetry.values("tailrace_test_nothing_total") == {}
