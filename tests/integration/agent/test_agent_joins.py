"""An agent on another machine: it joins with a token, keeps its keys fresh over TLS, and stops when it has to."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.control.socket import ask
from tailrace.errors import TailraceError
from tests.conftest import RunningServer, running_server
from tests.integration.agent.running import Agent, contents, wait_for

INDEX = {"line": {"token": [" "]}}
SETTINGS = {"agent_key_secs": 10, "agent_poll_secs": 1, "certificate_secs": 8}


@pytest.fixture(scope="module")
def fast_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One whose keys and certificates live for seconds."""
    home = tmp_path_factory.mktemp("fast")
    (home / "server.yaml").write_text(json.dumps(SETTINGS))
    with running_server(home) as running:
        yield running


class Remote(Agent):
    """An agent that knows of the server what a token tells it. Its pipeline sends to logstore `app` of one project."""

    def __init__(self, directory: Path, server: RunningServer, project: str) -> None:
        super().__init__(directory, f"https://127.0.0.1:{server.tls_port}", {"TAILRACE_MACHINE_ID": directory.name})
        self.server, self.project = server, project
        server.make_logstore(project, "app", INDEX)
        self.pipeline(flushers=[self.to(project)])

    def to(self, project: str) -> dict[str, Any]:
        return {"Type": "flusher_sls", "Endpoint": self.endpoint, "Project": project, "Logstore": "app"}

    def token(self, project: str = "", **options: Any) -> str:
        return self.server.call("POST", "/tokens", {"project": project or self.project, **options}).json()["token"]

    def enroll(self, token: str, *words: str, address: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tailrace.cli.main", "agent", "enroll", "--home", str(self.home), "--token", "-", *words]
        command += ["--server", self.endpoint if address is None else address] if address != "" else []
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, input=token, capture_output=True, text=True, timeout=60, check=False, env=environment)

    def joined(self) -> "Remote":
        done = self.enroll(self.token())
        assert done.returncode == 0, done.stderr
        return self

    def write(self, *lines: str) -> None:
        with (self.logs / "a.log").open("a") as log:
            log.writelines(f"{line}\n" for line in lines)

    @property
    def identity(self) -> dict[str, Any]:
        return json.loads((self.home / "secret" / "agent.json").read_text())

    @property
    def state(self) -> str:
        """What it says of its server; empty while it does not answer."""
        try:
            return ask(self.home / "run", {"ask": "servers"})[0]["state"]
        except TailraceError:
            return ""

    def found(self, search: str, project: str = "") -> list[str]:
        body = json.dumps({"from": 1, "to": 2**31, "query": search, "line": 100, "offset": 0}).encode()
        headers = {"content-type": "application/json"}
        answer = self.server.request("POST", "/logstores/app/logs", project=project or self.project, body=body, headers=headers)
        return sorted(row["content"] for row in answer.json()["data"])


@pytest.fixture
def remote(tmp_path: Path, fast_server: RunningServer) -> Iterator[Remote]:
    directory = tmp_path / "remote"
    with Remote(directory, fast_server, fast_server.fresh_name("remote")) as remote:
        yield remote


def test_what_is_laid_down_at_enrolment_is_private_and_the_key_stays_here(remote: Remote, fast_server: RunningServer) -> None:
    remote.joined()
    secret = remote.home / "secret"
    assert {path.stat().st_mode & 0o777 for path in secret.iterdir()} == {0o600}
    (root,) = secret.glob("*.upgrade-root.json")
    assert json.loads(root.read_text())["keys"][0]["scheme"] == "ed25519"
    private = remote.identity["key"].splitlines()[1]
    fast_server.call("GET", "/agents")
    files = (Path(directory, name) for directory, _, names in os.walk(fast_server.home) for name in names)
    assert [data for data in contents(path for path in files if path.is_file()) if private.encode() in data] == []


def test_a_revoked_agent_stops_says_so_and_goes_on_when_it_is_let_in_again(remote: Remote, fast_server: RunningServer) -> None:
    remote.joined().start()
    remote.write("before")
    wait_for(lambda: remote.found("before"), remote.log(), 60)
    assert "CHECKPOINT_ALARM" not in remote.log(), "it has joined, and had not run before"
    agent = remote.identity["agent_id"]
    fast_server.call("POST", f"/agents/{agent}/revoke")
    remote.write("after")
    wait_for(lambda: remote.state == "revoked", "the agent says so", 30)
    (summary,) = ask(remote.home / "run", {"ask": "summary"})
    assert summary["state"] == "revoked"
    assert remote.found("after") == []
    assert "AGENT_REVOKED_ALARM" in remote.log()
    fast_server.call("POST", f"/agents/{agent}/reinstate")
    wait_for(lambda: remote.found("after"), remote.log(), 60)
    assert remote.found("before") == ["before"]


