"""A range that the spool has lost is read again by whoever can, and by the next one when that one is stopped meanwhile."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from tailrace import telemetry
from tailrace.agent.assembly import Assembly, Built
from tailrace.agent.lanes import reading_again
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.reading_again import ReadingAgain
from tailrace.agent.lanes.streams import Entry
from tailrace.errors import ConfigError
from tailrace.pipeline.contract import Range
from tests.unit.agent.delivery.test_delivery_spool import Bench
from tests.unit.agent.lanes.test_lane import AT, Stdout, around, lane_of, submit


@dataclass
class Asked:
    """Whether what was gone was asked about."""

    count: int = 0

    def start(self):
        self.count += 1

    run = start


@dataclass
class Source:
    """Reads for one lane, as `Replay` does; `fails` are raised first."""

    lane: Lane
    read: list[tuple[Lane, int]]
    fails: list[Exception] = field(default_factory=list)
    room: threading.Event = field(default_factory=threading.Event)
    inquiry: Asked = field(default_factory=Asked)

    def has_room(self, entry):
        return self.room.is_set()

    def once(self, stream, done):
        if self.fails:
            raise self.fails.pop()
        if self.lane.stopping:
            return False
        self.read.append((self.lane, done.sequence))
        return True


class Scene:
    """Lanes of one pipeline after the other, and what they read."""

    def __init__(self, bench):
        self.bench = bench
        self.parts = Assembly(around(bench), lambda _: bench.target, lambda _: None)
        self.read: list[tuple[Lane, int]] = []
        self.sources: dict[Lane, Source] = {}
        self.made: list[Lane] = []
        self.reading = ReadingAgain(self.parts, self.source, self.make)
        self.stream = bench.table.open(self, "gate", lane_of(bench).input.key, "key", AT[0])

    def source(self, lane):
        if lane not in self.sources:
            self.sources[lane] = Source(lane, self.read)
            self.sources[lane].room.set()
        return self.sources[lane]

    def make(self, target, entry):
        self.made.append(lane_of(self.bench))
        return self.made[-1]

    def runs(self, *lanes):
        self.parts.put(Built(list(lanes), {}))

    def lose(self, *sequences):
        for sequence in sequences:
            done = Range(self.stream.id, sequence, 0, 10, AT[1], b"f" * 16, "c")
            self.reading.add(self.bench.target, Entry(self.stream, done, 1, 1))


@pytest.fixture
async def scene(tmp_path):
    bench = Bench(tmp_path, Stdout(down=True))
    yield Scene(bench)
    await bench.end()


async def test_a_lane_that_is_stopping_is_passed_over(scene):
    gone, there = lane_of(scene.bench), lane_of(scene.bench)
    scene.runs(gone, there)
    gone.stop(0.0)
    scene.lose(1, 2)
    await scene.bench.until(lambda: len(scene.read) == 2)
    assert scene.read == [(there, 1), (there, 2)]
    assert scene.made == []


async def test_when_the_lane_is_stopped_while_it_waits_for_room_the_next_one_goes_on(scene):
    before = lane_of(scene.bench)
    scene.runs(before)
    scene.source(before).room.clear()
    scene.lose(1, 2)
    await scene.bench.until(lambda: scene.reading._tasks)
    after = lane_of(scene.bench)
    scene.parts.take_out([before])
    scene.runs(after)
    before.stop(0.0)
    await scene.bench.until(lambda: len(scene.read) == 2)
    assert {lane for lane, _ in scene.read} == {after}


async def test_without_a_pipeline_a_lane_is_made_for_it_and_ends_when_all_is_asked_about(scene):
    scene.lose(1, 2)
    await scene.bench.until(lambda: scene.made and scene.made[-1].stopping)
    [lane] = scene.made
    assert scene.read == [(lane, 1), (lane, 2)]
    assert scene.sources[lane].inquiry.count == 1


async def test_what_cannot_be_built_is_kept_and_told_and_what_the_system_denies_is_tried_again(scene, monkeypatch):
    monkeypatch.setattr(reading_again, "AGAIN_SECS", 0.01)
    lane = lane_of(scene.bench)
    scene.runs(lane)
    scene.source(lane).fails = [ConfigError("no such pattern"), OSError(24, "Too many open files")]
    scene.lose(1, 2)
    await scene.bench.until(lambda: scene.read and not scene.reading._tasks)
    assert scene.read == [(lane, 2)]
    said = {(alarm.kind, alarm.values.get("reason")) for alarm in telemetry.recent_alarms()}
    assert {("CHECKPOINT_ALARM", "Too many open files"), ("USER_CONFIG_ALARM", "no such pattern")} <= said


async def test_a_range_that_is_read_again_leaves_the_lane_that_had_it_idle(scene):
    before, after = lane_of(scene.bench), lane_of(scene.bench)
    stream = before.open_stream("other", AT[0])
    assert submit(before, stream)
    [taken] = [one for one in scene.bench.table.find("gate", before.input.key).values() if one.id == stream]
    await scene.bench.until(lambda: taken.under_way)
    assert not before.idle
    entry = taken.under_way[0]
    again = Entry(taken, entry.range, 1, 1, 1, after)
    scene.bench.target.submit(again, [], lambda _: None)
    await scene.bench.until(lambda: taken.under_way[0] is again)
    assert before.idle
    assert scene.bench.target.underway.ranges == 1


async def test_a_range_that_comes_in_the_turn_in_which_the_last_one_is_done_is_read_too(scene):
    lane = lane_of(scene.bench)
    scene.runs(lane)
    late = iter([2])
    loop = asyncio.get_running_loop()

    class Ends(Asked):
        def start(self):
            """The last step of the task: what is called now comes before it is known to be over."""
            loop.call_soon(lambda: scene.lose(*late))

    scene.source(lane).inquiry = Ends()
    scene.lose(1)
    await scene.bench.until(lambda: scene.read and not scene.reading._tasks)
    assert scene.read == [(lane, 1), (lane, 2)]
