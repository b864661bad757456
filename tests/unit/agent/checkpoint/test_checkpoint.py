"""The checkpoint: what it promises about every crash, damage and format."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter, StreamRow, open_checkpoint
from tailrace.agent.checkpoint.rows import sealed
from tailrace.agent.checkpoint.writer import LAZY_SECS
from tailrace.errors import NewerFormatError
from tailrace.pipeline.contract import Range

STREAM = "00000000000000AA"


def row(id_=STREAM, **changes):
    values = {"target": "t", "input": "i", "key": id_, "committed": {"v": 1, "at": 0}, "next": {"v": 1, "at": 0}, "next_sequence": 0}
    return StreamRow(id_, **{**values, **changes})


def prepared(sequence, stream=STREAM):
    return Range(
        stream,
        sequence,
        sequence * 10,
        sequence * 10 + 10,
        {"v": 1, "at": sequence * 10 + 10},
        b"f" * 16,
        "config",
        sequence + 1_800_000_000_000_000_000,
    )


class Opened:
    """A checkpoint with a running writer, whose operations can be waited for."""

    def __init__(self, directory):
        opened = open_checkpoint(directory)
        self.content, self.database = opened.content, opened.database
        self.writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
        self.writer.start()
        self.row = opened.content.streams.get(STREAM, row())

    def prepare(self, *sequences):
        done = threading.Event()
        self.writer.prepare([(self.row, prepared(sequence), 1) for sequence in sequences], done.set)
        assert done.wait(5)

    def acknowledge(self, *sequences, prefix=None):
        done = threading.Event()
        through = None if prefix is None else (prefix, prepared(prefix).position)
        self.writer.acknowledge(self.row, sequences, through, done.set)
        assert done.wait(5)


def state(directory):
    """(committed, next, next sequence, sequences still prepared) as the next start finds them."""
    opened = open_checkpoint(directory)
    opened.database.close()
    found = opened.content.streams[STREAM]
    return found.committed["at"], found.next["at"], found.next_sequence, [one.sequence for one in opened.content.ranges.get(STREAM, [])]


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


def test_a_stream_goes_on_behind_its_prepared_ranges_though_its_row_is_older(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    opened.acknowledge(0, prefix=0)
    opened.prepare(1, 2)
    opened.writer.stop()
    with closing(sqlite3.connect(tmp_path / "checkpoint.db")) as stored:
        assert stored.execute("SELECT next, next_sequence FROM streams").fetchall() == [("", 1)]  # only the ranges were written
    assert state(tmp_path) == (10, 30, 3, [1, 2])


def test_a_replayed_range_does_not_move_the_next_position_back(tmp_path):
    first = Opened(tmp_path)
    first.prepare(0, 1)
    first.writer.stop()
    second = Opened(tmp_path)
    second.prepare(0)
    second.writer.stop()
    assert state(tmp_path) == (0, 20, 2, [0, 1])


def test_ranges_that_had_nothing_to_send_move_the_position_too(tmp_path):
    opened = Opened(tmp_path)
    opened.acknowledge(0, prefix=0)
    opened.writer.stop()
    assert state(tmp_path) == (10, 10, 1, [])


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
from tests.unit.agent.checkpoint.test_checkpoint import Opened, prepared
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
    root = os.fspath(next(parent for parent in __import__("pathlib").Path(__file__).parents if (parent / "pyproject.toml").exists()))
    code = CHILD.format(tests=root, directory=str(tmp_path), steps=steps)
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert child.stdout.split()[-1] == str(steps)
    assert state(tmp_path) == AFTER[steps]


def damage_file(path):
    data = bytearray(path.read_bytes())
    data[: len(data) // 2] = os.urandom(len(data) // 2)
    path.write_bytes(data)


def damage_row(path):
    connection = sqlite3.connect(path)
    connection.execute('UPDATE streams SET committed = \'{"v":1,"at":5}\'')
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [damage_file, damage_row, lambda path: path.write_bytes(b"")], ids=["bytes", "row", "empty"])
def test_a_damaged_checkpoint_is_set_aside_and_its_copy_goes_on(tmp_path, damage):
    first = Opened(tmp_path)
    first.prepare(0)
    first.acknowledge(0, prefix=0)
    first.writer.stop()
    copier = open_checkpoint(tmp_path)
    copier.database.copy(tmp_path / "checkpoint.copy.db")
    copier.database.close()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"checkpoint.db{suffix}").unlink(missing_ok=True)
    damage(tmp_path / "checkpoint.db")
    second = open_checkpoint(tmp_path)
    second.database.close()
    assert list(tmp_path.glob("checkpoint.db.damaged-*"))
    assert second.content.streams[STREAM].committed == {"v": 1, "at": 10}
    assert second.content.epoch != first.content.epoch
    assert second.content.rolled_back
    assert any(alarm.kind == "CHECKPOINT_ALARM" for alarm in telemetry.recent_alarms())


def test_without_a_copy_it_starts_empty_and_asks(tmp_path):
    first = Opened(tmp_path)
    first.prepare(0)
    first.writer.stop()
    damage_file(tmp_path / "checkpoint.db")
    second = open_checkpoint(tmp_path)
    second.database.close()
    assert not second.content.streams
    assert second.content.rolled_back


def test_that_the_server_must_be_asked_survives_a_crash_until_it_was(tmp_path):
    Opened(tmp_path).writer.stop()
    damage_file(tmp_path / "checkpoint.db")
    open_checkpoint(tmp_path).database.close()
    second = Opened(tmp_path)
    assert second.content.rolled_back
    second.writer.caught_up()
    second.writer.stop()
    third = open_checkpoint(tmp_path)
    third.database.close()
    assert not third.content.rolled_back
    assert third.content.epoch == second.content.epoch


def test_a_fork_goes_back_to_what_is_acknowledged_under_a_new_epoch(tmp_path):
    first = Opened(tmp_path)
    first.prepare(0, 1)
    first.acknowledge(0, prefix=0)
    first.writer.stop()
    opened = open_checkpoint(tmp_path)
    opened.database.fork(["t"])
    opened.database.close()
    assert state(tmp_path) == (10, 10, 2, [])
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert again.content.epoch != first.content.epoch


def test_a_newer_format_is_refused_in_a_sentence_and_not_touched(tmp_path):
    Opened(tmp_path).writer.stop()
    connection = sqlite3.connect(tmp_path / "checkpoint.db")
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", sealed(("format", b"99")))
    connection.commit()
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NewerFormatError, match="its format 99 is newer than 4"):
        open_checkpoint(tmp_path)
    assert not list(tmp_path.glob("*.damaged-*"))


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


def test_a_checkpoint_that_is_gone_from_an_agent_that_ran_before_was_lost(tmp_path):
    first = open_checkpoint(tmp_path / "new", expected=False)
    lost = open_checkpoint(tmp_path / "old", expected=True)
    assert (first.content.rolled_back, lost.content.rolled_back) == (False, True)
    first.database.close()
    lost.database.close()


def older_format(directory, *, damaged=False):
    """A checkpoint with one prepared range as the format 1 had it."""
    Opened(directory).writer.stop()
    connection = sqlite3.connect(directory / "checkpoint.db")
    connection.execute("DROP TABLE ranges")
    connection.execute(
        'CREATE TABLE ranges (stream TEXT, sequence INTEGER, start INTEGER, "end" INTEGER, position TEXT, fingerprint BLOB,'
        " config_version TEXT, parts INTEGER, crc INTEGER NOT NULL, PRIMARY KEY (stream, sequence)) WITHOUT ROWID"
    )
    values = sealed((STREAM, 3, 30, 40, '{"at":40,"v":1}', b"f" * 16, "config", 1))
    connection.execute("INSERT INTO ranges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values[:-1], values[-1] + damaged))
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()


def test_an_older_format_is_migrated_after_a_copy_and_its_ranges_are_never_too_old(tmp_path):
    older_format(tmp_path)
    for _ in range(2):  # the second time there is nothing left to migrate
        opened = open_checkpoint(tmp_path)
        opened.database.close()
        assert opened.content.ranges[STREAM] == [replace(prepared(3), readable_at=0)]
    copied = sqlite3.connect(tmp_path / "checkpoint.format-1.db")
    assert copied.execute("PRAGMA user_version").fetchone() == (1,)
    assert copied.execute("SELECT start FROM ranges").fetchall() == [(30,)]
    copied.close()


def test_ranges_of_format_2_know_nothing_of_decisions(tmp_path):
    Opened(tmp_path).writer.stop()
    with closing(sqlite3.connect(tmp_path / "checkpoint.db")) as connection, connection:
        connection.execute("ALTER TABLE ranges DROP COLUMN decisions")
        values = sealed((STREAM, 3, 30, 40, '{"at":40,"v":1}', b"f" * 16, "config", 1, prepared(3).readable_at))
        connection.execute(f"INSERT INTO ranges VALUES ({', '.join('?' * len(values))})", values)
        connection.execute("PRAGMA user_version = 2")
    opened = open_checkpoint(tmp_path)
    opened.database.close()
    assert opened.content.ranges[STREAM] == [prepared(3)]


def test_a_damaged_row_of_an_older_format_is_not_made_whole_by_the_migration(tmp_path):
    older_format(tmp_path, damaged=True)
    opened = open_checkpoint(tmp_path)
    opened.database.close()
    assert list(tmp_path.glob("checkpoint.db.damaged-*"))
    assert opened.content.rolled_back


def test_what_is_remembered_while_ranges_are_on_their_way_waits_until_they_are_prepared(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    beyond = {"v": 1, "at": 30, "seen": 99}
    opened.writer.remember(opened.row, beyond, 3)  # 1 and 2 have been taken, and are not prepared yet
    opened.prepare(1)
    opened.acknowledge(0, prefix=0)
    copy = tmp_path / "as a crash leaves it"
    copy.mkdir()
    for path in tmp_path.glob("checkpoint.db*"):
        (copy / path.name).write_bytes(path.read_bytes())
    assert state(copy) == (10, 20, 2, [1])
    opened.prepare(2)
    opened.writer.stop()
    assert state(tmp_path) == (10, 30, 3, [1, 2])
    again = open_checkpoint(tmp_path)
    again.database.close()
    assert again.content.streams[STREAM].next == beyond


def test_what_is_remembered_behind_ranges_counts_none_of_them_as_acknowledged(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0, 1)
    opened.writer.remember(opened.row, {"v": 1, "at": 20, "seen": 99}, 2)
    opened.writer.stop()
    assert state(tmp_path) == (0, 20, 2, [0, 1])


def reserve(opened, first, following):
    done = threading.Event()
    opened.writer.reserve(opened.row, first, following, done.set)
    assert done.wait(5)


def as_a_crash_leaves_it(directory):
    copy = directory / "as a crash leaves it"
    copy.mkdir()
    for path in directory.glob("checkpoint.db*"):
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_ranges_that_are_prepared_after_numbers_behind_them_were_reserved_are_gone_on_behind(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    reserve(opened, 3, 5)  # 1 and 2 are queued
    opened.prepare(1)
    opened.prepare(2)
    opened.writer.stop()
    assert state(tmp_path) == (0, 30, 5, [0, 1, 2])


def test_ranges_that_are_acknowledged_unprepared_before_reserved_numbers_are_gone_on_behind(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    reserve(opened, 2, 4)
    opened.acknowledge(0, prefix=1)  # nothing of 1 was to be sent
    opened.writer.stop()
    assert state(tmp_path) == (20, 20, 4, [])


def test_what_is_remembered_behind_reserved_numbers_waits_for_the_ranges_before_them(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    reserve(opened, 3, 5)  # 1 and 2 are queued
    opened.writer.remember(opened.row, {"v": 1, "at": 99}, 5)
    opened.prepare(1)
    assert state(as_a_crash_leaves_it(tmp_path)) == (0, 20, 5, [0, 1])
    opened.prepare(2)
    opened.writer.stop()
    assert state(tmp_path) == (0, 99, 5, [0, 1, 2])


def test_what_is_remembered_before_reserved_numbers_is_gone_on_at(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    opened.writer.remember(opened.row, {"v": 1, "at": 99}, 2)  # 1 is queued
    reserve(opened, 2, 4)
    opened.prepare(1)
    opened.writer.stop()
    assert state(tmp_path) == (0, 99, 4, [0, 1])


def test_what_was_remembered_does_not_lead_back_before_a_prepared_range(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    opened.writer.remember(opened.row, {"v": 1, "at": 30}, 3)  # 1 and 2 are queued; nothing of them is to be sent
    opened.prepare(3)
    opened.writer.stop()
    assert state(tmp_path) == (0, 40, 4, [0, 3])
