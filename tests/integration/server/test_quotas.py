"""Quotas of a running server: set through its API, met by clients."""

import pytest

from tests.conftest import RunningServer
from tests.integration.server.loggroups import batch, headers, log_group, package


@pytest.fixture
def project(server: RunningServer) -> str:
    name = server.fresh_name("quota")
    server.make_logstore(name, "app")
    return name


def write(server: RunningServer, project: str):
    body = log_group(events=50)
    return server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=headers(len(body), ""))


@pytest.mark.parametrize("scope", ["", "/logstores/app"])
def test_a_quota_holds_at_once_and_says_when_to_come_back(server: RunningServer, project: str, scope: str) -> None:
    assert write(server, project).status == 200
    assert server.call("PUT", f"/projects/{project}{scope}/quota", {"write_bytes_per_sec": 100}).status == 200
    assert server.call("GET", f"/projects/{project}{scope}/quota").json()["write_bytes_per_sec"] == 100
    assert write(server, project).status == 200
    refused = write(server, project)
    assert (refused.status, refused.code) == (403, "WriteQuotaExceed")
    assert int(refused.headers["retry-after"]) >= 1
    server.call("PUT", f"/projects/{project}{scope}/quota", {"write_bytes_per_sec": 0})
    assert write(server, project).status == 200


def test_a_repeat_is_acknowledged_whatever_the_quota(server: RunningServer, project: str) -> None:
    key = server.enrol("agent-" + project, project, ["app"])
    body, head = batch([package(log_group(), 1, 0)])
    first = server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=head, key=key)
    assert first.status == 200
    server.call("PUT", f"/projects/{project}/quota", {"write_bytes_per_sec": 1})
    assert [write(server, project).status, write(server, project).status] == [200, 403]
    again = server.request("POST", "/logstores/app/shards/lb", project=project, body=body, headers=head, key=key)
    assert (again.status, again.headers["x-log-duplicates"]) == (200, "1")


def test_a_quota_that_is_none_is_refused(server: RunningServer, project: str) -> None:
    answer = server.call("PUT", f"/projects/{project}/quota", {"write_bytes_per_second": 1})
    assert (answer.status, answer.code) == (400, "ParameterInvalid")
    assert server.call("PUT", "/projects/none/quota", {}).code == "ProjectNotExist"
