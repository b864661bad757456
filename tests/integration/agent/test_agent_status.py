"""What `tailrace agent status` says: of an agent at work, of one that was killed, and over its windows of time."""

import json
import socket
import stat
import subprocess
import sys
import time

import pytest

from tests.integration.agent.running import ROOT, wait_for

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]


def ask(agent, *words, code=0):
    done = subprocess.run(
        [*TAILRACE, "agent", "status", *words, "--home", agent.home], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def rows(agent, *words):
    return [json.loads(line) for line in ask(agent, *words, "--output", "json").stdout.splitlines()]


def at_work(agent, sink, lines=100):
    agent.enrol()
    agent.pipeline(processors=[{"Type": "processor_parse_regex_native", "Regex": r"(event) (\d+)", "Keys": ["what", "number"]}])
    (agent.logs / "a.log").write_text("".join(f"event {number}\n" for number in range(lines)) + "something else\n")
    agent.start()
    wait_for(lambda: len(sink.events) >= lines)
    wait_for((agent.home / "run" / "agent.sock").exists)


def test_files_and_pipelines_are_told_as_they_are(agent, sink):
    at_work(agent, sink)
    log = agent.logs / "a.log"
    size = log.stat().st_size
    wait_for(lambda: [row["committed"] for row in rows(agent, "files")] == [size])
    (row,) = rows(agent, "files", "--pattern", "*a.log")
    assert (row["path"], row["inode"], row["size"], row["read"], row["lag"]) == (str(log), log.stat().st_ino, size, size, 0)
    assert row["state"] == "up to date"
    (pipeline,) = rows(agent, "pipelines")
    assert (pipeline["in_events"], pipeline["failed"], pipeline["state"]) == (101, 1, "ok")
    assert list(pipeline["why"].values()) == [1]
    assert "does not match" in next(iter(pipeline["why"]))
    (alarm,) = [row for row in rows(agent, "alarms") if row["alarm"] == "REGEX_MATCH_ALARM"]
    assert (alarm["count"], alarm["sample"]["sample"]) == (1, "something else")
    assert "tailrace_agent_read_events_total" in ask(agent, "metrics").stdout
    assert "1 pipeline" in ask(agent).stdout


def test_what_is_not_acknowledged_is_not_committed_and_shows_as_retried(agent, sink):
    sink.fault = lambda number: "500"
    agent.enrol()
    agent.pipeline()
    (agent.logs / "a.log").write_text("one\ntwo\n")
    agent.start()
    wait_for(lambda: sink.requests > 1)
    (row,) = rows(agent, "files")
    assert (row["read"], row["committed"]) == (8, 0)
    wait_for(lambda: rows(agent, "pipelines")[0]["retried"] >= 2)
    (target,) = rows(agent, "targets")
    assert (target["state"], target["waiting_ranges"]) == ("failing", 1)
    assert ask(agent).stdout.startswith("agent ")
    assert ": degraded, since" in ask(agent).stdout


def test_a_file_that_cannot_be_read_says_why(agent, sink):
    at_work(agent, sink)
    (agent.logs / "fifo.log").symlink_to("/proc/self/environ")
    wait_for(lambda: any(row["last_error"] for row in rows(agent, "files")))
    (row,) = [row for row in rows(agent, "files") if row["last_error"]]
    assert (row["path"], row["state"]) == (str(agent.logs / "fifo.log"), "not read")
    assert "policy forbids" in row["last_error"]


def test_only_the_owner_can_ask(agent, sink):
    at_work(agent, sink)
    path = agent.home / "run" / "agent.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((agent.home / "run").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "question",
    [
        b"\n",
        b"[]\n",
        b'{"ask": "secrets"}\n',
        b"\xff\xfe\n",
        b"x" * 200_000,
        *(b'{"ask": "files", "limit": %s}\n' % limit for limit in (b'"x"', b"null", b"Infinity")),
    ],
)
def test_a_wrong_question_is_answered_and_ends_nothing(agent, sink, question, monkeypatch):
    at_work(agent, sink)
    monkeypatch.chdir(agent.home / "run")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect("agent.sock")
        try:
            connection.sendall(question)
            answer = connection.makefile("rb").read()
        except OSError:
            answer = b""
    assert b"done" not in answer
    assert rows(agent, "pipelines")


