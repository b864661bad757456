"""A lane whose place another one takes while it is still processing: no byte is put in by both."""

import json
import tempfile
import threading
import time
from dataclasses import replace

import pytest

from tailrace.agent.assembly import Assembly
from tailrace.agent.guard import Guard, Limits
from tailrace.agent.lanes.claims import Claims, file_bounds
from tailrace.agent.lanes.lane import Lane, Surroundings
from tailrace.agent.lanes.slots import Slots
from tailrace.agent.platform import current, processes
from tailrace.agent.settings.policy import config_policy
from tailrace.agent.settings.settings import AgentSettings
from tailrace.agent.supervision import Supervision
from tailrace.agent.supervisor import blackbox
from tailrace.agent.supervisor.blackbox import BlackBox
from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline.labels import Machine
from tailrace.pipeline.loading import from_canonical, load_text
from tailrace.wire.identity import StoredEnd
from tests.unit.agent.delivery.test_delivery_spool import Bench, Gate

PIPELINE = '{"inputs": [{"Type": "input_file", "FilePaths": ["/var/log/a.log"]}], "flushers": [{"Type": "flusher_stdout"}]}'
AT = [{"v": 1, "path": "/var/log/a.log", "offset": offset} for offset in (0, 10)]


class Slow:
    """A processor that is held, as one with an expensive pattern is."""

    def __init__(self):
        self.entered, self.may_go_on = threading.Event(), threading.Event()

    def process(self, batch):
        self.entered.set()
        assert self.may_go_on.wait(20)


class Stdout(Gate):
    """Takes nothing in this test: what was put in stays under way."""

    def encode(self, batch, identity, groups=()):
        return list(load_text(PIPELINE, "app.json").flushers[0].build().encode(batch, identity))


@pytest.fixture
async def bench(tmp_path):
    bench = Bench(tmp_path, Stdout(down=True))
    yield bench
    await bench.end()


def around(bench):
    settings = AgentSettings()
    return Surroundings(
        platform=current(),
        checkpoint=bench.writer,
        streams=bench.table,
        claims=Claims(),
        bounds=file_bounds(settings),
        policy=config_policy(bench.home, settings, {}),
        epoch=bench.content.epoch,
        machine=Machine(),
        finite=False,
        slots=Slots(2),
        guard=Guard(Limits(), current(), processes()),
    )


def lane_of(bench, *processors):
    config = load_text(PIPELINE, "app.json")
    return Lane(config, config.inputs[0].build(), processors, bench.target, around(bench))


def submit(lane, stream):
    batch = EventBatch.from_events([(1, [(b"content", b"a line")])])
    return lane.submit(batch, stream=stream, start=0, end=10, position=AT[1], fingerprint=b"f" * 16, readable_at=0)


async def test_what_a_lane_is_processing_when_it_is_left_is_put_in_by_its_successor_alone(bench):
    slow, done = Slow(), []
    before, after = lane_of(bench, slow), lane_of(bench)
    stream = before.open_stream("key", AT[0])
    thread = threading.Thread(target=lambda: done.append(submit(before, stream)))
    thread.start()
    assert slow.entered.wait(20)
    before.stop(time.monotonic())
    [state] = after.streams
    assert state.next == AT[0], "its successor reads the same bytes"
    assert after.open_stream("key", AT[0]) == stream
    assert submit(after, stream)
    slow.may_go_on.set()
    thread.join(20)
    assert done == [False]
    [taken] = bench.table.find("gate", before.input.key).values()
    await bench.until(lambda: taken.under_way)
    assert [(one.range.start, one.range.end) for one in taken.under_way] == [(0, 10)]
    assert (before.idle, after.idle) == (True, False)
    assert before.open_stream("key", AT[0]) is None


async def test_what_is_put_in_before_a_lane_is_left_is_where_its_successor_begins(bench):
    before, after = lane_of(bench), lane_of(bench)
    assert submit(before, before.open_stream("key", AT[0]))
    before.stop(time.monotonic())
    assert [state.next for state in after.streams] == [AT[1]]


async def test_who_takes_over_has_to_know_where_the_stream_stands_by_now(bench):
    before, after = lane_of(bench), lane_of(bench)
    stream = before.open_stream("key", AT[0], unmoved=True)
    assert submit(before, stream)
    before.leave_stream(stream, AT[1])
    assert after.open_stream("key", AT[0], unmoved=True) is None
    assert after.open_stream("key", AT[1], unmoved=True) == stream


