"""A server for benches: a process of its own on a home that is thrown away, or on one that stays, and a signing client for it."""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil

from tailrace.wire.signature import SignedRequest, sign_v4, split_target

PROJECT = "bench"
TOKENS = list(", '\";=()[]{}?&@<>/:\n\t\r")
TYPES = {"status": "long", "bytes": "long", "latency_ms": "double", "http": "json"}
QUIET_SHARE, QUIET_SECS = 0.03, 3


class Server:
    """A server process and a signing client for it."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes], project: str = PROJECT) -> None:
        self.project = project
        self.home, self.process = home, process
        self.began = time.monotonic()
        while not (home / "run" / "server.json").exists():
            assert process.poll() is None, (home.parent / "stderr").read_text()
            time.sleep(0.05)
        self.port = json.loads((home / "run" / "server.json").read_text())["port"]
        self.key = json.loads((home / "secret" / "admin.json").read_text())

    def request(self, connection: http.client.HTTPConnection, method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
        path, query = split_target(target)
        host = {"host": f"{self.project}.127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
        signed = SignedRequest(method, path, query, host, body)
        added = sign_v4(signed, self.key["key_id"], self.key["key_secret"], "local", datetime.now(UTC))
        connection.request(method, quote(target, safe="/?&=%+"), body, {**signed.headers, **added})
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def make_logstore(self, name: str, keys: list[str], indexes: str) -> None:
        connection = self.connect()
        document: dict[str, Any] = {"line": {"token": TOKENS, "caseSensitive": False}}
        if indexes == "all":
            document["keys"] = {
                key: {"type": TYPES.get(key, "text"), "token": TOKENS, "caseSensitive": False, "doc_value": True} for key in keys
            }
        self.request(connection, "POST", "/logstores", json.dumps({"logstoreName": name, "ttl": 30, "shardCount": 2}).encode())
        self.request(connection, "POST", f"/logstores/{name}/index", json.dumps(document).encode())

    def send(self, name: str, bodies: Iterator[tuple[bytes, int]]) -> None:
        """Bodies until there are none; busy answers are asked again."""
        connection = self.connect()
        for body, size in bodies:
            while True:
                try:
                    self.request(
                        connection, "POST", f"/logstores/{name}/shards/lb", body, x_log_compresstype="lz4", x_log_bodyrawsize=str(size),
                        content_type="application/x-protobuf",
                    )  # fmt: skip
                    break
                except AssertionError as refused:
                    if b"ServerBusy" not in refused.args[0]:
                        raise
                    time.sleep(0.2)

    def count(self, name: str) -> int:
        now = int(time.time())
        query = urlencode({"type": "log", "from": now - 86_400, "to": now + 60, "query": "* | SELECT count(*) AS n"})
        return int(json.loads(self.request(self.connect(), "GET", f"/logstores/{name}?{query}"))[0]["n"])

    def backlog(self) -> int:
        """Acknowledged bytes that cannot be found yet. Asking by query would cost the engine what is to be measured."""
        connection = self.connect()
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        return next(int(float(line.split()[1])) for line in lines if line.startswith("tailrace_store_backlog_bytes "))

    # --- what it uses -------------------------------------------------------------------------------------------------------------
    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the server and of its engine."""
        server = psutil.Process(self.process.pid)
        return _cpu(server), sum(_cpu(child) for child in server.children(recursive=True))

    def rss(self) -> float:
        server = psutil.Process(self.process.pid)
        return sum(process.memory_info().rss for process in [server, *server.children(recursive=True)]) / 1e6

    def wait_until_quiet(self) -> None:
        quiet = 0
        while quiet < QUIET_SECS:
            before = sum(self.cpu())
            time.sleep(1)
            quiet = quiet + 1 if sum(self.cpu()) - before < QUIET_SHARE else 0

    def is_ready(self) -> bool:
        """Whether it says that it takes everything."""
        connection = self.connect()
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200

    def ask(self, connection: http.client.HTTPConnection, logstore: str, query: str, start: int, end: int) -> dict[str, Any]:
        """GetLogs, the newest 100."""
        wanted = {"from": start, "to": end, "query": query, "line": 100, "reverse": True}
        return json.loads(self.request(connection, "POST", f"/logstores/{logstore}/logs", json.dumps(wanted).encode()))

    def histogram(self, connection: http.client.HTTPConnection, logstore: str, query: str, start: int, end: int) -> list[dict[str, Any]]:
        target = urlencode({"type": "histogram", "from": start, "to": end, "query": query}, quote_via=quote)
        return json.loads(self.request(connection, "GET", f"/logstores/{logstore}?{target}"))


@contextmanager
def running_server(home: Path | None = None, *flags: str) -> Iterator[Server]:
    """With the project `bench`, if that is not there."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = home or Path(directory) / "home"
        (home / "run" / "server.json").unlink(missing_ok=True)
        with (home.parent / "stderr").open("wb") as errors:
            command = [sys.executable, "-m", "tailrace.cli.main", "server", "run", "--home", str(home), "--port", "0", *flags]
            process = subprocess.Popen(command, stdout=errors, stderr=errors)
        try:
            server = Server(home, process)
            try:
                server.request(server.connect(), "POST", "/", json.dumps({"projectName": PROJECT, "description": ""}).encode())
            except AssertionError as refused:
                if b"ProjectAlreadyExist" not in refused.args[0]:
                    raise
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
