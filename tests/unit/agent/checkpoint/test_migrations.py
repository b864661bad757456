"""Checkpoints of other releases: older formats migrate after a copy, newer ones are refused."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from tailrace.agent.checkpoint import open_checkpoint
from tailrace.agent.checkpoint.rows import sealed
from tailrace.errors import NewerFormatError
from tests.unit.agent.checkpoint.opened import STREAM, Opened, prepared


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