@pytest.mark.parametrize("at_work", [False, True])
async def test_who_follows_a_reader_that_went_on_at_a_stored_end_is_not_sent_back_there(bench, monkeypatch, at_work):
    monkeypatch.setattr(Lane, "is_at_work", at_work)
    before, after = lane_of(bench), lane_of(bench)
    stored = StoredEnd(5, 0, b"")
    bench.table.stored_ends[bench.table.stream_id("gate", before.input.key, "key")] = stored
    before.open_stream("key", AT[0])
    before.stop(time.monotonic())
    assert after.stored_end("key") == (None if at_work else stored)


async def test_who_takes_over_a_file_that_another_pipeline_lets_go_is_not_sent_back_to_a_stored_end(bench):
    before, after = lane_of(bench), lane_of(bench)
    bench.table.stored_ends[bench.table.stream_id("gate", before.input.key, "key")] = StoredEnd(5, 0, b"")
    before.leave_stream(before.open_stream("key", AT[0]), AT[1])
    assert after.stored_end("key") is None
    assert [state.next for state in after.streams] == [AT[1]]


async def test_what_a_lane_puts_in_can_be_read_again_by_its_config_at_once(bench):
    lane = lane_of(bench)
    assert from_canonical(bench.content.configs[lane.version]).version == lane.version


async def test_a_pipeline_that_cannot_be_built_as_a_whole_leaves_nothing_of_it_behind(bench):
    with tempfile.TemporaryFile() as file:
        file.truncate(blackbox.SIZE)
        box = BlackBox(file.fileno())
        shared = replace(around(bench), supervision=Supervision(box=box))
        made, dropped = [], []

        def make(flusher):
            if made:
                raise ConfigError("the second one cannot be made")
            made.append(bench.target)
            return bench.target

        parts = Assembly(shared, make, dropped.append)
        two = json.loads(PIPELINE)
        two["flushers"].append({"Type": "flusher_file", "FilePath": "/var/log/out"})
        with pytest.raises(ConfigError):
            parts.build(load_text(json.dumps(two), "app.json"))
        assert dropped == [bench.target]
        assert [box.slot() for _ in range(blackbox.SLOTS)].count(None) == 0
        assert box.slot() is None
        box.close()


async def test_files_of_a_pipeline_that_is_exchanged_are_nobody_elses_meanwhile(bench):
    shared = around(bench)
    parts = Assembly(shared, lambda _: bench.target, lambda _: None)
    pipeline = load_text(PIPELINE, "app.json")
    parts.put(parts.build(pipeline))
    parts.take_out(parts.lanes, come_back=True)
    assert parts.lanes == []
    assert not shared.claims.inherits("another", "/var/log/a.log")
    parts.put(parts.build(load_text(PIPELINE.replace("a.log", "b.log"), "app.json")))
    assert shared.claims.inherits("another", "/var/log/a.log")
    assert not shared.claims.inherits("another", "/var/log/b.log")
    parts.take_out(parts.lanes)
    assert shared.claims.inherits("another", "/var/log/b.log")


async def test_a_lane_lacks_cpu_only_where_its_target_has_room(bench):
    shared = around(bench)
    shared.guard = Guard(Limits(cores=1e-9), current(), processes())
    config = load_text(PIPELINE, "app.json")
    lane = Lane(config, config.inputs[0].build(), (), bench.target, shared)
    assert (lane.has_room(lambda: None), lane.lacks_cpu) == (False, True)
    bench.target.share.take(bench.target.share.limit)
    assert (lane.has_room(lambda: None), lane.lacks_cpu) == (False, False)
    assert lane_of(bench).lacks_cpu is False


@pytest.mark.parametrize("where", ["its constructor", "its start"])
async def test_a_plugin_that_fails_by_what_nobody_foresaw_costs_its_pipeline_alone(bench, monkeypatch, where):
    def failing(*_):
        raise ZeroDivisionError("division by zero")

    config = load_text(PIPELINE, "app.json")
    monkeypatch.setattr(type(config.inputs[0].build()), "__init__" if where == "its constructor" else "start", failing)
    assembly = Assembly(around(bench), lambda _: bench.target, lambda _: None)
    with pytest.raises(ConfigError, match="a plugin of the pipeline failed: ZeroDivisionError: division by zero"):
        assembly.build(config).lanes[0].start()


async def test_an_input_that_the_system_denies_something_is_tried_again(bench, monkeypatch):
    def failing(*_):
        raise OSError("no watches left")

    lane = lane_of(bench)
    monkeypatch.setattr(type(lane.input), "start", failing)
    with pytest.raises(OSError, match="no watches left"):
        lane.start()
