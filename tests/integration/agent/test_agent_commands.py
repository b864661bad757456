"""What agents do once because somebody asks for it on the server: a real agent under its supervisor, and the command line."""

import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tailrace.server.fleet.commands import MOST_OPEN
from tests.conftest import RunningServer
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_managed import CONFIG, Managed
from tests.integration.server.people import make_key


class Commanded(Managed):
    @property
    def id(self) -> str:
        return str(self.identity["agent_id"])

    def path(self, rest: str = "") -> str:
        return f"/projects/{self.project}/commands{rest}"

    def give(self, kind: str, *, expires: int = 600, **detail: Any) -> str:
        body = {"command": {"kind": kind, **detail}, "agents": [self.id], "expires_secs": expires}
        answer = self.server.call("POST", self.path(), body)
        assert answer.status == 200, answer.body
        return str(answer.json()["id"])

    def outcome(self, command: str) -> dict[str, Any]:
        return self.server.call("GET", self.path(f"/{command}")).json()["agents"][0]

    def until(self, command: str, *states: str) -> str:
        """What is said of it when it is so."""
        wait_for(lambda: self.outcome(command)["state"] in states, f"{states}: {self.outcome(command)}", 60)
        return str(self.outcome(command)["message"])

    def result(self, command: str) -> bytes:
        return self.server.request("GET", f"/api/v1{self.path(f'/{command}/results/{self.id}')}").body

    @property
    def worker(self) -> int:
        try:
            return int(json.loads((self.home / "run" / "supervisor.json").read_text())["worker"])
        except (OSError, ValueError):
            return 0


@pytest.fixture
def commanded(tmp_path: Path, server: RunningServer) -> Iterator[Commanded]:
    agent = Commanded(tmp_path, server, server.fresh_name("commanded"))
    agent.joined()
    agent.supervised = True
    yield agent
    agent.stop()


