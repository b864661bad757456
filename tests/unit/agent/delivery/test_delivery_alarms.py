"""What a target's trouble is called, and when it is over."""

import asyncio
import time

import pytest

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter, open_checkpoint
from tailrace.agent.delivery import attempts, missing
from tailrace.agent.delivery import target as targets
from tailrace.pipeline.contract import BatchLimits, Outcome
from tailrace.testing.clock import Clock
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


async def test_a_flusher_that_raises_is_a_target_that_cannot_be_sent_to(tmp_path):
    made = flusher("raising")
    sending, raised = made.send, []

    async def send(payloads):
        if len(raised) < 2:
            raised.append(payloads)
            raise KeyError("a mistake in a plugin")
        return await sending(payloads)

    made.send = send
    bench = Bench(tmp_path, made)
    bench.submit(0)
    await bench.idle()
    await bench.close()
    assert bench.durable == [0]
    [alarm] = [alarm for alarm in telemetry.recent_alarms() if alarm.values.get("target") == "raising"]
    assert (alarm.kind, alarm.state, alarm.count) == ("SEND_DATA_FAIL_ALARM", "resolved", 2)
    assert alarm.values["reason"] == "KeyError: 'a mistake in a plugin'"


async def test_an_answer_after_more_than_ten_seconds_is_told(tmp_path, monkeypatch):
    assert attempts.LONG_SECS == 10
    monkeypatch.setattr(attempts, "LONG_SECS", 0.05)
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


def reopened(directory) -> tuple[missing.Missing, CheckpointWriter]:
    """As a session that begins has it."""
    opened = open_checkpoint(directory)
    writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
    writer.start()
    return missing.Missing(opened.content.missing, writer.missing), writer


def test_a_target_that_does_not_exist_is_parked_after_a_day_however_often_the_agent_is_restarted(tmp_path, monkeypatch):
    clock = Clock(1_800_000_000.0)
    monkeypatch.setattr(missing, "time", clock)
    found = []
    for hours in (0, 6, 12, 23, 25, 26):
        known, writer = reopened(tmp_path)
        clock.now = 1_800_000_000.0 + hours * 3600
        found.append(known.is_parked("sls:gone"))
        writer.stop()
    assert found == [False, False, False, False, True, True]
    known, writer = reopened(tmp_path)
    known.is_there("sls:gone")
    writer.stop()
    known, writer = reopened(tmp_path)
    assert not known.is_parked("sls:gone")
    writer.stop()


def test_a_clock_that_is_turned_back_parks_nothing_early(monkeypatch):
    clock, kept = Clock(1_800_000_000.0), []
    monkeypatch.setattr(missing, "time", clock)
    known = missing.Missing({"sls:gone": clock.now + 1e6}, lambda since: kept.append(dict(since)))
    assert not known.is_parked("sls:gone")
    clock.now += missing.PARKED_SECS + 1
    assert known.is_parked("sls:gone")
    assert kept == [{"sls:gone": 1_800_000_000.0}]


async def test_after_a_day_the_alarm_says_so(tmp_path, monkeypatch):
    clock = Clock(1_800_000_000.0)
    monkeypatch.setattr(missing, "time", clock)
    bench = Bench(tmp_path, flusher("long gone", Outcome.MISSING, Outcome.MISSING))
    bench.target._attempts._missing = missing.Missing({"long gone": clock.now - missing.PARKED_SECS - 1}, lambda _: None)
    bench.submit(0)
    await bench.idle()
    await bench.close()
    [alarm] = [alarm for alarm in telemetry.recent_alarms() if alarm.values.get("target") == "long gone"]
    assert "for a day" in alarm.message