@pytest.mark.parametrize("way", ["token", "users"])
def test_a_second_project_is_added_while_the_agent_runs(remote: Remote, fast_server: RunningServer, way: str) -> None:
    other = fast_server.fresh_name("second")
    fast_server.make_logstore(other, "app", INDEX)
    remote.pipeline("other", flushers=[remote.to(other)], AllowingIncludedByMultiConfigs=True)
    remote.joined().start()
    remote.write("event one")
    wait_for(lambda: remote.found("event"), remote.log(), 60)
    sessions = remote.log().count("agent is at work")
    if way == "token":
        done = remote.enroll(remote.token(other))
        assert done.stdout == f"joined: this agent may write to all logstores of project {other}\n", done.stderr
    else:
        (remote.home / "users").mkdir(exist_ok=True)
        (remote.home / "users" / other).write_text(remote.token(other) + "\n")
    remote.write("event two")
    wait_for(lambda: "event two" in remote.found("event", other), remote.log(), 60)
    wait_for(lambda: len(remote.found("event")) == 2, remote.log(), 30)
    assert remote.log().count("agent is at work") == sessions, "the pipeline that ran before is none of this"
    remote.stop()
    remote.run_to_the_end(60)
    assert remote.found("event") == ["event one", "event two"]


def test_a_copied_home_is_turned_away_and_goes_on_with_an_id_of_its_own(remote: Remote, fast_server: RunningServer, tmp_path: Path) -> None:
    remote.joined().start()
    remote.write("original one")
    wait_for(lambda: remote.found("original"), remote.log(), 60)
    copy = Remote.__new__(Remote)
    Agent.__init__(copy, tmp_path / "copy", remote.endpoint, {"TAILRACE_MACHINE_ID": "copy"})
    copy.server, copy.project = remote.server, remote.project
    copy.pipeline(flushers=[copy.to(remote.project)])
    (copy.home / "secret" / "agent.json").write_bytes((remote.home / "secret" / "agent.json").read_bytes())
    copy.write("copied one")
    copy.start()
    try:
        wait_for(lambda: copy.state == "identity_conflict", copy.log(), 60)
        assert "another agent has this one's id" in copy.log()
        assert "IDENTITY_CONFLICT_ALARM" in copy.log()
        remote.write("original two")
        wait_for(lambda: len(remote.found("original")) == 2, remote.log(), 60)
        assert remote.found("copied") == []
        done = copy.enroll(copy.token(), "--new-id", address="")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: remote.found("copied") == ["copied one"], copy.log(), 60)
        assert copy.identity["agent_id"] != remote.identity["agent_id"]
        assert remote.found("original") == ["original one", "original two"]
    finally:
        copy.kill()


def test_a_wrong_server_gets_neither_token_nor_data(remote: Remote, fast_server: RunningServer, tmp_path: Path) -> None:
    with running_server(tmp_path / "impostor") as impostor:
        there = f"https://127.0.0.1:{impostor.tls_port}"
        refused = remote.enroll(remote.token(), address=there)
        assert refused.returncode == 3
        assert "is not the one that the token is for" in refused.stderr
        assert not (remote.home / "secret" / "agent.json").exists()
        remote.joined()
        document = remote.identity
        document["servers"][0]["addresses"] = [there]  # what a wrong name service would do
        document["enrolments"][0]["endpoint"] = there
        (remote.home / "secret" / "agent.json").write_text(json.dumps(document))
        remote.endpoint = there
        remote.pipeline(flushers=[remote.to(remote.project)])
        remote.start()
        remote.write("secret event")
        wait_for(lambda: "is not the server that enrolled this agent" in remote.log(), remote.log(), 60)
        assert "check the address" in remote.log()
        wait_for(lambda: remote.state == "not asked yet", "no answer of this server counts", 30)
        assert remote.process is not None
        remote.process.send_signal(signal.SIGTERM)
        assert remote.process.wait(60) == 0
        log = (impostor.home / "logs" / "server.log").read_text()
        assert '"status":200' not in log.replace(" ", "")
