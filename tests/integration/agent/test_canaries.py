"""Secrets stay where they belong: neither logs nor alarms, status, snapshots, crash reports, config echo, URLs, the process list nor any
other file shows one."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.agent.control.socket import ask
from tests.conftest import RunningServer, running_server
from tests.integration.agent.running import Agent, wait_for
from tests.integration.agent.test_agent_joins import INDEX, Remote

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]
CANARY = "canary0own0key0secret0000000000000000000"


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Says all that it can say, and renews keys within seconds."""
    home = tmp_path_factory.mktemp("loud")
    (home / "server.yaml").write_text(json.dumps({"agent_key_secs": 10, "agent_poll_secs": 1, "log_level": "debug"}))
    with running_server(home) as running:
        yield running


class Watched:
    """What a neighbour on the machine sees of all processes: their arguments and titles."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().decode(errors="replace"))
                except OSError:
                    continue


def everything_said(server: RunningServer, remote: Remote) -> str:
    """All that either side has written or answers, but for `secret/`."""
    files = [path for home in (server.home, remote.home) for path in home.rglob("*") if (home / "secret") not in path.parents]
    files += [remote.directory / "agent.log", server.home.with_name(server.home.name + ".stderr")]
    texts = [path.read_bytes().decode("latin-1") for path in files if path.is_file()]
    questions = ("servers", "alarms", "targets", "pipelines", "metrics")
    texts += [json.dumps(ask(remote.home / "run", {"ask": question})) for question in questions]
    texts += [server.call("GET", target).body.decode() for target in ("/agents", "/tokens", "/status", "/ca")]
    texts.append(server.send("GET", "/metrics", {"host": "127.0.0.1"}).body.decode())
    for command in (
        ["agent", "doctor", "--home", remote.home],
        ["agent", "settings", "--home", remote.home],
        ["ca", "show", "--home", server.home],
    ):
        done = subprocess.run([*TAILRACE, *command, "--output", "json"], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout
        texts += [done.stdout, done.stderr]
    return "\n".join(texts)


def crash(remote: Remote) -> None:
    """Kill the worker so that it leaves a report, and wait for the next one."""

    def worker() -> int:
        return int(json.loads((remote.home / "run" / "supervisor.json").read_text())["worker"])

    before = worker()
    os.kill(before, signal.SIGABRT)
    wait_for(lambda: list((remote.home / "crash").glob("*.json")), "a crash report")
    remote.write("event two")
    wait_for(lambda: worker() != before and len(remote.found("event")) == 2, remote.log(), 60)


def test_no_secret_is_seen_outside_its_file(loud: RunningServer, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "remote", loud, loud.fresh_name("canary"))
    remote.environment["CANARY"] = CANARY
    remote.supervised = True
    elsewhere = {"Type": "flusher_sls", "Endpoint": "http://127.0.0.1:1", "Project": "else", "Logstore": "app"}
    own_key = {"AccessKeyId": "visible-id", "AccessKeySecret": "${env:CANARY}"}
    remote.pipeline("own", flushers=[{**elsewhere, **own_key}], AllowingIncludedByMultiConfigs=True)
    secrets: set[str] = {CANARY, loud.key_secret}
    token = remote.token()
    secrets.add(token.split(".")[2])
    with Watched() as watched:
        assert remote.enroll(token).returncode == 0
        remote.start("--log-level", "debug")
        remote.write("event one")
        wait_for(lambda: remote.found("event"), remote.log(), 60)
        first = remote.identity["enrolments"][0]["key_secret"]
        wait_for(lambda: remote.identity["enrolments"][0]["key_secret"] != first, "the key is renewed", 30)
        secrets |= {first, remote.identity["enrolments"][0]["key_secret"]}
        secrets.add(remote.identity["key"].splitlines()[1])
        crash(remote)
        wait_for((remote.home / "snapshot" / "logtail_status_snapshot").exists, "a snapshot")
        loud.call("POST", f"/agents/{remote.identity['agent_id']}/revoke")
        wait_for(lambda: remote.state == "revoked", "the agent says so", 30)
        said = everything_said(loud, remote)
        remote.stop()
    assert len(secrets) == 6
    assert "killed by SIGABRT" in said
    assert '"detail_metric"' in said
    assert [secret for secret in secrets if secret in said] == []
    assert [secret for secret in secrets if any(secret in arguments for arguments in watched.seen)] == []
    assert any("agent run" in arguments.replace("\0", " ") for arguments in watched.seen)


def test_the_agent_on_the_servers_own_home_shows_none_either(loud: RunningServer) -> None:
    local = Remote.__new__(Remote)
    Agent.__init__(local, loud.home.with_name("local"), loud.endpoint)
    local.server, local.project = loud, loud.fresh_name("local")
    loud.make_logstore(local.project, "app", INDEX)
    local.pipeline(flushers=[local.to(local.project)])
    with Watched() as watched:
        words = ["agent", "run", "--no-supervisor", "--home", str(loud.home), "--pipelines", str(local.directory / "pipelines")]
        log = local.directory / "agent.log"
        with log.open("ab") as out:
            words += ["--enrol-local", loud.endpoint, "--log-level", "debug"]
            process = subprocess.Popen([*TAILRACE, *words], stdout=out, stderr=out)
        try:
            local.write("event one")
            wait_for(lambda: local.found("event"), local.log(), 60)
            document = json.loads((loud.home / "secret" / "agent.json").read_text())
            answers = [json.dumps(ask(loud.home / "run", {"ask": question})) for question in ("servers", "alarms", "targets", "summary")]
        finally:
            process.terminate()
            process.wait(30)
    (enrolment,) = document["enrolments"]
    secrets = {loud.key_secret, enrolment["key_secret"], document["key"].splitlines()[1]}
    logs = [path.read_text(errors="replace") for path in [log, *(loud.home / "logs").iterdir(), *(loud.home / "run").glob("*.json")]]
    said = "\n".join([*logs, *answers, (loud.home / "ca.pem").read_text(), (loud.home / "agent" / "boot.json").read_text()])
    assert [secret for secret in secrets if secret in said] == []
    assert [secret for secret in secrets if any(secret in arguments for arguments in watched.seen)] == []
    assert enrolment["expires_at"] > 0
    assert [one["addresses"][0] for one in document["servers"]] == [f"https://127.0.0.1:{loud.tls_port}"]


def test_a_token_on_the_command_line_is_hidden_while_the_command_runs(tmp_path: Path) -> None:
    token = f"tr1.0123456789ab.{'S' * 43}.{'f' * 64}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "tailrace.cli.main", "agent", "enroll", "--home", str(tmp_path), "--token", token]
        command += ["--server", f"https://127.0.0.1:{silent.getsockname()[1]}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ) as process:
            connection, _ = silent.accept()
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            connection.close()
            _, said = process.communicate(timeout=30)
    assert arguments.startswith(b"tailrace agent enroll")
    assert b"S" * 43 not in arguments + environment + said
    assert process.returncode == 3
