"""Indexes of a running server: what is saved is in use at once or built in the background, and told about."""

import json
import subprocess
import sys
import time

import pytest

from tests.conftest import RunningServer
from tests.integration.server.loggroups import headers, log_group

TEXT = {"type": "text", "token": [" "], "doc_value": True}
INDEX = {"keys": {"message": TEXT}}


@pytest.fixture
def project(server: RunningServer) -> str:
    name = server.fresh_name("index")
    server.make_logstore(name, "app", INDEX)
    return name


def until_ready(server: RunningServer, path: str) -> dict[str, object]:
    deadline = time.monotonic() + 60
    while (status := server.call("GET", path).json())["state"] != "ready":
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def test_an_index_is_built_anew_in_the_background(server: RunningServer, project: str) -> None:
    body = log_group(events=50)
    assert server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=headers(len(body), "")).status == 200
    path = f"/projects/{project}/logstores/app/index"
    assert server.call("GET", path).json() == {
        "state": "ready", "keys": 1, "full_text": False, "started": 0.0, "events": 0, "done": 0, "trouble": "",
    }  # fmt: skip
    begun = server.call("POST", f"{path}/rebuild")
    assert (begun.status, begun.json()["keys"]) == (200, 1)
    assert until_ready(server, path)["keys"] == 1
    changed = {"line": {"token": [" "]}, "keys": {"message": TEXT, "status": {"type": "long"}}}
    assert server.request("PUT", "/logstores/app/index", project=project, body=json.dumps(changed).encode()).status == 200
    assert {key: value for key, value in until_ready(server, path).items() if key in ("keys", "full_text")} == {
        "keys": 2,
        "full_text": True,
    }
    assert server.request("DELETE", "/logstores/app/index", project=project).status == 200
    assert server.call("GET", path).json()["state"] == "none"
    assert server.call("POST", f"{path}/rebuild").code == "IndexConfigNotExist"


def test_the_command_shows_it(server: RunningServer, project: str) -> None:
    flags = ["--home", str(server.home), "--endpoint", server.endpoint, "--project", project, "--logstore", "app", "--output", "json"]
    environment = {"TAILRACE_KEY_ID": server.key_id, "TAILRACE_KEY_SECRET": server.key_secret}
    command = [sys.executable, "-m", "tailrace.cli.main", "index", "rebuild", *flags]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert shown.returncode == 0, shown.stderr
    assert (json.loads(shown.stdout)["logstore"], json.loads(shown.stdout)["keys"]) == ("app", 1)


def test_what_is_not_there_has_no_index(server: RunningServer, project: str) -> None:
    assert server.call("GET", f"/projects/{project}/logstores/none/index").code == "LogStoreNotExist"
