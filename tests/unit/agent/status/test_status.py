"""`run/agent.json` follows the agent's counters."""

import json
import os
import time
from pathlib import Path

import pytest

from tailrace import telemetry
from tailrace.agent.status import left as status


def test_the_file_follows_the_counters_and_is_always_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(status, "INTERVAL_SECS", 0.01)
    path = tmp_path / "run" / "agent.json"
    read = telemetry.counter("tailrace_agent_read_bytes_total", "Bytes of ranges that inputs handed over.", "pipeline").labels(
        "status-test"
    )
    with status.status_file(path):
        for expected in (5, 12):
            read.inc(expected - status._status()["read_bytes"]["status-test"])
            deadline = time.monotonic() + 5
            while not path.exists() or json.loads(path.read_text())["read_bytes"].get("status-test") != expected:
                assert time.monotonic() < deadline
                time.sleep(0.005)
    assert json.loads(path.read_text())["pid"] == os.getpid()
    assert [entry.name for entry in path.parent.iterdir()] == ["agent.json"]


def test_a_file_that_cannot_be_written_does_not_end_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(status, "INTERVAL_SECS", 0.01)
    path = tmp_path / "run" / "agent.json"
    (tmp_path / "run" / "agent.json.tmp").mkdir(parents=True)
    with status.status_file(path):
        time.sleep(0.1)
        (tmp_path / "run" / "agent.json.tmp").rmdir()
        deadline = time.monotonic() + 5
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert json.loads(path.read_text())["pid"] == os.getpid()
