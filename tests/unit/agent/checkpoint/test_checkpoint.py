"""The checkpoint: what is durable after every crash."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace import telemetry
from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.checkpoint.database import ROWS_AT_ONCE
from tailrace.agent.checkpoint.writer import LAZY_SECS
from tests.unit.agent.checkpoint.opened import STREAM, Opened, prepared, row, state


def test_a_new_checkpoint_has_an_epoch_that_stays(tmp_path):
    first, second = Opened(tmp_path), None
    first.writer.stop()
    second = Opened(tmp_path)
    second.writer.stop()
    assert first.content.epoch == second.content.epoch
    assert len(first.content.epoch) == 16
    assert not second.content.rolled_back


def test_prepared_ranges_come_back_exactly(tmp_path):
    first = Opened(tmp_path)
    first.writer.keep_config("config", '{"a":1}')
    first.prepare(0, 1)
    first.prepare(2)
    first.writer.stop()
    second = open_checkpoint(tmp_path)
    assert second.content.ranges[STREAM] == [prepared(0), prepared(1), prepared(2)]
    assert second.content.configs == {"config": '{"a":1}'}
    second.database.close()


def test_the_committed_position_is_the_end_of_the_acknowledged_prefix(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0, 1, 2)
    opened.acknowledge(1)
    opened.acknowledge(0, prefix=1)
    opened.writer.stop()
    assert state(tmp_path) == (20, 30, 3, [2])


def test_configs_of_no_prepared_range_are_dropped(tmp_path):
    opened = Opened(tmp_path)
    opened.writer.keep_config("config", "{}")
    opened.prepare(0)
    opened.acknowledge(0, prefix=0)
    opened.writer.stop()
    again = open_checkpoint(tmp_path)
    assert again.content.configs == {}
    again.database.close()


def test_a_config_outlives_the_copy_that_is_made_before_its_first_range(tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.agent.checkpoint.writer.COPY_SECS", 0.3)
    opened = Opened(tmp_path)
    opened.writer.keep_config("config", "{}")
    until = time.monotonic() + 5
    while not (tmp_path / "checkpoint.copy.db").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    opened.prepare(0)
    opened.writer.stop()
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert again.content.configs == {"config": "{}"}


def test_an_ended_stream_is_forgotten_with_its_ranges(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    opened.writer.forget(STREAM)
    opened.writer.stop()
    again = open_checkpoint(tmp_path)
    assert not again.content.streams
    assert not again.content.ranges
    again.database.close()


def test_of_many_ranges_and_streams_in_one_commit_exactly_those_go_that_are_named(tmp_path):
    names = [f"{number:016X}" for number in range(2 * ROWS_AT_ONCE + 7)]
    opened = open_checkpoint(tmp_path)
    streams = [row(name).values() for name in names]
    ranges = [row(name).prepared(prepared(sequence, name), 1) for name in names for sequence in (1, 2)]
    commit(opened.database, streams=streams, prepared=ranges)
    commit(opened.database, acknowledged=[(name, 2) for name in names if name != names[5]], forgotten=names[20:])
    opened.database.close()
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert [*again.content.streams] == names[:20]
    left = {name: [one.sequence for one in found] for name, found in again.content.ranges.items()}
    assert left == {name: [1, 2] if name == names[5] else [1] for name in names[:20]}


def commit(database, **what):
    database.commit(**{"configs": {}, "streams": [], "prepared": [], "acknowledged": [], "forgotten": [], "notes": {}, **what})


def test_acknowledgements_ride_along_with_the_next_range(tmp_path):
    opened, acknowledged = Opened(tmp_path), threading.Event()
    opened.prepare(0)
    commits = sum(telemetry.values("tailrace_agent_checkpoint_commits_total").values())
    opened.writer.acknowledge(opened.row, [0], (0, prepared(0).position), acknowledged.set)
    time.sleep(LAZY_SECS / 5)
    opened.prepare(1)
    assert acknowledged.is_set()
    assert sum(telemetry.values("tailrace_agent_checkpoint_commits_total").values()) == commits + 1
    opened.writer.stop()
    assert state(tmp_path) == (10, 20, 2, [1])


def test_an_acknowledgement_without_company_is_written_soon(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    time.sleep(LAZY_SECS * 1.2)  # until the thread sleeps for longer than it waits for company
    opened.acknowledge(0, prefix=0)
    opened.writer.stop()
    assert state(tmp_path) == (10, 10, 1, [])


def test_a_stream_that_comes_back_at_once_is_not_forgotten(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    opened.writer.forget(STREAM)
    opened.row = row(next_sequence=7)
    opened.prepare(7)
    opened.writer.stop()
    assert state(tmp_path) == (0, 80, 8, [7])


def test_what_is_prepared_just_before_its_stream_is_forgotten_goes_with_it(tmp_path):
    opened, done = Opened(tmp_path), threading.Event()
    with opened.writer._lock:  # both in one transaction
        opened.writer._batch.prepared.append(row().prepared(prepared(0), 1))
    opened.writer.forget(STREAM, done.set)
    assert done.wait(5)
    opened.writer.stop()
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert not again.content.ranges


CHILD = """
import os, signal, sys, threading
from pathlib import Path
sys.path.insert(0, {tests!r})
from tests.unit.agent.checkpoint.opened import Opened, prepared
opened, steps = Opened(Path({directory!r})), int({steps})
done = []
def step(action):
    if len(done) == steps:
        os.kill(os.getpid(), signal.SIGKILL)
    action()
    done.append(1)
    print(len(done), flush=True)
step(lambda: opened.prepare(0, 1))
step(lambda: opened.acknowledge(0, prefix=0))
step(lambda: opened.prepare(2))
step(lambda: opened.acknowledge(2))
step(lambda: opened.acknowledge(1, prefix=2))
step(lambda: opened.prepare(3))
os.kill(os.getpid(), signal.SIGKILL)
"""
AFTER = [None, (0, 20, 2, [0, 1]), (10, 20, 2, [1]), (10, 30, 3, [1, 2]), (10, 30, 3, [1]), (30, 30, 3, []), (30, 40, 4, [3])]


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_a_killed_process_leaves_what_was_confirmed(tmp_path, steps):
    root = next(parent for parent in Path(__file__).parents if (parent / "pyproject.toml").exists())
    code = CHILD.format(tests=str(root), directory=str(tmp_path), steps=steps)
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert child.stdout.split()[-1] == str(steps)
    assert state(tmp_path) == AFTER[steps]


def test_positions_are_kept_as_they_are(tmp_path):
    position = {"v": 7, "gtid": "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5", "nested": [1, {"deep": None}]}
    opened = Opened(tmp_path)
    opened.writer.remember(opened.row, position)
    opened.writer.stop()
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert json.dumps(again.content.streams[STREAM].committed, sort_keys=True) == json.dumps(position, sort_keys=True)


def test_what_processors_decided_about_a_range_is_kept_with_it(tmp_path):
    opened, decided = Opened(tmp_path), replace(prepared(1), decisions=(b"\0\xff", b""))
    done = threading.Event()
    opened.writer.prepare([(opened.row, decided, 2), (opened.row, prepared(2), 1)], done.set)
    assert done.wait(5)
    opened.writer.stop()
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert again.content.ranges[STREAM] == [decided, prepared(2)]
