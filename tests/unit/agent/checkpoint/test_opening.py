"""A checkpoint that is damaged, lost or disowned: it is set aside, and the agent goes on under a new epoch."""

import os
import sqlite3
import threading
from unittest.mock import Mock

import pytest

from tailrace import telemetry
from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.checkpoint.database import Database
from tailrace.errors import DamagedError, StateError
from tests.unit.agent.checkpoint.opened import STREAM, Opened, state


def damage_file(path):
    data = bytearray(path.read_bytes())
    data[: len(data) // 2] = os.urandom(len(data) // 2)
    path.write_bytes(data)


def _raise(error):
    raise error


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


def test_a_checkpoint_that_is_gone_from_an_agent_that_ran_before_was_lost(tmp_path):
    first = open_checkpoint(tmp_path / "new", expected=False)
    lost = open_checkpoint(tmp_path / "old", expected=True)
    assert (first.content.rolled_back, lost.content.rolled_back) == (False, True)
    first.database.close()
    lost.database.close()


@pytest.fixture
def holder(tmp_path):
    """Of the checkpoint in `tmp_path`, as a program has it that looks into it (`sqlite3`, a backup)."""
    prepared = Opened(tmp_path)
    prepared.prepare(0)
    prepared.writer.stop()
    connection = sqlite3.connect(tmp_path / "checkpoint.db", isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def test_one_that_another_program_holds_locked_is_whole_and_stays(tmp_path, holder):
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="locked") as refused:
        open_checkpoint(tmp_path)
    assert not isinstance(refused.value, DamagedError)
    assert str(tmp_path / "checkpoint.db") in refused.value.message
    assert "another program" in refused.value.hint
    assert not list(tmp_path.glob("*.damaged-*"))
    holder.execute("ROLLBACK")
    holder.close()
    assert state(tmp_path) == (0, 10, 1, [0]), "a later try finds all of it"


def test_one_that_is_locked_for_a_moment_is_waited_for(tmp_path, holder):
    holder.execute("BEGIN EXCLUSIVE")
    ends = threading.Timer(0.5, lambda: [holder.execute("ROLLBACK"), holder.close()])
    ends.start()
    assert state(tmp_path) == (0, 10, 1, [0])
    ends.join()


@pytest.mark.parametrize("code", ["SQLITE_FULL", "SQLITE_READONLY_DBMOVED", "SQLITE_CANTOPEN", "SQLITE_IOERR_WRITE", "SQLITE_NOMEM"])
def test_what_says_nothing_of_the_content_sets_nothing_aside(tmp_path, monkeypatch, code):
    Opened(tmp_path).writer.stop()
    error = sqlite3.OperationalError(code)
    error.sqlite_errorcode = getattr(sqlite3, code)
    monkeypatch.setattr(Database, "load", Mock(side_effect=error))
    with pytest.raises(StateError, match=code) as refused:
        open_checkpoint(tmp_path)
    assert not isinstance(refused.value, DamagedError)
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_disk_that_gives_back_no_more_what_was_written_is_damage(tmp_path, monkeypatch):
    Opened(tmp_path).writer.stop()
    error, load = sqlite3.OperationalError("disk I/O error"), Database.load
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    fails = [error]
    monkeypatch.setattr(Database, "load", lambda database: _raise(fails.pop()) if fails else load(database))
    open_checkpoint(tmp_path).database.close()
    assert list(tmp_path.glob("*.damaged-*"))
