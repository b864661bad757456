"""A real server for those who test against one: a process of its own on a free port of the loopback."""

import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tailrace.errors import StateError
from tailrace.wire.signature import SignedRequest, sign_v1, sign_v4, split_target

START_SECS = 120
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
class LocalServer:
    """A running one, and its administrator's key."""

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


@contextmanager
def local_server(home: Path, *flags: str, port: int = 0, environment: Mapping[str, str] | None = None) -> Generator[LocalServer]:
    """Start one on `home` (on a free port by default), stop it in the end. What it writes to stderr lies in `<home>.stderr`.

    `flags` are those of `tailrace server run`; `environment` is added to ours. StateError when it does not start.
    """
    with stderr_of(home).open("ab") as errors:
        command = [sys.executable, "-m", "tailrace.cli.main", "server", "run", "--home", str(home), "--port", str(port), *flags]
        process = subprocess.Popen(command, stdout=errors, stderr=errors, env={**os.environ, **(environment or {})})  # noqa: S603
    try:
        place = _wait_for_place(home, process)
        key = json.loads((home / "secret" / "admin.json").read_text())
        yield LocalServer(home, place["port"], key["key_id"], key["key_secret"], process, place["tls_port"])
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
    raise StateError("the server did not start", hint=stderr_of(home).read_text())
