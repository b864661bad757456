"""Official clients for other languages and shells, unmodified, against a real server: docs/howto/other-clients.md says which address each
needs. `make setup-peers` installs them into `.venv/peers`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aliyun.log import LogItem, PutLogsRequest

from tests.conftest import RunningServer
from tests.peers.relay import relayed

PEERS = Path(sys.prefix) / "peers"
HERE = Path(__file__).parent
TEXT = "größer 日志"

pytestmark = pytest.mark.peer


class Shell:
    """`aliyunlog`, which finds the server as its HTTP proxy."""

    def __init__(self, server: RunningServer, home: Path) -> None:
        self._access = [f"--access-id={server.key_id}", f"--access-key={server.key_secret}", "--region-endpoint=http://127.0.0.1:8080"]
        self._environment = {
            **{name: value for name, value in os.environ.items() if name.lower() not in ("no_proxy", "http_proxy")},
            "http_proxy": server.endpoint,
            "HOME": str(home),
        }

    def run(self, command: str, **options: object) -> Any:
        """The answer as JSON, None when there is none."""
        words = [f"--{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in options.items()]
        done = subprocess.run(
            [PEERS / "cli/bin/aliyunlog", "log", command, *words, *self._access],
            env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout.strip() else None


def test_the_command_line_makes_reads_and_consumes(server: RunningServer, tmp_path: Path):
    shell, project = Shell(server, tmp_path), server.fresh_name("cli")
    place = {"project_name": project, "logstore_name": "web"}
    shell.run("create_project", project_name=project, project_des="made by the command line")
    shell.run("create_logstore", **place, ttl="7", shard_count="2")
    keys = {"status": {"type": "long", "doc_value": True}}
    shell.run("create_index", **place, index_detail={"line": {"token": [" "], "caseSensitive": False}, "keys": keys})
    items = [LogItem(int(time.time()), contents=[("status", str(status)), ("text", TEXT)]) for status in (200, 404, 404)]
    server.client().put_logs(PutLogsRequest(project, "web", "topic", "10.0.0.1", items, hashKey="0" * 32))
    now = int(time.time())
    span = {"from_time": str(now - 600), "to_time": str(now + 600)}
    request = {"project": project, "logstore": "web", "topic": "", "fromTime": str(now - 600), "toTime": str(now + 600), "line": "10"}
    deadline = time.monotonic() + 60
    while len(found := shell.run("get_logs", request={**request, "query": "status > 0"})) < 3:
        assert time.monotonic() < deadline, found
    assert sorted(row["status"] for row in found) == ["200", "404", "404"]
    assert {row["text"] for row in found} == {TEXT}
    assert shell.run("get_log", project=project, logstore="web", query="* | select count(*) as n", size="10", **span) == [{"n": "3"}]
    parts = shell.run("split_shard", **place, shardId="0", split_hash="4" + "0" * 31)
    assert [(part["shardID"], part["status"]) for part in parts] == [(0, "readonly"), (2, "readwrite"), (3, "readwrite")]
    shell.run("create_consumer_group", project=project, logstore="web", consumer_group="group", timeout="30", in_order="true")
    assert shell.run("list_consumer_group", project=project, logstore="web") == [{"name": "group", "timeout": 30, "order": True}]
    cursor = shell.run("get_cursor", **place, shard_id="0", start_time="begin")["cursor"]
    assert cursor.startswith("MTU")
    shell.run("create_dashboard", project=project, detail={"dashboardName": "board", "displayName": "Board", "charts": []})
    assert shell.run("list_dashboard", project=project)["dashboards"] == ["board"]
    shell.run("delete_project", project_name=project)
    assert project not in json.dumps(shell.run("list_project"))


def test_the_node_client_makes_writes_and_reads(server: RunningServer):
    """It puts the project before the host name and knows no proxy: `*.localhost` has to be this machine (libnss-myhostname)."""
    words = [f"http://localhost:{server.port}", server.key_id, server.key_secret, server.fresh_name("node")]
    environment = {**os.environ, "NODE_PATH": str(PEERS / "node/node_modules")}
    done = subprocess.run(["node", HERE / "client.js", *words], env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert sorted(row["status"] for row in report["rows"]) == ["200", "404", "404"]
    assert {(row["text"], row["__topic__"], row["__source__"], row["__tag__:host"]) for row in report["rows"]} == {
        (TEXT, "topic", "10.0.0.1", "a")
    }
    assert report["counts"] == [{"status": "200", "n": "1"}, {"status": "404", "n": "2"}]
    assert (report["hits"], report["stores"], report["type"], report["across"]) == (2, ["web"], "long", [{"n": "3"}])
    assert (report["description"], report["refused"]) == ("made by node", "LogStoreNotExist")


def test_the_java_libraries_write_ask_and_consume(server: RunningServer, tmp_path: Path):
    """They take no endpoint with a port: the client goes through a proxy, producer and consumer library want port 80 of the endpoint."""
    project, address = server.fresh_name("java"), "127.0.0.80"
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{address} {project}.localhost\n{address} localhost\n")
    words = ["http://localhost", server.key_id, server.key_secret, project, str(server.port)]
    java = ["java", "-Xmx256m", f"-Djdk.net.hosts.file={hosts}", "-cp", f"{PEERS}/java/*", str(HERE / "java" / "Client.java")]
    with relayed((address, 80), server.port):
        done = subprocess.run([*java, *words], capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [(row["n"], row["__topic__"], row["text"]) for row in sorted(report["rows"], key=lambda row: row["n"])] == [
        ("1", "topic", TEXT), ("2", "topic", TEXT), ("3", "made", TEXT), ("4", "made", TEXT), ("5", "made", TEXT),
    ]  # fmt: skip
    assert (report["produced"], report["counts"], report["hits"]) == (True, [{"c": "5", "m": "5"}], 2)
    assert (report["pulled"], report["chosen"], report["consumed"]) == ([1, 2, 3, 4, 5], [4, 5], [1, 2, 3, 4, 5])
    assert report["stores"] == ["web"]
    assert report["refused"].startswith("cannot read the search at character 5")


def test_the_go_libraries_write_ask_and_consume(server: RunningServer):
    """The endpoint has to be a name: of an address a part of them makes a host name, the rest a proxy."""
    words = ["http://localhost", server.key_id, server.key_secret, server.fresh_name("go")]
    kept = {name: value for name, value in os.environ.items() if name.lower() not in ("no_proxy", "http_proxy")}
    environment = {**kept, "http_proxy": server.endpoint}
    done = subprocess.run([PEERS / "go", *words], env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])  # the consumer library logs there
    assert [(row["n"], row["__topic__"], row["text"]) for row in sorted(report["rows"], key=lambda row: row["n"])] == [
        ("1", "topic", TEXT), ("2", "topic", TEXT), ("3", "topic", TEXT), ("4", "made", TEXT), ("5", "made", TEXT),
    ]  # fmt: skip
    assert (report["produced"], report["counts"], report["hits"]) == (True, [{"c": "5", "m": "5"}], 2)
    assert (report["pulled"], report["consumed"]) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert "cannot read the search at character 5" in report["refused"]
