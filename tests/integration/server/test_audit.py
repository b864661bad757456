"""The audit log: each change leaves one record with who, what, before, after and outcome, without secrets, for good."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tailrace.server.api.actions import askings
from tailrace.testing.server import Answer
from tests.conftest import RunningServer, running_server
from tests.integration.server.people import PASSWORD, bearer, log_in, make_key, make_user, send

PATIENCE_SECS = 60
PIPELINE = "inputs:\n  - Type: input_file\n    FilePaths: [/var/log/*.log]\nflushers:\n  - Type: flusher_sls\n    Logstore: access\n"
CLASSIC = {
    "configName": "classic",
    "inputType": "file",
    "inputDetail": {
        "logType": "common_reg_log",
        "logPath": "/a",
        "filePattern": "*",
        "regex": "(.*)",
        "key": ["content"],
        "timeFormat": "",
    },
    "outputType": "LogService",
    "outputDetail": {"projectName": "", "logstoreName": "access"},
}


def records(server: RunningServer, query: str, least: int = 1) -> list[dict[str, Any]]:
    """What the audit log holds, the oldest first; JSON is parsed. Waits until there are `least`."""
    parameters = {"type": "log", "from": int(time.time()) - 3600, "to": int(time.time()) + 60, "query": query, "line": 100}
    until, rows = time.monotonic() + PATIENCE_SECS, []
    while time.monotonic() < until:
        path = f"/logstores/internal-operation_log?{urlencode(parameters)}"
        answer = server.request("GET", path, project="tailrace-system")
        rows = answer.json() if answer.status == 200 else []
        if len(rows) >= least:
            break
        time.sleep(0.2)
    assert len(rows) >= least, f"{query}: {rows}"
    return [{key: json.loads(value) if key in ("asked", "before", "after") else value for key, value in row.items()} for row in rows]


def sls(server: RunningServer, method: str, path: str, project: str, document: object = None) -> Answer:
    return server.request(method, path, project=project, body=b"" if document is None else json.dumps(document).encode())


def test_a_change_is_recorded_with_what_was_before_and_after(server) -> None:
    project = server.fresh_name("audit")
    server.make_logstore(project, "access")
    key = make_key(server, user=(name := make_user(server, {project: "operator"})))
    body = json.dumps({"logstoreName": "access", "ttl": 7}).encode()
    answer = server.request("PUT", "/logstores/access", project=project, body=body, key=key)
    (record,) = records(server, f'project: "{project}" and action: "log:UpdateLogStore"')
    assert (record["user"], record["key_id"], record["outcome"], record["resource"]) == (name, key[0], "Done", "/logstores/access")
    assert (record["before"]["ttl"], record["after"]["ttl"]) == (30, 7)
    assert (record["address"], record["request_id"]) == ("127.0.0.1", answer.headers["x-log-requestid"])


def test_what_is_made_and_what_is_gone_stands_there_too(server) -> None:
    project = server.fresh_name("audit")
    server.make_logstore(project, "access")
    sls(server, "DELETE", "/logstores/access", project)
    made, gone = (records(server, f'project: "{project}" and action: "log:{action}LogStore"')[0] for action in ("Create", "Delete"))
    assert ("before" in made, made["after"]["logstoreName"]) == (False, "access")
    assert (gone["before"]["logstoreName"], "after" in gone) == ("access", False)


def test_every_operation_that_changes_something_leaves_a_record(server) -> None:
    project, user = server.fresh_name("audit"), server.fresh_name("user")
    actions: list[str] = []

    def did(answer: Answer, action: str) -> Answer:
        assert answer.status == 200, (action, answer.body)
        actions.append(action)
        return answer

    def change(method: str, path: str, action: str, document: object = None) -> None:
        did(sls(server, method, path, project, document), f"log:{action}")

    def own(method: str, path: str, action: str, document: object = None) -> Any:
        return did(server.call(method, path, document), f"tailrace:{action}").json()

    did(server.request("POST", "/", body=json.dumps({"projectName": project, "description": "x"}).encode()), "log:CreateProject")
    change("PUT", "/", "UpdateProject", {"projectName": project, "description": "y"})
    change("POST", "/logstores", "CreateLogStore", {"logstoreName": "access", "ttl": 1, "shardCount": 1})
    change("PUT", "/logstores/access", "UpdateLogStore", {"logstoreName": "access", "ttl": 2})
    change("POST", "/logstores/access/shards/0?action=split&key=80000000000000000000000000000000", "SplitShard")
    change("POST", "/logstores/access/shards/1?action=merge", "MergeShards")
    keep_things(change, project)
    index = {"line": {"token": [" "]}}
    change("POST", "/logstores/access/index", "CreateIndex", index)
    change("PUT", "/logstores/access/index", "UpdateIndex", {"line": {"token": [","]}})
    change("DELETE", "/logstores/access/index", "DeleteIndex")
    change("POST", "/configs", "CreateConfig", CLASSIC)
    change("PUT", "/configs/classic", "UpdateConfig", CLASSIC)
    group = {"groupName": "all", "groupType": "", "machineIdentifyType": "ip", "machineList": ["10.0.0.1"], "groupAttribute": {}}
    change("POST", "/machinegroups", "CreateMachineGroup", group)
    change("PUT", "/machinegroups/all", "UpdateMachineGroup", {**group, "machineList": []})
    change("PUT", "/machinegroups/all/machines?action=add", "UpdateMachineGroupMachine", ["10.0.0.2"])
    change("PUT", "/machinegroups/all/configs/classic", "ApplyConfigToMachineGroup")
    change("DELETE", "/machinegroups/all/configs/classic", "RemoveConfigFromMachineGroup")
    change("DELETE", "/configs/classic", "DeleteConfig")
    did(server.call("PUT", f"/projects/{project}/pipelines/app", {"text": PIPELINE}), "log:CreateLogtailPipelineConfig")
    did(
        server.call("PUT", f"/projects/{project}/pipelines/app", {"text": PIPELINE.replace("/var", "/srv")}),
        "log:UpdateLogtailPipelineConfig",
    )
    did(server.call("POST", f"/projects/{project}/configs/app/rollback", {"version": 1}), "log:UpdateLogtailPipelineConfig")
    change("DELETE", "/pipelineconfigs/app", "DeleteLogtailPipelineConfig")
    change("DELETE", "/machinegroups/all", "DeleteMachineGroup")
    place = f"/projects/{project}/logstores/access/exports"
    window = {"query": "*", "from": 0, "to": 1, "format": "json"}
    did(server.call("POST", place, window), "log:CreateExport")
    own("PUT", f"/projects/{project}/quota", "SetQuota", {"writes_per_sec": 5})
    own("PUT", f"/projects/{project}/logstores/access/quota", "SetQuota", {"writes_per_sec": 5})
    token = own("POST", "/tokens", "CreateToken", {"project": project})
    own("POST", f"/tokens/{token['id']}/revoke", "RevokeToken")
    agent = server.fresh_name("host")
    server.enrol(agent, project, ["access"])
    actions += ["tailrace:CreateToken", "tailrace:EnrolAgent"]
    command = own("POST", f"/projects/{project}/commands", "RunCommand", {"command": {"kind": "restart"}, "agents": [agent]})
    own("POST", f"/projects/{project}/commands/{command['id']}/cancel", "RunCommand")
    own("POST", f"/agents/{agent}/revoke", "RevokeAgent")
    own("POST", f"/agents/{agent}/reinstate", "ReinstateAgent")
    own("DELETE", f"/agents/{agent}/projects/{project}", "RevokeAgent")
    own("DELETE", f"/agents/{agent}", "PurgeAgent")
    own("POST", "/users", "CreateUser", {"name": user, "password": PASSWORD})
    own("PUT", f"/users/{user}", "UpdateUser", {"roles": {project: "reader"}})
    own("PUT", f"/users/{user}/password", "SetPassword", {"password": PASSWORD})
    own("PUT", f"/projects/{project}/roles/{user}", "SetRole", {"role": "admin"})
    own("DELETE", f"/projects/{project}/roles/{user}", "RemoveRole")
    key = own("POST", "/keys", "CreateKey", {"role": "reader", "project": project})
    own("POST", f"/keys/{key['id']}/reset", "ResetKey")
    own("DELETE", f"/keys/{key['id']}", "RevokeKey")
    session = did(log_in(server, user), "tailrace:Login").json()["token"]
    mine = did(send(server, "POST", "/keys", {"user": user}, bearer(session)), "tailrace:CreateOwnKey").json()["id"]
    did(send(server, "POST", f"/keys/{mine}/reset", None, bearer(session)), "tailrace:ChangeOwnKey")
    passwords = {"password": f"{PASSWORD} again", "old_password": PASSWORD}
    did(send(server, "PUT", f"/users/{user}/password", passwords, bearer(session)), "tailrace:SetOwnPassword")
    did(send(server, "DELETE", "/sessions/current", None, bearer(session)), "tailrace:Logout")
    own("DELETE", f"/users/{user}", "DeleteUser")
    rotation = did(server.call("POST", "/ca/rotate"), "tailrace:RotateRoot").headers["x-log-requestid"]
    change("DELETE", "/logstores/access", "DeleteLogStore")
    change("DELETE", "/", "DeleteProject")
    about = " or ".join(f'"{name}"' for name in (project, user, agent, token["id"], key["id"], mine, rotation))
    found = [record["action"] for record in records(server, about, least=len(actions)) if record["outcome"] == "Done"]
    assert sorted(set(actions) - set(found)) == []
    assert {action: found.count(action) for action in set(actions)} == {action: actions.count(action) for action in set(actions)}
    assert {one.action for one in askings() if one.is_recorded} - set(actions) == {"tailrace:StartBackup"}, "do the new ones here, too"


def keep_things(change: Callable[..., None], project: str) -> None:
    """What clients keep on the server for themselves, made, changed and deleted."""
    change("POST", "/logstores/access/consumergroups", "CreateConsumerGroup", {"consumerGroup": "workers", "timeout": 60, "order": False})
    change("PUT", "/logstores/access/consumergroups/workers", "UpdateConsumerGroup", {"timeout": 30})
    change("DELETE", "/logstores/access/consumergroups/workers", "DeleteConsumerGroup")
    search = {"savedsearchName": "errors", "displayName": "errors", "searchQuery": "*", "logstore": "access"}
    dashboard = {"dashboardName": "web", "displayName": "web", "charts": [], "attribute": {}}
    job = {
        "name": "alert",
        "displayName": "alert",
        "type": "Alert",
        "configuration": {},
        "schedule": {"type": "FixedRate", "interval": "15m"},
    }
    for path, noun, name, document in (
        ("/savedsearches", "SavedSearch", "errors", search),
        ("/dashboards", "Dashboard", "web", dashboard),
        ("/jobs", "Job", "alert", job),
    ):
        change("POST", path, f"Create{noun}", document)
        change("PUT", f"{path}/{name}", f"Update{noun}", document)
        if noun == "Dashboard":
            change("POST", f"{path}/{name}/charts", "UpdateDashboard", {"title": "hits", "type": "line", "search": {}, "display": {}})
            change("DELETE", f"{path}/{name}/charts/hits", "UpdateDashboard")
        change("DELETE", f"{path}/{name}", f"Delete{noun}")
    tagged = {"resourceType": "project", "resourceId": [project]}
    change("POST", "/tag", "TagResources", {**tagged, "tags": [{"key": "team", "value": "web"}]})
    change("POST", "/untag", "UntagResources", {**tagged, "tags": ["team"]})


def test_no_secret_stands_in_a_record(server) -> None:
    project = server.fresh_name("audit")
    server.make_logstore(project, "access")
    name = make_user(server, {})
    key = make_key(server, user=name, note=f"of {project}")
    token = log_in(server, name).json()["token"]
    join = server.call("POST", "/tokens", {"project": project}).json()["token"]
    found = json.dumps(records(server, f'"{name}" or "{project}"', least=6))
    for secret in (PASSWORD, key[1], token.rpartition(".")[2], join.split(".")[2]):
        assert secret not in found


def test_what_was_refused_is_no_change(server) -> None:
    project = server.fresh_name("audit")
    server.make_logstore(project, "access")
    key = make_key(server, role="reader", project=project)
    assert server.request("DELETE", "/logstores/access", project=project, key=key).status == 401
    assert sls(server, "POST", "/logstores", project, {"logstoreName": "access"}).status == 400
    assert sls(server, "DELETE", "/logstores/access", project).status == 200
    rows = records(server, f'project: "{project}"', least=4)
    assert [row["action"] for row in rows] == ["log:CreateProject", "log:CreateLogStore", "tailrace:CreateKey", "log:DeleteLogStore"]


def test_nobody_writes_to_the_log_or_deletes_it(server) -> None:
    records(server, "*")
    for method, path in (("DELETE", "/"), ("DELETE", "/logstores/internal-operation_log"), ("POST", "/logstores")):
        assert sls(server, method, path, "tailrace-system", {}).status == 401
    assert server.request("POST", "/", body=json.dumps({"projectName": "tailrace-system", "description": ""}).encode()).status == 400
    assert server.call("POST", "/tokens", {"project": "tailrace-system"}).status == 401
    reader = make_key(server, role="operator")
    assert server.request("GET", "/logstores", project="tailrace-system", key=reader).status == 401


def test_a_project_sees_its_own_changes_only(server) -> None:
    mine, other = server.fresh_name("mine"), server.fresh_name("other")
    for project in (mine, other):
        server.make_logstore(project, "access")
    records(server, f'project: "{mine}" or project: "{other}"', least=4)
    token = log_in(server, make_user(server, {mine: "admin"})).json()["token"]
    window = f"from={int(time.time()) - 3600}&to={int(time.time()) + 60}"

    def seen(project: str, **more: str) -> Answer:
        return send(server, "GET", f"/projects/{project}/changes?{window}&{urlencode(more)}", headers=bearer(token))

    assert {row["project"] for row in seen(mine).json()["rows"]} == {mine}
    assert [row["action"] for row in seen(mine, query="action: CreateLogStore").json()["rows"]] == ["log:CreateLogStore"]
    assert seen(other).status == 401
    for query in (f'x) or (project: "{other}"', f"* | select * from log where project = '{other}'", f'x or project: "{other}"'):
        answer = seen(mine, query=query)
        assert answer.status == 400 or all(row["project"] == mine for row in answer.json()["rows"]), query


def test_a_change_is_on_record_even_when_the_server_is_killed(tmp_path: Path) -> None:
    """Killed at some moment between the changes: each that was answered is on record once, and no record is there twice."""
    made: list[str] = []
    with contextlib.suppress(OSError), running_server(tmp_path) as server:
        for number in range(30):
            if number == 20:
                server.process.kill()
            name = f"killed-{number:02}"
            server.make_logstore(name, "access")
            made.append(name)
    with running_server(tmp_path) as server:
        rows = records(server, 'action: "log:CreateProject"', least=len(made))
        names = [row["project"] for row in rows]
        assert sorted(set(names)) == sorted(names)
        assert set(made) <= set(names)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_route_that_is_not_there_changes_nothing(server, method: str) -> None:
    name = server.fresh_name("nothing")
    assert server.call(method, f"/{name}", {}).status in (404, 405)
    project = server.fresh_name("audit")
    server.make_logstore(project, "access")
    rows = records(server, f'project: "{project}" or "{name}"', least=2)
    assert {row["project"] for row in rows} == {project}
