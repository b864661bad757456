"""Bounds of bytes on a running server: the oldest events go, what came last stays, and everybody can see what there is."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningServer, running_server
from tests.integration.server.loggroups import headers, log_group


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("keeping") / "home"
    home.mkdir()
    (home / "server.yaml").write_text(json.dumps({"retention_check_secs": 0.1}))
    with running_server(home) as server:
        yield server


def storage(server: RunningServer, project: str) -> dict[str, dict[str, int]]:
    return {row["logstore"]: row for row in server.call("GET", f"/projects/{project}/storage").json()}


def write_and_wait(server: RunningServer, project: str, text: str) -> None:
    """One more block of 50 events is in the engine."""
    before, body = storage(server, project)["app"]["events"], log_group(text, events=50)
    assert server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=headers(len(body), "")).status == 200
    wait_for(server, project, before + 50)


def wait_for(server: RunningServer, project: str, events: int) -> None:
    deadline = time.monotonic() + 60
    while storage(server, project)["app"]["events"] != events:
        assert time.monotonic() < deadline, storage(server, project)
        time.sleep(0.02)


def found(server: RunningServer, project: str) -> set[str]:
    question = json.dumps({"from": 0, "to": int(time.time()) + 60, "query": "*", "line": 100}).encode()
    answer = server.request("POST", "/logstores/app/logs", project=project, body=question).json()
    return {row["text"].split()[0] for row in answer["data"]}


def test_the_oldest_events_go_when_a_logstore_has_too_many_bytes(keeping: RunningServer) -> None:
    project = keeping.fresh_name("full")
    keeping.make_logstore(project, "app", {"line": {"token": [" "]}})
    for text in ("first", "second", "third"):
        write_and_wait(keeping, project, text)
    before = storage(keeping, project)["app"]
    assert before["bytes"] > before["index_bytes"] > 0
    assert (before["oldest_day"], before["ttl_days"], before["max_bytes"]) == (time.strftime("%Y%m%d", time.gmtime()), 30, 0)
    assert keeping.call("PUT", f"/projects/{project}/logstores/app/quota", {"max_bytes": before["bytes"] - 1}).status == 200
    wait_for(keeping, project, 100)
    assert found(keeping, project) == {"second", "third"}
    assert keeping.call("PUT", f"/projects/{project}/logstores/app/quota", {"max_bytes": 1}).status == 200
    wait_for(keeping, project, 50)
    assert found(keeping, project) == {"third"}
    alarms = [alarm for alarm in keeping.call("GET", "/status").json()["alarms"] if alarm["kind"] == "STORE_SPACE_ALARM"]
    assert alarms


def test_a_logstore_that_is_deleted_gives_its_disk_back(keeping: RunningServer) -> None:
    project = keeping.fresh_name("gone")
    keeping.make_logstore(project, "app")
    write_and_wait(keeping, project, "text")

    def tables() -> set[str]:
        data = keeping.home / "server" / "engine" / "store"
        return {path.name for path in data.glob("*/*") if any(path.glob("2*"))}

    before = tables()
    assert keeping.request("DELETE", "/logstores/app", project=project).status == 200
    assert len(tables()) == len(before) - 1
    assert storage(keeping, project) == {}


def test_the_bound_of_the_whole_store_takes_the_oldest_of_all(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "server.yaml").write_text(json.dumps({"retention_check_secs": 0.1, "store_max_bytes": 1}))
    with running_server(home) as server:
        for project in ("one-project", "other-project"):
            server.make_logstore(project, "app")
            body = log_group("kept", events=50)
            for _ in range(2):
                answer = server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=headers(len(body), ""))
                assert answer.status == 200
                time.sleep(0.5)
        for project in ("one-project", "other-project"):
            wait_for(server, project, 50)
            assert found(server, project) == {"kept"}
