"""The official SDK writes to and reads from what `tailrace up` started, with nothing changed but the address."""

import time

import pytest
from aliyun.log import GetLogsRequest, LogClient, LogItem, PutLogsRequest

from tests.e2e.first_run import Up


@pytest.fixture
def client(running: Up, monkeypatch: pytest.MonkeyPatch) -> LogClient:
    """SDKs put the project into the host name; with the server as their proxy that name is never looked up."""
    key = running.secret("cli.json")
    monkeypatch.setenv("http_proxy", key["endpoint"])
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    return LogClient(key["endpoint"], key["key_id"], key["key_secret"])


def test_logs_written_by_the_sdk_are_read_by_the_sdk_and_by_the_cli(client: LogClient, running: Up):
    now = int(time.time())
    items = [LogItem(now, contents=[("content", f"written by the sdk {number}"), ("status", str(number))]) for number in range(5)]
    client.put_logs(PutLogsRequest("default", "logs", "orders", "10.0.0.1", items))
    running.wait_until_found("written", 5, 30)
    answer = client.get_logs(GetLogsRequest("default", "logs", now - 60, now + 60, query="written", line=100))
    assert answer.is_completed()
    assert sorted(log.get_contents()["status"] for log in answer.get_logs()) == ["0", "1", "2", "3", "4"]


def test_the_sdk_sees_project_logstore_and_index(client: LogClient):
    assert client.list_project(size=10).get_projects()[0]["projectName"] == "default"
    assert "logs" in client.list_logstore("default").get_logstores()
    assert "content" in client.get_index_config("default", "logs").get_index_config().key_config_list
