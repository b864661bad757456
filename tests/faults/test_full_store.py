"""A server on a disk that is full, for real (a small tmpfs under all of it): writes are told to come back, reading and deleting go on."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningServer, running_server
from tests.faults.test_full_disk import fill
from tests.integration.server.loggroups import headers, log_group
from tests.integration.server.test_retention import found, wait_for

pytestmark = pytest.mark.peer  # it mounts: the same that installs packages may do that

DISK_MB = 192


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def write(server: RunningServer, project: str, text: str) -> tuple[int, str]:
    body = log_group(text, events=50)
    answer = server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=headers(len(body), ""))
    return answer.status, answer.code


def wait_until_taken(server: RunningServer, project: str, text: str) -> None:
    deadline = time.monotonic() + 60
    while write(server, project, text) != (200, ""):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_below_five_percent_writes_wait_while_queries_and_deletes_work(small_disk: Path) -> None:
    home = small_disk / "home"
    home.mkdir()
    (home / "server.yaml").write_text(json.dumps({"retention_check_secs": 0.1}))
    with running_server(home) as server:
        for project in ("first-project", "other-project"):
            server.make_logstore(project, "app", {"line": {"token": [" "]}})
            assert write(server, project, "before") == (200, "")
            wait_for(server, project, 50)
        assert (home / "server" / "reserve").exists()

        other = fill(small_disk, leave=(DISK_MB << 20) * 3 // 100)
        time.sleep(1.1)  # the share of the disk is asked at most once a second
        assert write(server, "first-project", "refused") == (503, "ServerBusy")
        assert found(server, "first-project") == {"before"}
        assert (
            server.request(
                "PUT", "/logstores/app", project="first-project", body=json.dumps({"logstoreName": "app", "ttl": 7}).encode()
            ).status
            == 200
        )

        with other.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        assert write(server, "first-project", "refused") == (503, "ServerBusy")
        assert found(server, "first-project") == {"before"}
        refused = server.request(
            "POST", "/logstores", project="first-project", body=json.dumps({"logstoreName": "more" * 10, "ttl": 7}).encode()
        )
        assert (refused.status, refused.code) in ((200, ""), (503, "ServerBusy"))
        assert server.request("DELETE", "/logstores/app", project="other-project").status == 200
        assert not (home / "server" / "reserve").exists()

        other.unlink()
        wait_until_taken(server, "first-project", "after")
        wait_for(server, "first-project", 100)
        assert found(server, "first-project") == {"before", "after"}
        deadline = time.monotonic() + 60
        while not (home / "server" / "reserve").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with running_server(home) as server:
        assert found(server, "first-project") == {"before", "after"}
        assert server.request("GET", "/logstores/app", project="other-project").code == "LogStoreNotExist"
