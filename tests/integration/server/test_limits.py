"""How many things there may be, and what the official SDK is told about one more."""

import json
from pathlib import Path

import pytest
from aliyun.log import LogException, MachineGroupDetail

from tests.conftest import running_server
from tests.integration.server.test_audit import CLASSIC, sls


@pytest.mark.parametrize(
    ("limit", "path", "document", "name"),
    [
        ("max_logstores", "/logstores", {"ttl": 1, "shardCount": 1}, "logstoreName"),
        ("max_configs", "/configs", CLASSIC, "configName"),
        ("max_machine_groups", "/machinegroups", {"machineIdentifyType": "ip", "machineList": []}, "groupName"),
    ],
)
def test_a_project_holds_so_many_and_no_more(server, limit: str, path: str, document: dict, name: str) -> None:
    project = server.fresh_name("limits")
    server.make_logstore(project, "access")
    before = 1 if path == "/logstores" else 0
    assert server.call("PUT", f"/projects/{project}/quota", {limit: before + 1}).status == 200
    answers = [sls(server, "POST", path, project, {**document, name: f"thing-{number}"}) for number in range(2)]
    assert [(answer.status, answer.code) for answer in answers] == [(200, ""), (400, "ProjectQuotaExceed")]
    assert server.call("PUT", f"/projects/{project}/quota", {limit: 0}).status == 200
    assert sls(server, "POST", path, project, {**document, name: "thing-1"}).status == 200


def test_a_lower_limit_takes_nothing_away(server) -> None:
    project = server.fresh_name("limits")
    server.make_logstore(project, "access")
    server.make_logstore(project, "errors")
    server.call("PUT", f"/projects/{project}/quota", {"max_logstores": 1})
    assert sls(server, "PUT", "/logstores/errors", project, {"logstoreName": "errors", "ttl": 3}).status == 200
    assert server.request("GET", "/logstores", project=project).json()["total"] == 2


def test_settings_bound_all_projects_and_the_sdk_says_so(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("max_projects: 2\nmax_machine_groups: 1\n")
    with running_server(tmp_path) as server:
        client = server.client()
        client.create_project("first", "")
        client.create_machine_group("first", MachineGroupDetail("one", "ip", [], "", {}))
        with pytest.raises(LogException) as group:
            client.create_machine_group("first", MachineGroupDetail("two", "ip", [], "", {}))
        assert group.value.get_error_code() == "ProjectQuotaExceed"
        made = [server.request("POST", "/", body=json.dumps({"projectName": f"project-{number}"}).encode()) for number in (1, 2)]
        assert [answer.code for answer in made] == ["", "ProjectQuotaExceed"]
