"""What the last session has left goes back to its sources, whatever happens to the lanes meanwhile."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tailrace import telemetry
from tailrace.agent import inheritance
from tailrace.agent.assembly import Group
from tailrace.agent.inheritance import Inheritance
from tailrace.agent.lanes.streams import StreamTable
from tailrace.wire.identity import StoredEnd


class Parts:
    """Two groups that send to one target, of which the server has something."""

    def __init__(self) -> None:
        self.target: Any = SimpleNamespace(flusher=SimpleNamespace(destination="t", formerly=()))
        self.lanes: list[Any] = [SimpleNamespace(target=self.target, pipeline=name, stopping=False) for name in ("first", "second")]
        self.groups = {("t", lane.pipeline): Group([lane]) for lane in self.lanes}
        self.targets = {"t": self.target}


def inherited(parts: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> Inheritance:
    """One whose sources are looked at by `run`, which is given a lane."""
    streams = StreamTable("agent", [], {})
    streams.stored_ends = {"s": StoredEnd(1)}
    monkeypatch.setattr(inheritance, "AGAIN_SECS", 0.001)
    content: Any = SimpleNamespace(configs={}, rolled_back=False, caught_up=())
    anything: Any = SimpleNamespace(streams=streams, checkpoint=None, load=dict, closed=lambda _: "")
    one = Inheritance(content, anything, anything, anything, anything, parts=parts, make_target=anything, take_in=anything)
    monkeypatch.setattr(one, "catching_up", SimpleNamespace(asked=lambda _: asyncio.sleep(0), is_behind=lambda _: False))
    monkeypatch.setattr(one, "_going_back", SimpleNamespace(run=run))
    monkeypatch.setattr(one, "replay", lambda lane: lane)
    return one


async def test_lanes_that_a_reload_takes_out_meanwhile_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, looked = Parts(), list[str]()
    second = parts.groups["t", "second"]

    def run(lane: Any) -> None:
        looked.append(lane.pipeline)
        second.lanes = []

    await inherited(parts, run, monkeypatch).settle([parts.lanes[0]])
    assert looked == ["first"]


async def test_a_lane_that_stops_does_not_hold_up_those_that_send_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, looked = Parts(), list[str]()

    def run(lane: Any) -> None:
        looked.append(lane.pipeline)
        if lane.pipeline == "first":
            lane.stopping = len(looked) == 2
            raise OSError("too many open files")

    await asyncio.wait_for(inherited(parts, run, monkeypatch).settle([parts.lanes[0]]), 60)
    assert looked == ["first", "first", "second"]


async def test_the_alarm_is_over_when_the_sources_could_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, tries, told = Parts(), list[str](), list[tuple[str, Any]]()
    monkeypatch.setattr(telemetry, "alarm", lambda kind, _, **about: told.append((kind, about["pipeline"])))
    monkeypatch.setattr(telemetry, "resolved", lambda kind, **about: told.append((f"{kind} is over", about["pipeline"])))

    def run(lane: Any) -> None:
        tries.append(lane.pipeline)
        if len(tries) == 1:
            raise OSError("too many open files")

    await asyncio.wait_for(inherited(parts, run, monkeypatch).settle([parts.lanes[0]]), 60)
    assert told[:2] == [("CHECKPOINT_ALARM", "first"), ("CHECKPOINT_ALARM is over", "first")]
