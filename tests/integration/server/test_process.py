"""The server as a process: what it makes, what it refuses, how it ends."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tailrace.server.db.database import open_database
from tailrace.testing.server import stderr_of
from tests.conftest import RunningServer, running_server


def run(home: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    command = [sys.executable, "-m", "tailrace.cli.main", "server", "run", "--home", str(home), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def finish_while_stopping(server: RunningServer) -> bytes:
    """The answer to a request of which half is on its way when the server is told to stop."""
    signed = server.sign("POST", "/", body=b'{"projectName":"late"}')
    head = "POST / HTTP/1.1\r\ncontent-length: 22\r\n" + "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n" + b'{"projectName"')
        assert server.send("GET", "/healthz", {"host": "127.0.0.1"}).status == 200
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(b':"late"}')
        answer = connection.recv(65_536)
    assert server.process.wait(30) == 0
    return answer


def test_a_home_is_private_and_outlives_its_processes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_server(home, "--log-level", "debug") as server:
        for path in ("secret/master.key", "secret/admin.json", "server/meta.db", "run/server.json"):
            assert (home / path).stat().st_mode & 0o077 == 0, path
        assert server.key_secret not in (home / "server" / "meta.db").read_bytes().decode("latin-1")
        server.make_logstore("web", "access", {"line": {"token": [" "]}})
        request_id = server.request("GET", "/logstores", project="web").headers["x-log-requestid"]
        leftover = (home / "run" / "server.json").read_text()
        assert finish_while_stopping(server).startswith(b"HTTP/1.1 200")
    assert not (home / "run" / "server.json").exists()
    log = (home / "logs" / "server.log").read_text()
    assert f'"request_id":"{request_id}"' in log.replace(" ", "")
    assert server.key_secret not in log + stderr_of(home).read_text()

    (home / "secret" / "admin.json").unlink()  # a lost file is written again
    (home / "run" / "server.json").write_text(leftover)  # what a killed server leaves stops nobody
    with running_server(home) as again:
        assert (again.key_id, again.key_secret) == (server.key_id, server.key_secret)
        assert again.request("GET", "/logstores/access/index", project="web").json()["line"] == {"token": [" "]}
        assert again.request("GET", "/", project="late").status == 200


def test_a_port_in_use_names_its_holder_and_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = run(tmp_path, "--port", str(port))
    assert result.returncode == 1
    assert f"error: cannot listen on `127.0.0.1:{port}`: the port is in use by process " in result.stderr
    assert "hint: stop that process, or choose another port with `--port`" in result.stderr


def test_one_home_has_one_server(server) -> None:
    result = run(server.home, "--port", "0")
    assert result.returncode == 1
    assert f"error: a server runs on this home already: process {server.process.pid}, port {server.port}" in result.stderr
    assert server.send("GET", "/readyz", {"host": "127.0.0.1"}).status == 200


def test_a_newer_home_is_refused_with_a_sentence(tmp_path: Path) -> None:
    open_database(tmp_path / "server" / "meta.db").dispose()
    with closing(sqlite3.connect(tmp_path / "server" / "meta.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    result = run(tmp_path, "--port", "0")
    assert result.returncode == 1
    assert "has format 9999" in result.stderr
    assert "hint: start the release that wrote it, or a newer one" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_setting_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("prot: 1\n")
    result = run(tmp_path)
    assert result.returncode == 2
    assert "server.yaml:1: unknown setting `prot`" in result.stderr
    assert "hint: the nearest known setting is `port`" in result.stderr


def test_health_metrics_and_status(server) -> None:
    assert server.send("GET", "/healthz", {"host": "10.0.0.1"}).body == b"ok\n"
    assert server.send("GET", "/readyz", {"host": "10.0.0.1"}).json()["store"]["engine"] == "up"
    metrics = server.send("GET", "/metrics", {"host": "10.0.0.1"}).body.decode()
    assert 'tailrace_requests_total{method="GET",status="200"}' in metrics
    status = server.request("GET", "/api/v1/status").json()
    assert status["store"]["engine"] == "up"
    assert server.send("GET", "/api/v1/status", {"host": "127.0.0.1"}).status == 400


def test_our_own_api_is_described(server) -> None:
    document = server.send("GET", "/api/v1/openapi.json", {"host": "127.0.0.1"}).json()
    assert {"/api/v1/agents/enrol", "/api/v1/agents/streams", "/api/v1/status"} <= {
        server_path(document, path) for path in document["paths"]
    }


def server_path(document: dict[str, object], path: str) -> str:
    servers = document.get("servers") or [{"url": ""}]
    return str(servers[0]["url"]) + path if isinstance(servers, list) else path


@pytest.mark.parametrize(
    "body",
    [
        {"agent_id": "a", "token": "t", "certificate_request": "", "kind": "admin"},
        {"agent_id": "../etc", "token": "t", "certificate_request": ""},
        {"agent_id": "a", "token": "t" * 257, "certificate_request": ""},
        {"agent_id": "a", "token": "t"},
    ],
)
def test_a_wrong_enrolment_is_refused(server, body: dict[str, object]) -> None:
    headers = {"content-type": "application/json"}
    answer = server.request("POST", "/api/v1/agents/enrol", body=json.dumps(body).encode(), headers=headers)
    assert (answer.status, answer.code) == (400, "ParameterInvalid")


def test_only_an_admin_makes_tokens(server) -> None:
    name = server.fresh_name("enrol")
    server.make_logstore(name, "access")
    key = server.enrol(server.fresh_name("one"), name, ["access"])
    headers = {"content-type": "application/json"}
    answer = server.request("POST", "/api/v1/tokens", body=json.dumps({"project": name}).encode(), headers=headers, key=key)
    assert (answer.status, answer.code) == (401, "Unauthorized")
