"""An agent that is held back by its own limits says so, when that lasts."""

from tailrace import telemetry
from tailrace.agent.status.held import Held


def states() -> list[str]:
    return [alarm.state for alarm in telemetry.recent_alarms() if alarm.kind == "PROCESS_QUEUE_BUSY_ALARM"]


def test_a_minute_at_a_limit_is_told_until_it_is_over():
    telemetry.resolved("PROCESS_QUEUE_BUSY_ALARM")
    held, before = Held(), states()
    for now, limits in ((0.0, ["cpu"]), (59.0, ["cpu"]), (59.5, []), (60.0, ["memory"]), (119.0, ["memory"])):
        held.look(limits, now)
        assert states() == before
    held.look(["memory", "cpu"], 120.0)
    assert states() == ["active"]
    held.look([], 121.0)
    assert states() == ["resolved"]
