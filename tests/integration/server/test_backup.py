"""A backup of a server that runs, and a server on a new home that was made of it: the agent goes on there by itself."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import RunningServer, running_server
from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_joins import Remote
from tests.integration.server.loggroups import headers, log_group

INDEX = {"keys": {"content": {"type": "text", "token": [" "], "doc_value": True}}}


def tailrace(*words: str, server: RunningServer | None = None) -> subprocess.CompletedProcess[str]:
    flags = ["--home", str(server.home), "--endpoint", server.endpoint] if server is not None else []
    environment = {"TAILRACE_KEY_ID": server.key_id, "TAILRACE_KEY_SECRET": server.key_secret} if server is not None else {}
    command = [sys.executable, "-m", "tailrace.cli.main", *words, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment})


def lines(server: RunningServer, project: str) -> Counter[str]:
    body = json.dumps({"from": 0, "to": int(time.time()) + 60, "query": "* | select content limit 10000"}).encode()
    answer = server.request("POST", "/logstores/app/logs", project=project, body=body).json()
    return Counter(row["content"] for row in answer["data"])


def settings(home: Path, tls_port: int) -> None:
    home.mkdir(exist_ok=True)
    (home / "server.yaml").write_text(json.dumps({"tls_port": tls_port, "agent_poll_secs": 1}))


@pytest.mark.timeout(600)
def test_a_restored_server_has_every_event_once_and_its_agents_come_back(tmp_path: Path) -> None:
    home, backup, new = tmp_path / "home", tmp_path / "backup", tmp_path / "new"
    settings(home, 0)
    with running_server(home) as server:
        port, tls_port = server.port, server.tls_port
        agent = Remote(tmp_path / "agent", server, "shop").joined()
        assert server.request("PUT", "/logstores/app/index", project="shop", body=json.dumps(INDEX).encode()).status == 200
        agent.start()
        before = [f"before {number}" for number in range(200)]
        agent.write(*before)
        wait_for(lambda: len(lines(server, "shop")) == 200)
        assert server.call("POST", "/projects/shop/logstores/app/index/rebuild").status == 200
        copying = subprocess.Popen(
            [sys.executable, "-m", "tailrace.cli.main", "backup", str(backup), "--home", str(home), "--endpoint", server.endpoint],
            env={**os.environ, "TAILRACE_KEY_ID": server.key_id, "TAILRACE_KEY_SECRET": server.key_secret},
        )
        number = 0
        while copying.poll() is None:
            agent.write(f"meanwhile {number}")
            number += 1
            time.sleep(0.01)
        assert copying.returncode == 0
        wait_for(lambda: len(lines(server, "shop")) == 200 + number, timeout=40)
    assert backup.stat().st_mode & 0o777 == 0o700
    assert not list((home / "server").glob("snapshot*"))
    made = tailrace("restore", str(backup), "--home", str(new))
    assert made.returncode == 0, made.stderr
    settings(new, tls_port)
    with running_server(new, port=port) as again:
        assert (again.key_id, again.key_secret) == (server.key_id, server.key_secret)
        agent.write("after")
        wait_for(lambda: "after" in lines(again, "shop"), timeout=60)
        found = lines(again, "shop")
        agent.stop()
    assert set(found.values()) == {1}
    assert set(before) <= found.keys()
    kept = sorted(int(line.split()[1]) for line in found if line.startswith("meanwhile"))
    assert kept[: len(kept)] == list(range(len(kept))), "what it holds of a stream has no gaps"


@pytest.mark.timeout(600)
def test_a_backup_is_checked_before_it_is_used(tmp_path: Path) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    with running_server(home) as server:
        server.make_logstore("shop", "app", {"line": {"token": [" "]}})
        body = log_group("text", events=50)
        assert server.request("POST", "/logstores/app/shards/lb", project="shop", body=body, headers=headers(len(body), "")).status == 200
        aside = home / "server" / "quarantine" / "ls_1-token" / "1.seg"
        aside.parent.mkdir(parents=True)
        aside.write_bytes(b"what the engine never took")
        done = tailrace("backup", str(backup), server=server)
        assert done.returncode == 0, done.stderr
        again = tailrace("backup", str(backup), server=server)
        assert (again.returncode, "is not an absolute path of an empty or new directory" in again.stderr) == (1, True)
    part = next(path for path in (backup / "home" / "server" / "journal").iterdir())
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refused = tailrace("restore", str(backup), "--home", str(tmp_path / "new"))
    assert (refused.returncode, "is not what the backup says that it is" in refused.stderr) == (1, True)
    part.write_bytes(data)
    full = tailrace("restore", str(backup), "--home", str(home))
    assert (full.returncode, "is not empty" in full.stderr) == (1, True)
    whole = tailrace("restore", str(backup), "--home", str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    assert (tmp_path / "whole" / aside.relative_to(home)).read_bytes() == b"what the engine never took"
    (backup / "backup.json").unlink()
    unfinished = tailrace("restore", str(backup), "--home", str(tmp_path / "new"))
    assert (unfinished.returncode, "is no finished backup" in unfinished.stderr) == (1, True)
    assert not (tmp_path / "new").exists()


def test_a_backup_that_cannot_be_made_says_why_and_leaves_the_server_alone(server: RunningServer) -> None:
    project = server.fresh_name("backup")
    server.make_logstore(project, "app")
    failed = tailrace("backup", "/proc/no-backup", server=server)
    assert failed.returncode == 1
    assert "the backup failed" in failed.stderr
    assert server.call("GET", "/backup").json()["state"] == "failed"
    assert "BACKUP_ALARM" in {alarm["kind"] for alarm in server.call("GET", "/status").json()["alarms"]}
    body = log_group("text")
    assert server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=headers(len(body), "")).status == 200
    assert not list((server.home / "server").glob("snapshot*"))
