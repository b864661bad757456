"""Where a stream goes on: behind what is prepared, remembered or reserved, whatever was written when."""

import sqlite3
import threading
from contextlib import closing

from tailrace.agent.checkpoint import open_checkpoint
from tests.unit.agent.checkpoint.opened import STREAM, Opened, as_a_crash_leaves_it, state


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


def test_what_is_remembered_while_ranges_are_on_their_way_waits_until_they_are_prepared(tmp_path):
    opened = Opened(tmp_path)
    opened.prepare(0)
    beyond = {"v": 1, "at": 30, "seen": 99}
    opened.writer.remember(opened.row, beyond, 3)  # 1 and 2 have been taken, and are not prepared yet
    opened.prepare(1)
    opened.acknowledge(0, prefix=0)
    assert state(as_a_crash_leaves_it(tmp_path)) == (10, 20, 2, [1])
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
