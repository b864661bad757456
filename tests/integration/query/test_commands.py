"""`tailrace query` and `tailrace tail` against a running server."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from aliyun.log import LogItem, PutLogsRequest

from tests.conftest import RunningServer
from tests.integration.query.logs import TOKENS

INDEX = {"line": {"token": list(TOKENS)}, "keys": {"status": {"type": "long", "doc_value": True}}}
COMMAND = [sys.executable, "-m", "tailrace.cli.main"]


class Shell:
    """Runs commands against one logstore."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.project = server, server.fresh_name("shell")
        server.make_logstore(self.project, "access", INDEX)
        self.environment = {
            **os.environ,
            "TAILRACE_ENDPOINT": server.endpoint,
            "TAILRACE_KEY_ID": server.key_id,
            "TAILRACE_KEY_SECRET": server.key_secret,
            "TAILRACE_PROJECT": self.project,
            "TAILRACE_LOGSTORE": "access",
        }

    def write(self, *messages: str) -> None:
        now = int(time.time())
        items = [LogItem(now - place, contents=[("status", "404"), ("message", text)]) for place, text in enumerate(messages)]
        self.server.client().put_logs(PutLogsRequest(self.project, "access", "", "10.0.0.1", items))

    def query(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, "query", *words], check=False, env={**self.environment, **environment}, capture_output=True, text=True, timeout=60
        )

    def wait_for(self, search: str) -> None:
        deadline = time.monotonic() + 20
        while not self.query(search).stdout:
            assert time.monotonic() < deadline


@pytest.fixture(scope="module")
def shell(server: RunningServer) -> Shell:
    shell = Shell(server)
    assert "nothing has been collected" in shell.query("x").stderr
    shell.write("first =1+1", "second \x1b[31m", "third")
    shell.wait_for("first")
    return shell


def test_newest_first_with_control_characters_shown(shell: Shell):
    answer = shell.query("*")
    messages = [line.split("404")[1].strip() for line in answer.stdout.splitlines()[2:]]
    assert messages == ["first =1+1", "second \\x1b[31m", "third"]
    assert answer.returncode == 0


def test_json_is_a_line_per_event(shell: Shell):
    rows = [json.loads(line) for line in shell.query("third or first", "--output", "json", "--reverse").stdout.splitlines()]
    assert [row["message"] for row in rows] == ["third", "first =1+1"]


def test_csv_of_sql(shell: Shell):
    assert shell.query("* | select status, count(*) as hits group by status", "--output", "csv").stdout == "status,hits\n404,3\n"


def test_an_empty_answer_says_why(shell: Shell):
    assert "nothing matches `zzz` among the 3 events" in shell.query("zzz").stderr
    assert "nothing in this range: the newest of 3 events" in shell.query("*", "--since", "2d", "--until", "1d").stderr


def test_a_mistake_is_pointed_at(shell: Shell):
    answer = shell.query("status > x")
    assert answer.returncode == 2
    assert answer.stderr.splitlines()[1:] == ["hint: status > x", "               ^"]


def test_a_server_that_is_not_there_is_exit_3(shell: Shell):
    answer = shell.query("*", TAILRACE_ENDPOINT="http://127.0.0.1:9")
    assert (answer.returncode, answer.stderr.splitlines()[1]) == (3, "hint: is it running? `tailrace up` starts it")


def test_a_wrong_secret_is_named_without_being_shown(shell: Shell):
    answer = shell.query("*", TAILRACE_KEY_SECRET="not-the-secret")
    assert answer.returncode == 1
    assert "SignatureNotMatch" in answer.stderr
    assert "not-the-secret" not in answer.stderr


def test_tail_follows_until_it_is_interrupted(shell: Shell):
    process = subprocess.Popen(
        [*COMMAND, "tail", "fresh", "--output", "json"], env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stderr
    assert "following" in process.stderr.readline()
    shell.write("fresh one", "other")
    assert json.loads(process.stdout.readline())["message"] == "fresh one"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()
