"""A newcomer's first five minutes: one command, and the lines of this machine's files are found."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.first_run import TAILRACE, MadeUp, Up

FOUND_SECS = 9.0
"""Three times what is promised."""


def test_what_stood_in_the_file_is_imported_and_said(running: Up):
    running.wait_for("imported 1 file", 30)
    running.wait_until_found("history", 100, FOUND_SECS)
    assert sorted(running.contents("history")) == sorted(f"history line {number}" for number in range(100))


def test_a_line_that_is_appended_is_found_within_seconds(running: Up, app_log: Path):
    running.wait_for("imported 1 file", 60)  # the agent is at work then
    with app_log.open("a") as file:
        file.write("needle in the haystack\n")
    assert running.wait_until_found("needle", 1, FOUND_SECS) < FOUND_SECS
    assert running.contents("needle") == ["needle in the haystack"]


def test_sql_counts_what_was_found_by_file(running: Up, app_log: Path):
    running.wait_until_found("history", 100, 30)
    rows = running.query("history | select path, count(*) as events group by path")
    assert [(row["path"], int(row["events"])) for row in rows] == [(str(app_log), 100)]


def test_the_screen_says_where_things_are(running: Up, app_log: Path):
    for fact in (str(running.home), running.endpoint, running.secret("admin.json")["key_id"], str(app_log), "query", "Ctrl-C"):
        assert fact in running.shown
    assert running.secret("admin.json")["key_secret"] not in running.shown


def test_secrets_are_for_the_owner_only(running: Up):
    modes = {path.name: oct(path.stat().st_mode & 0o077) for path in (running.home / "secret").iterdir() if path.is_file()}
    assert modes
    assert set(modes.values()) == {"0o0"}


def test_a_second_installation_on_the_same_port_names_its_holder(running: Up, tmp_path: Path):
    port = running.endpoint.rpartition(":")[2]
    done = subprocess.run(
        [*TAILRACE, "up", "--home", str(tmp_path / "home"), "--port", port], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f"the port is in use by process {psutil_pid(int(port))}" in done.stderr
    assert "--port" in done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def psutil_pid(port: int) -> int:
    return next(c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.pid)


def test_stopped_and_started_again_it_goes_on_without_repeats(tmp_path: Path):
    log = tmp_path / "app.log"
    log.write_text("first alpha\nfirst beta\n")
    up = Up(tmp_path / "home", "--collect", str(log)).start("--port", "0")
    up.wait_until_found("first", 2, 30)
    assert up.stop() == 0
    assert "nothing is lost" in up.shown
    with log.open("a") as file:
        file.write("second gamma\n")  # written while nothing runs
    up.start()
    try:
        up.wait_until_found("second", 1, 30)
        time.sleep(2)  # long enough for a repeat to show
        assert sorted(up.contents("*")) == ["first alpha", "first beta", "second gamma"]
    finally:
        assert up.stop() == 0


def test_another_port_changes_nothing_for_streams_and_own_pipelines(tmp_path: Path):
    log, other = tmp_path / "app.log", tmp_path / "other.log"
    log.write_text("first alpha\nfirst beta\n")
    other.write_text("other first\n")
    up = Up(tmp_path / "home", "--collect", str(log)).start("--port", "0")
    endpoint = up.endpoint
    up.wait_until_found("first", 2, 30)
    assert up.stop() == 0
    source = {"Type": "input_file", "FilePaths": [str(other)], "TailingAllMatchedFiles": True}
    target = {"Type": "flusher_sls", "Endpoint": endpoint, "Project": "default", "Logstore": "logs"}
    (up.home / "pipelines" / "own.json").write_text(json.dumps({"inputs": [source], "flushers": [target]}))
    (up.home / "pipelines" / "broken.json").write_text("{}")
    up.start()
    up.wait_until_found("other", 1, 30)
    assert "also 1 of yours" in up.shown
    assert "`broken.json` does not run: " in up.shown
    assert up.stop() == 0
    for path in (log, other):
        with path.open("a") as file:
            file.write("last gamma\n")
    up.start("--port", str(free_port()))
    try:
        assert up.endpoint != endpoint
        up.wait_until_found("last", 2, 30)
        time.sleep(2)  # long enough for a repeat to show
        assert sorted(up.contents("*")) == ["first alpha", "first beta", "last gamma", "last gamma", "other first"]
    finally:
        assert up.stop() == 0


def test_a_child_that_dies_comes_back_without_loss_and_none_outlives_its_parent(tmp_path: Path):
    log = tmp_path / "app.log"
    log.write_text("before the crash\n")
    up = Up(tmp_path / "home", "--collect", str(log)).start("--port", "0")
    up.wait_until_found("before", 1, 30)
    agent = next(child for child in psutil.Process(up.pid).children() if "agent" in " ".join(child.cmdline()))
    agent.kill()
    up.wait_for("the agent ended (killed by signal 9)", 10)
    with log.open("a") as file:
        file.write("after the crash\n")
    up.wait_until_found("after", 1, 30)
    assert sorted(up.contents("crash")) == ["after the crash", "before the crash"]

    family = psutil.Process(up.pid).children(recursive=True)
    os.kill(up.pid, signal.SIGKILL)
    up.ended()
    assert len(family) >= 2
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_without_the_native_kernel_it_does_the_same_and_says_that_it_is_slower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TAILRACE_PURE", "1")  # as `make up` does where there is no cargo
    log = tmp_path / "app.log"
    log.write_text("first alpha\n")
    up = Up(tmp_path / "home", "--collect", str(log)).start("--port", "0")
    try:
        assert "pure-Python engine: slower" in up.shown
        up.wait_until_found("first", 1, 30)
        with log.open("a") as file:
            file.write("second beta\n")
        up.wait_until_found("second", 1, 30)
        assert sorted(up.contents("*")) == ["first alpha", "second beta"]
    finally:
        assert up.stop() == 0


def test_the_readmes_first_command_shows_where_things_are_finds_lines_and_stops_at_ctrl_c(tmp_path: Path):
    log = tmp_path / "app.log"
    log.write_text("first alpha\n")
    up = MadeUp(tmp_path / "home", "--collect", str(log)).start("--port", "0")
    try:
        assert f"tailrace up --home {up.home}" in up.shown
        up.wait_until_found("first", 1, 30)
    finally:
        code = up.stop()
    assert (code, "nothing is lost" in up.shown) == (-signal.SIGINT, True), up.shown


@pytest.mark.parametrize("word", ["--nonsense", "positional"])
def test_words_that_do_not_fit_are_told(word: str):
    done = subprocess.run([*TAILRACE, "up", word], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "hint: " in done.stderr
