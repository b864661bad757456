"""A real server for the tests that need one: a process of its own on a free port, with a home that is thrown away."""

import http.client
import importlib
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from tailrace.wire.signature import SignedRequest, sign_v1, sign_v4, split_target

logging.raiseExceptions = False  # a summary may come when the stream of the test that it belongs to is closed

START_SECS = 120
NO_KERNEL = "the native kernel is not installed: install Rust (https://rustup.rs), then run `make kernel`"
STOP_SECS = 30


@dataclass
class Answer:
    """Header names as they came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The SLS error code; empty for a success."""
        return self.json()["errorCode"] if self.status != 200 else ""


@dataclass
class RunningServer:
    home: Path
    port: int
    key_id: str
    key_secret: str
    process: subprocess.Popen[bytes] = field(repr=False)
    tls_port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def fresh_name(prefix: str) -> str:
        """A name for a project that no other test has."""
        return f"{prefix}-{secrets.token_hex(4)}"

    def client(self, *, key: tuple[str, str] | None = None, sign_version: str = "4") -> Any:
        """The official SDK's client, talking through the server as its HTTP proxy (what `http_proxy` does), so that no name is resolved."""
        from aliyun.log import LogClient

        key_id, key_secret = key or (self.key_id, self.key_secret)
        client = LogClient(self.endpoint, key_id, key_secret, auth_version="v" + sign_version, region="local")
        client._session.trust_env = False
        client._session.proxies = {"http": self.endpoint}
        return client

    def sign(
        self,
        method: str,
        target: str,
        *,
        project: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        key: tuple[str, str] | None = None,
        version: str = "v4",
        now: datetime | None = None,
    ) -> dict[str, str]:
        """All headers of a signed request but its content-length."""
        host = f"{project}.127.0.0.1" if project else "127.0.0.1"
        path, query = split_target(target)
        signed = SignedRequest(method, path, query, {"host": host, **(headers or {})}, body)
        key_id, secret = key or (self.key_id, self.key_secret)
        now = now or datetime.now(UTC)
        added = sign_v1(signed, key_id, secret, now) if version == "v1" else sign_v4(signed, key_id, secret, "local", now)
        return {**signed.headers, **added}

    def request(self, method: str, target: str, *, body: bytes = b"", change: Mapping[str, str] | None = None, **options: Any) -> Answer:
        """One signed request over a bare connection; options as of `sign`. `change` replaces headers after they were signed."""
        return self.send(method, target, {**self.sign(method, target, body=body, **options), **(change or {})}, body)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Exactly these headers and this body, plus a content-length unless one is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, quote(target, safe="/?&=%+:,;@~*'()!$[]"), skip_host=True, skip_accept_encoding=True)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def make_logstore(self, project: str, logstore: str, index: Mapping[str, Any] | None = None) -> None:
        """With its project, if that is not there."""
        answer = self.request("POST", "/", body=json.dumps({"projectName": project, "description": ""}).encode())
        assert answer.code in ("", "ProjectAlreadyExist"), answer.body
        document = {"logstoreName": logstore, "ttl": 30, "shardCount": 2}
        answer = self.request("POST", "/logstores", project=project, body=json.dumps(document).encode())
        assert answer.status == 200, answer.body
        if index is not None:
            answer = self.request("POST", f"/logstores/{logstore}/index", project=project, body=json.dumps(index).encode())
            assert answer.status == 200, answer.body

    def call(self, method: str, target: str, document: object = None) -> Answer:
        """One signed request of our own API, as the administrator."""
        body = b"" if document is None else json.dumps(document).encode()
        return self.request(method, f"/api/v1{target}", body=body, headers={"content-type": "application/json"} if body else {})

    def enrol(self, agent: str, project: str, logstores: list[str]) -> tuple[str, str]:
        """Id and secret of a new agent key, which the agent gets with a join token."""
        from tests.integration.server.joiner import Joiner

        token = self.call("POST", "/tokens", {"project": project, "logstores": logstores}).json()["token"]
        with tempfile.TemporaryDirectory() as directory:
            joiner = Joiner(Path(directory), self.tls_port, agent_id=agent)
            joiner.pin(token)
            assert joiner.enrol(token).status == 200
            return joiner.key()


@contextmanager
def running_server(home: Path, *flags: str, port: int = 0) -> Iterator[RunningServer]:
    """Start one on `home` (on a free port by default), stop it in the end. What it writes to stderr lies in `<home>.stderr`."""
    with stderr_of(home).open("ab") as errors:
        command = [sys.executable, "-m", "tailrace.cli.main", "server", "run", "--home", str(home), "--port", str(port), *flags]
        process = subprocess.Popen(command, stdout=errors, stderr=errors, env=_environment(home))
    try:
        place = _wait_for_place(home, process)
        key = json.loads((home / "secret" / "admin.json").read_text())
        yield RunningServer(home, place["port"], key["key_id"], key["key_secret"], process, place["tls_port"])
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(home: Path) -> dict[str, str]:
    """With the metadata in PostgreSQL, where the tests are run so."""
    from tests.databases import SERVER, address_of

    return {**os.environ, **({"TAILRACE_SERVER_DATABASE": address_of(home)} if SERVER else {})}


def stderr_of(home: Path) -> Path:
    return home.with_name(home.name + ".stderr")


def _wait_for_place(home: Path, process: subprocess.Popen[bytes]) -> dict[str, int]:
    deadline = time.monotonic() + START_SECS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            run = json.loads((home / "run" / "server.json").read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.05)
            continue
        if run["pid"] == process.pid:
            return run
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{stderr_of(home).read_text()}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests of a run: give projects names of your own."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def native_kernel() -> ModuleType:
    """For tests of the native kernel. Where it has to be there, in CI (the environment names it), its absence is a failure."""
    try:
        return importlib.import_module("tailrace_kernel")
    except ImportError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{NO_KERNEL} ({error})")
        pytest.skip(NO_KERNEL)
