"""What `tailrace up` says while it imports, from what the agent writes into `run/agent.json`."""

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tailrace.agent.checkpoint import StreamRow, open_checkpoint
from tailrace.cli.home import Home, open_home
from tailrace.cli.up import importing
from tailrace.cli.up.importing import Import
from tailrace.cli.up.survey import survey

PID = 77


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(importing, "LOOK_EVERY_SECS", 0.0)
    monkeypatch.setattr(importing, "SAY_EVERY_SECS", 0.0)
    (tmp_path / "app.log").write_bytes(b"line\n" * 200 + b"unfinished")
    opened = open_home(tmp_path / "home")
    opened.machine_logs, opened.collect = False, [str(tmp_path / "app.log")]
    return opened


def agent_says(home: Home, *, read: int, queued: int = 0, pid: int = PID) -> None:
    (home.run / "agent.json").write_text(
        json.dumps({"pid": pid + 1, "started_by": pid, "read_bytes": {"up": read}, "queued_bytes": queued})
    )


def watch(home: Home, *states: dict[str, int]) -> list[str]:
    reports: list[str] = []
    watched = Import(home, survey(home), reports.append)
    for state in states:
        agent_says(home, **state)
        watched.watch(PID)
    return reports


def test_progress_is_shown_and_the_end_said_once(home: Home):
    reports = watch(home, {"read": 500}, {"read": 1000}, {"read": 1000})
    assert reports[0] == "importing: 500 B of 1.0 KB"
    assert reports[1].startswith("imported 1 file, 1.0 KB in ")
    assert len(reports) == 2


def test_an_unfinished_last_line_is_not_waited_for(home: Home):
    assert watch(home, {"read": 1000})[0].startswith("imported")


def test_it_is_not_done_while_something_waits_for_its_acknowledgement(home: Home):
    assert watch(home, {"read": 1000, "queued": 30}) == ["importing: 1.0 KB of 1.0 KB"]


def test_what_an_earlier_agent_said_does_not_count(home: Home):
    assert watch(home, {"read": 1000, "pid": PID + 1}) == []


def test_nothing_to_import_is_said_as_that(home: Home):
    (home.directory.parent / "app.log").write_text("")
    assert watch(home, {"read": 0}) == ["everything was imported before; new lines are collected as they come"]


def test_a_standstill_is_told_with_where_to_look(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "STANDSTILL_SECS", 0.01)
    reports: list[str] = []
    watched = Import(home, survey(home), reports.append)
    agent_says(home, read=0)
    time.sleep(0.02)
    watched.watch(PID)
    assert "stands still at 0 B of 1.0 KB" in reports[0]
    assert str(home.logs / "agent.log") in reports[0]
    assert watched.finished


def test_what_an_earlier_run_has_read_is_not_read_again(home: Home):
    status = (home.directory.parent / "app.log").stat()
    key, position = f"{status.st_dev:x}:{status.st_ino:x}:0", {"v": 1, "offset": 400}
    checkpoint = open_checkpoint(home.directory / "agent").database
    stream = StreamRow("00000000000000AA", "t", "i", key, position, position, 1)
    checkpoint.commit(configs={}, streams=[stream.values()], prepared=[], acknowledged=[], forgotten=[], notes={})
    checkpoint.close()
    assert watch(home, {"read": 300}, {"read": 600})[0] == "importing: 300 B of 600 B"


def test_a_damaged_position_is_the_agents_trouble(home: Home):
    status = (home.directory.parent / "app.log").stat()
    (home.directory / "agent" / "checkpoint.db").unlink(missing_ok=True)
    with sqlite3.connect(home.directory / "agent" / "checkpoint.db") as database:
        database.execute("CREATE TABLE streams (key, next, committed)")
        for position in ("{", "7", "{}", '{"offset": "x"}'):
            database.execute("INSERT INTO streams VALUES (?, ?, '')", (f"{status.st_dev:x}:{status.st_ino:x}:0", position))
    database.close()
    assert watch(home, {"read": 500})[0] == "importing: 500 B of 1.0 KB"
