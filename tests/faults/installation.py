"""A server and an agent of one home, as real processes that a test may kill -9 and start again."""

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.conftest import RunningServer
from tests.faults.proxy import Proxy

TAILRACE = [sys.executable, "-m", "tailrace.cli.main"]
AGENT = ["agent", "run", "--no-supervisor"]
"""So that what is killed is the worker."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lasting_port() -> int:
    """One that stays free while the server is down, and so does the next one, which is its port with TLS: the system gives none of these
    to whoever connects meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as next_:
            one.bind(("127.0.0.1", port))
            next_.bind(("127.0.0.1", port + 1))
            return port


class Installation:
    """`collect` is a glob of files; they are read from their beginning into logstore `app` of project `faults`.

    With `proxy`, made for the server's port, all that the agent sends goes through it, without TLS; it is given a key beforehand.
    """

    def __init__(self, home: Path, collect: str, processors: list[dict[str, Any]], *, proxy: Callable[[int], Proxy] | None = None) -> None:
        self.home = home
        self.port = lasting_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.proxy = proxy(self.port) if proxy else None
        self._agents_endpoint = self.proxy.endpoint if self.proxy else self.endpoint
        self.pipelines = home.with_name("pipelines")
        self.pipelines.mkdir(parents=True)
        if self.proxy:
            home.mkdir(parents=True)
            (home / "server.yaml").write_text("agent_key_secs: 604800\n")
        self._output = home.with_name("processes.log")
        self._log = self._output.open("ab")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        pipeline = {
            "inputs": [{"Type": "input_file", "FilePaths": [collect], "TailingAllMatchedFiles": True}],
            "processors": processors,
            "flushers": [{"Type": "flusher_sls", "Endpoint": self._agents_endpoint, "Project": "faults", "Logstore": "app"}],
        }
        (self.pipelines / "app.json").write_text(json.dumps(pipeline))

    def start(self, name: str) -> None:
        """`name` is "server" or "agent"; the server is waited for."""
        if name == "server":
            self._spawn(name, ["server", "run", "--home", str(self.home), "--port", str(self.port)])
            with ExitStack() as undo:
                undo.callback(self.stop)  # who cannot begin leaves nothing behind
                self.wait_until_ready()
                undo.pop_all()
        else:
            enrol = ["--enrol-local", self.endpoint] if self.proxy is None else []
            if self.proxy is not None and not (self.home / "secret" / "agent.json").exists():
                self._give_key(self.proxy.endpoint)
            self._spawn(name, [*AGENT, "--home", str(self.home), "--pipelines", str(self.pipelines), *enrol])

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for name in list(self._processes):
            process = self._processes.pop(name)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    def wait_until_ready(self, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.endpoint}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            assert self._processes["server"].poll() is None, self.tail()
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready within {seconds} s:\n{self.tail()}")

    def wait_until_at_work(self, lives: int, seconds: float = 180) -> None:
        """Until the agent has begun to work in its `lives`-th life."""
        deadline = time.monotonic() + seconds
        while self._output.read_text(errors="replace").count("agent is at work") < lives:
            assert time.monotonic() < deadline, f"the agent was not at work within {seconds} s:\n{self.tail()}"
            time.sleep(0.05)

    def make_logstore(self, index: dict[str, Any]) -> None:
        self._server().make_logstore("faults", "app", index)

    def _server(self) -> RunningServer:
        key, running = self._admin_key(), json.loads((self.home / "run" / "server.json").read_text())
        return RunningServer(self.home, self.port, key["key_id"], key["key_secret"], self._processes["server"], running["tls_port"])

    def _give_key(self, endpoint: str) -> None:
        agent = secrets.token_hex(16)
        key_id, key_secret = self._server().enrol(agent, "faults", ["app"])
        enrolment = {"endpoint": endpoint, "project": "faults", "logstores": ["app"], "key_id": key_id, "key_secret": key_secret}
        known = {"features": ["batch_group"], "server": "5" * 32}
        document = {"format": 2, "agent_id": agent, "enrolments": [{**enrolment, **known}]}
        (self.home / "secret" / "agent.json").write_text(json.dumps(document))

    def query(self, statement: str) -> list[dict[str, str]]:
        """Rows of a query over the last month, through the CLI."""
        key = self._admin_key()
        environment = {"TAILRACE_ENDPOINT": self.endpoint, "TAILRACE_KEY_ID": key["key_id"], "TAILRACE_KEY_SECRET": key["key_secret"]}
        command = [*TAILRACE, "query", statement, "--project", "faults", "--logstore", "app", "--since", "30d", "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment})
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ask(self, statement: str) -> list[dict[str, str]]:
        """The same, by one request."""
        key = self._admin_key()
        server = RunningServer(self.home, self.port, key["key_id"], key["key_secret"], self._processes["server"])
        body = json.dumps({"from": 1, "to": 2**31, "query": statement, "line": 100, "offset": 0}).encode()
        answer = server.request("POST", "/logstores/app/logs", project="faults", body=body, headers={"content-type": "application/json"})
        assert answer.status == 200, answer.body
        return answer.json()["data"]

    def _admin_key(self) -> dict[str, str]:
        return json.loads((self.home / "secret" / "admin.json").read_text())

    def output(self) -> str:
        """What server and agent have written."""
        return self._output.read_text(errors="replace")

    def tail(self) -> str:
        return self.output()[-4000:]

    def _spawn(self, name: str, words: list[str]) -> None:
        environment = {**os.environ, "TZ": "UTC", **(self.proxy.environment if self.proxy else {})}
        self._processes[name] = subprocess.Popen([*TAILRACE, *words], stdout=self._log, stderr=self._log, env=environment)
