"""Metrics exist once per name."""

import pytest

from tailrace import telemetry


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