def test_lines_a_bundle_and_a_restart_are_had_within_seconds(commanded: Commanded) -> None:
    commanded.apply()
    commanded.write("one", "two", "three")
    commanded.start()
    wait_for(lambda: commanded.found("*") == ["one", "three", "two"], "its lines")
    sample = commanded.give("sample", path=str(commanded.logs / "a.log"), lines=2)
    assert commanded.until(sample, "done") == "2 lines of 14 bytes"
    assert json.loads(commanded.result(sample))["lines"] == ["two", "three"]
    for path in (commanded.home / "secret" / "agent.json", "/proc/self/environ"):
        refused = commanded.give("sample", path=str(path))
        assert "forbids" in commanded.until(refused, "failed")

    bundle = commanded.give("diagnostics")
    commanded.until(bundle, "done")
    with zipfile.ZipFile(io.BytesIO(commanded.result(bundle))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert f"{commanded.project}@{CONFIG}" in parts["pipelines.json"]
    secrets = [commanded.identity["key"], *(one["key_secret"] for one in commanded.identity["enrolments"])]
    assert [one for one in secrets if one in "".join(parts.values())] == []

    level = commanded.give("log-level", level="debug", secs=600)
    commanded.until(level, "running")
    before = commanded.worker
    restart = commanded.give("restart")
    assert commanded.until(restart, "done") == "the worker was started anew"
    assert commanded.worker not in (0, before)
    commanded.write("four")
    wait_for(lambda: len(commanded.found("*")) >= 4, "the line after it")
    assert commanded.found("*") == ["four", "one", "three", "two"]
    assert commanded.outcome(level)["state"] == "running", "it holds for its time"


def test_history_is_imported_once_although_the_agent_is_killed_meanwhile(commanded: Commanded) -> None:
    commanded.apply()
    old = commanded.directory / "old"
    old.mkdir()
    written = 20_000
    (old / "a.log").write_text("".join(f"n{number:06d}\n" for number in range(written)))
    commanded.start()
    wait_for(lambda: commanded.given and commanded.given[0]["runs"], "the config")
    command = commanded.give("import", config=CONFIG, paths=[str(old)])
    wait_for(lambda: list((commanded.home / "agent" / "commands").glob("*.json")), "the command")
    for _ in range(3):
        worker = commanded.worker
        if worker:
            signal_to(worker)
        wait_for(lambda worker=worker: commanded.worker not in (0, worker), "another worker", 60)
    assert f"1 of 1 files, {written * 8:,} bytes" in commanded.until(command, "done")
    wait_for(lambda: commanded.counted() >= written, "all lines", 60)
    assert (commanded.counted(), commanded.counted("count(distinct content)")) == (written, written)
    again = commanded.give("import", config=CONFIG, paths=[str(old)])
    assert "has been collected already" in commanded.until(again, "failed")


def signal_to(worker: int) -> None:
    subprocess.run(["kill", f"-{signal.SIGKILL}", str(worker)], check=False)


def test_one_that_is_away_does_it_when_it_comes_back_and_not_when_that_is_too_late(commanded: Commanded) -> None:
    (commanded.logs / "b.log").write_text("here\n")
    early = commanded.give("sample", path=str(commanded.logs / "b.log"), expires=2)
    late = commanded.give("sample", path=str(commanded.logs / "b.log"))
    assert commanded.until(early, "expired") == "the agent did not ask in time"
    commanded.start()
    assert commanded.until(late, "done") == "1 lines of 5 bytes"
    assert commanded.outcome(early)["state"] == "expired"


def test_who_may_not_act_for_all_projects_of_an_agent_commands_it_not_as_a_whole(commanded: Commanded, server: RunningServer) -> None:
    other = server.fresh_name("other")
    server.make_logstore(other, "app")
    assert commanded.enroll(commanded.token(other)).returncode == 0
    operator, reader = (make_key(server, role=role, project=commanded.project) for role in ("operator", "reader"))
    body = {"command": {"kind": "restart"}, "agents": [commanded.id]}
    target, headers = f"/api/v1{commanded.path()}", {"content-type": "application/json"}
    answers = [server.request("POST", target, body=json.dumps(body).encode(), headers=headers, key=key) for key in (operator, reader)]
    assert [answer.status for answer in answers] == [401, 401]
    assert other not in answers[0].body.decode()
    given = server.call("POST", commanded.path(), body)
    assert given.status == 200
    result = f"{target}/{given.json()['id']}/results/{commanded.id}"
    assert server.request("GET", result).status == 404, "it has none"
    assert server.request("GET", result, key=operator).status == 401
    assert server.request("GET", result.replace(commanded.id, "f" * 32), key=operator).status == 404
    assert server.call("DELETE", f"/agents/{commanded.id}/projects/{other}").status == 200
    assert server.request("GET", result, key=operator).status == 401, "it may hold what the agent did for the other project then"


def test_what_fails_at_once_is_shown_and_told_by_the_exit_code_also_where_nothing_is_awaited(commanded: Commanded) -> None:
    for _ in range(MOST_OPEN):
        commanded.give("restart")
    command = [sys.executable, "-m", "tailrace.cli.main", "agent", "command", "log-level", "debug", "--agent", commanded.id]
    command += ["--project", commanded.project, "--home", str(commanded.server.home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, f"{MOST_OPEN} commands of the project have not ended" in done.stdout) == (4, True), done.stdout


def test_a_person_does_it_from_the_command_line(commanded: Commanded, tmp_path: Path) -> None:
    def tailrace(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tailrace.cli.main", "agent", "command", *words]
        command += ["--project", commanded.project, "--home", str(commanded.server.home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    commanded.start()
    (commanded.logs / "b.log").write_text("eins\nzwei\n")
    done = tailrace("sample", str(commanded.logs / "b.log"), "--agent", commanded.id, "--lines", "1")
    assert (done.returncode, "1 lines of 10 bytes" in done.stdout) == (0, True), done.stderr
    command = done.stdout.split()[1].rstrip(":")
    assert tailrace("result", command, commanded.id).stdout == "zwei\n"
    assert command in tailrace("list").stdout
    failed = tailrace("sample", "/no/such/file", "--agent", commanded.id)
    assert (failed.returncode, "no such file" in failed.stdout) == (4, True), failed.stdout
    assert tailrace("restart").returncode == 2
    commanded.stop()
    time.sleep(0.1)
    waiting = commanded.give("restart")
    assert f"cancelled {waiting} for 1 agents" in tailrace("cancel", waiting).stdout
    assert tailrace("show", waiting).returncode == 0