def test_a_killed_agent_still_shows_its_last_state_with_its_age(agent, sink):
    at_work(agent, sink)
    snapshot = agent.home / "run" / "status.json"
    wait_for(lambda: snapshot.exists() and json.loads(snapshot.read_text())["files"])
    agent.kill()
    done = ask(agent, "files")
    assert str(agent.logs / "a.log") in done.stdout
    assert "the agent does not run; this is its state of" in done.stderr


def test_a_home_without_an_agent_says_so(agent, sink):
    assert "no agent runs on" in ask(agent, "files", code=1).stderr
    assert "ask for one of" in ask(agent, "nonsense", code=2).stderr


# --- the manual's local status ------------------------------------------------------------------------------------------------------
def test_the_windows_of_the_manual_survive_a_kill(agent, sink):
    at_work(agent, sink)
    windows = agent.home / "agent" / "windows"
    wait_for(lambda: any(json.loads(path.read_text())["files"] for path in windows.glob("600-*.json")))
    agent.kill()
    index = "1" if ask(agent, "active", "--logstore", "1").stdout else "2"  # ten minutes may just have ended
    assert ask(agent, "all", index).stdout.strip() in ("ok", "busy", "") or index == "2"
    assert ask(agent, "active", "--logstore", index).stdout == "test : app\n"
    assert ask(agent, "active", "--logfile", index, "test", "app").stdout == f"{agent.logs}/a.log\n"
    profile = json.loads(ask(agent, "logstore", "--format", "json", index, "test", "app").stdout)
    assert (profile["parse_success_lines"], profile["parse_fail_lines"], profile["status"]) == (100, 1, "ok")
    assert profile["read_bytes"] == (agent.logs / "a.log").stat().st_size
    file = json.loads(ask(agent, "logfile", "--format", "json", index, "test", "app", f"{agent.logs}/a.log").stdout)
    assert file["read_offset_bytes"] == file["file_size_bytes"] == profile["read_bytes"]
    lines = ask(agent, "logfile", index, "test", "app", f"{agent.logs}/a.log").stdout
    assert "file_offset_bytes" in lines
    table = ask(agent, "history", "1", "3", "test", "app").stdout.splitlines()
    assert table[0].split()[:4] == ["begin_time", "status", "read", "parse_success"]
    assert len(table) == 2
    agent.start()
    with (agent.logs / "a.log").open("a") as file:
        file.write("event 1\n")
    wait_for(lambda: json.loads(ask(agent, "logstore", "--format", "json", "1", "test", "app").stdout or "null"))
    if index == "1":
        wait_for(lambda: json.loads(ask(agent, "logstore", "--format", "json", "1", "test", "app").stdout)["parse_success_lines"] == 101)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("all", "61"), 1, "invalid query interval"),
        (("all", "x"), 10, "invalid param, use -h for help."),
        (("active",), 10, "invalid param"),
        (("logstore", "1", "p"), 10, "invalid param"),
        (("history", "3", "1", "p", "l"), 1, "invalid query interval"),
        (("all", "1"), 0, ""),
        (("logstore", "1", "p", "l"), 0, ""),
    ],
)
def test_the_exit_codes_are_the_manuals(agent, words, code, message):
    done = ask(agent, *words, code=code)
    assert done.stderr.startswith(message)


def test_nothing_found_is_null_in_json_and_blank_in_lines(agent):
    assert ask(agent, "logstore", "--format", "json", "1", "p", "l").stdout == "null\n"
    assert ask(agent, "logstore", "1", "p", "l").stdout == "\n"


def test_a_damaged_window_is_named(agent):
    windows = agent.home / "agent" / "windows"
    windows.mkdir(parents=True)
    (windows / f"60-{int(time.time()) // 60 * 60}.json").write_text("{")
    (windows / f"60-{int(time.time()) // 60 * 60 + 60}.json").write_text("{")
    assert "invalid profile" in ask(agent, "all", code=1).stderr
