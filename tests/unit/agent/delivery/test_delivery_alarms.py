"""What a target's trouble is called, and when it is over."""

import asyncio
import time

import pytest

from tailrace import telemetry
from tailrace.agent.delivery import target as targets
from tailrace.pipeline.contract import BatchLimits, Outcome
from tests.unit.agent.delivery.test_delivery import Bench, ScriptedFlusher


def alarms(target: str) -> dict[str, str]:
    """Kind → state of what is about a target."""
    return {alarm.kind: alarm.state for alarm in telemetry.recent_alarms() if alarm.values.get("target") == target}


def flusher(name: str, *script: Outcome, seconds: float = 0.0) -> ScriptedFlusher:
    made = ScriptedFlusher(*script, limits=BatchLimits(max_payloads=1, linger=0.0), seconds=seconds)
    made.target = made.destination = name
    return made


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.RETRY, "SEND_DATA_FAIL_ALARM"),
        (Outcome.UNAUTHORIZED, "SEND_DATA_FAIL_ALARM"),
        (Outcome.MISSING, "SEND_DATA_FAIL_ALARM"),
        (Outcome.THROTTLED, "SEND_QUOTA_EXCEED_ALARM"),
    ],
)
async def test_each_refusal_has_its_alarm_which_ends_with_the_first_success(tmp_path, outcome, kind):
    name = f"refusing {outcome.value}"
    bench = Bench(tmp_path, flusher(name, outcome, outcome))
    bench.submit(0)
    await bench.idle()
    await bench.close()
    assert alarms(name) == {kind: "resolved"}
    [alarm] = [alarm for alarm in telemetry.recent_alarms() if alarm.values.get("target") == name]
    assert alarm.count == 2


async def test_an_answer_after_more_than_ten_seconds_is_told(tmp_path, monkeypatch):
    assert targets.LONG_SECS == 10
    monkeypatch.setattr(targets, "LONG_SECS", 0.05)
    bench = Bench(tmp_path, flusher("slow to answer", seconds=0.1))
    bench.submit(0)
    await bench.idle()
    await bench.close()
    assert alarms("slow to answer") == {"SENDING_COSTS_TOO_MUCH_TIME_ALARM": "active"}


async def test_what_waits_for_more_than_ten_seconds_is_told_until_it_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "LONG_SECS", 1.0)
    bench = Bench(tmp_path, flusher("full"))
    bench.task.cancel()
    bench.submit(0)
    await asyncio.sleep(0)
    now = time.monotonic()
    monkeypatch.setattr(targets.time, "monotonic", lambda: now + 0.9)
    bench.target.look()
    assert alarms("full") == {}
    monkeypatch.setattr(targets.time, "monotonic", lambda: now + 30.0)
    bench.target.look()
    assert alarms("full") == {"LOG_GROUP_WAIT_TOO_LONG_ALARM": "active"}
    monkeypatch.undo()
    bench.task = asyncio.create_task(bench.target.run())
    await bench.idle()
    bench.target.look()
    assert alarms("full") == {"LOG_GROUP_WAIT_TOO_LONG_ALARM": "resolved"}
    await bench.close()
