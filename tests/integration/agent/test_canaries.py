"""Secrets stay where they belong: neither logs nor alarms, status, config echo, URLs or the process list show one."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.agent.control.socket import ask
from tests.conftest import RunningServer, running_server
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_joins import Remote

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
    """All that either side has written or answers, but for `secret/` and the database."""
    files = [*(server.home / "logs").iterdir(), *(remote.home / "logs").iterdir(), *(remote.home / "run").glob("*.json")]
    files += [remote.directory / "agent.log", server.home.with_name(server.home.name + ".stderr")]
    texts = [path.read_text(errors="replace") for path in files if path.is_file()]
    questions = ("servers", "alarms", "targets", "pipelines", "metrics")
    texts += [json.dumps(ask(remote.home / "run", {"ask": question})) for question in questions]
    texts += [server.call("GET", target).body.decode() for target in ("/agents", "/tokens", "/status", "/ca")]
    texts.append(server.send("GET", "/metrics", {"host": "127.0.0.1"}).body.decode())
    return "\n".join(texts)


def test_no_secret_is_seen_outside_its_file(loud: RunningServer, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "remote", loud, loud.fresh_name("canary"))
    remote.environment["CANARY"] = CANARY
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
        loud.call("POST", f"/agents/{remote.identity['agent_id']}/revoke")
        wait_for(lambda: remote.state == "revoked", "the agent says so", 30)
        said = everything_said(loud, remote)
        remote.stop()
    assert len(secrets) == 6
    assert [secret for secret in secrets if secret in said] == []
    assert [secret for secret in secrets if any(secret in arguments for arguments in watched.seen)] == []
    assert any("agent run" in arguments.replace("\0", " ") for arguments in watched.seen)


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
