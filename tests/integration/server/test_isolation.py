"""Two tenants on one server: whatever the one asks for, over every operation, it neither sees nor changes anything of the other."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from aliyun.log import LogItem, PutLogsRequest

from tailrace.testing.server import Answer
from tests.conftest import RunningServer
from tests.integration.server.joiner import Joiner
from tests.integration.server.people import bearer, log_in, make_key, make_user, send
from tests.integration.server.served import operations
from tests.integration.server.test_audit import CLASSIC, PIPELINE, records, sls

OWN = ("/agents", "/agents/streams", "/agents/streams/{stream}", "/tokens", "/keys")
"""They answer with what is the caller's."""
HARMLESS = {400, 401, 403, 404, 405}


class Tenant:
    """A project with one of each thing in it, all named after it."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self.mark = server.fresh_name("secret")
        self.project, self.content = f"{self.mark}-p", server.fresh_name("content")
        server.make_logstore(self.project, f"{self.mark}-l", {"line": {"token": [" "]}, "keys": {"k": {"type": "text", "token": [" "]}}})
        self.do("POST", "/logstores", {"logstoreName": "access", "ttl": 1, "shardCount": 1})
        self.do("POST", "/configs", {**CLASSIC, "configName": f"{self.mark}-c"})
        assert server.call("PUT", f"/projects/{self.project}/pipelines/{self.mark}-y", {"text": PIPELINE}).status == 200
        group = {"groupName": f"{self.mark}-g", "machineIdentifyType": "userdefined", "machineList": [f"{self.mark}-id"]}
        self.do("POST", "/machinegroups", group)
        self.do("PUT", f"/machinegroups/{self.mark}-g/configs/{self.mark}-c")
        self.do("POST", f"/logstores/{self.mark}-l/consumergroups", {"consumerGroup": f"{self.mark}-w", "timeout": 60, "order": False})
        self.user = make_user(server, {self.project: "admin"}, prefix=f"{self.mark}-u")
        self.key = make_key(server, role="admin", project=self.project, note=self.mark)
        self.agent = f"{self.mark}-a"
        self.agent_key = server.enrol(self.agent, self.project, ["*"])
        asked = {"command": {"kind": "restart"}, "agents": [self.agent]}
        self.command = server.call("POST", f"/projects/{self.project}/commands", asked).json()["id"]
        self._keep()
        self.token = server.call("POST", "/tokens", {"project": self.project, "note": self.mark}).json()["id"]
        server.client().put_logs(self.event())

    def _keep(self) -> None:
        """What clients keep on the server for themselves."""
        name, chart = f"{self.mark}-y", {"title": f"{self.mark}-t", "type": "line", "search": {}, "display": {}}
        search = {"savedsearchName": name, "displayName": name, "searchQuery": self.content, "logstore": f"{self.mark}-l"}
        self.do("POST", "/savedsearches", search)
        self.do("POST", "/dashboards", {"dashboardName": name, "displayName": name, "charts": [chart], "attribute": {}})
        schedule = {"type": "FixedRate", "interval": "15m"}
        self.do("POST", "/jobs", {"name": name, "displayName": name, "type": "Alert", "configuration": {}, "schedule": schedule})

    def event(self) -> Any:
        return PutLogsRequest(
            self.project, f"{self.mark}-l", "topic", self.mark, [LogItem(int(time.time()), contents=[("k", self.content)])]
        )

    def do(self, method: str, path: str, document: object = None) -> None:
        answer = sls(self._server, method, path, self.project, document)
        assert answer.status == 200, (path, answer.body)

    @property
    def names(self) -> dict[str, str]:
        """For the braces in paths."""
        mark = self.mark
        known = {"project": self.project, "logstore": f"{mark}-l", "config": f"{mark}-c", "group": f"{mark}-g", "shard": "0"}
        known |= {"command": self.command, "chart": f"{mark}-t"}
        known |= {"agent_id": self.agent, "token_id": self.token, "key_id": self.key[0], "name": f"{mark}-y"}
        known["/logstores/{logstore}/consumergroups/{group}:group"] = f"{mark}-w"
        for pattern in ("/users/{name}", "/users/{name}/password", "/projects/{project}/roles/{name}"):
            known[f"{pattern}:name"] = self.user
        return known

    def everything(self) -> dict[str, bytes]:
        """All that an administrator can read of it, without what time itself changes."""
        found: dict[str, bytes] = {}
        admin = (self._server.key_id, self._server.key_secret)
        for operation in operations(self._server):
            counting = operation.pattern.endswith(("/changes", "/tail", "/tail/stream", "/logs", "/storage", "/check", "/quota/use"))
            changing = operation.query.startswith("type=") or counting
            concerns = operation.api == "sls" or "{project}" in operation.pattern
            if operation.method == "GET" and concerns and not changing:
                found[operation.name] = operation.send(self._server, self.project, self.names, admin).body
        return found


@pytest.fixture(scope="module")
def mine(server: RunningServer) -> Tenant:
    return Tenant(server)


@pytest.fixture(scope="module")
def theirs(server: RunningServer) -> Tenant:
    return Tenant(server)


def shows(answer: Answer, tenant: Tenant, asked: str) -> bool:
    """Whether it holds a name of the tenant that the question did not."""
    text = answer.body.decode("utf-8", "replace") + json.dumps(answer.headers)
    for word in {name for name in tenant.names.values() if len(name) > 8}:
        if word not in asked and word in text:
            return True
    return tenant.content in text or (tenant.mark not in asked and tenant.mark in text)


@pytest.mark.parametrize("who", ["key", "agent_key", "session"])
def test_no_operation_reads_or_changes_what_is_anothers(server: RunningServer, mine: Tenant, theirs: Tenant, who: str) -> None:
    before = theirs.everything()
    assert any(theirs.mark.encode() in body for body in before.values())
    token = log_in(server, mine.user).json()["token"] if who == "session" else ""
    wrong: list[str] = []
    for operation in operations(server):
        target = operation.target({**theirs.names, "project": theirs.project})
        if who == "session":
            if operation.api == "sls":
                continue
            body = json.loads(operation.body.replace(b"{project}", theirs.project.encode())) if operation.body else None
            answer = send(server, operation.method, target.removeprefix("/api/v1"), body, bearer(token))
        else:
            answer = operation.send(server, theirs.project, theirs.names, getattr(mine, who))
        own_list = operation.api == "own" and operation.method == "GET" and operation.pattern in OWN
        if (answer.status not in HARMLESS and not own_list) or shows(answer, theirs, target + theirs.project):
            wrong.append(f"{operation.name}: {answer.status} {answer.body[:200]!r}")
    assert wrong == []
    assert theirs.everything() == before


def test_what_is_listed_is_ones_own(server: RunningServer, mine: Tenant, theirs: Tenant) -> None:
    records(server, f'project: "{theirs.project}"', least=8)
    token = log_in(server, mine.user).json()["token"]
    window = f"from={int(time.time()) - 3600}&to={int(time.time()) + 60}"
    lists = [
        server.request("GET", "/", key=mine.key),
        server.request("GET", "/tags?resourceType=project", key=mine.key),
        *(send(server, "GET", path, headers=bearer(token)) for path in ("/agents", "/tokens", "/keys", f"/projects/{mine.project}/roles")),
        send(server, "GET", f"/projects/{mine.project}/changes?{window}", headers=bearer(token)),
        send(server, "GET", "/sessions/current", headers=bearer(token)),
    ]
    assert [answer.body for answer in lists if theirs.mark.encode() in answer.body] == []
    assert sum(mine.mark.encode() in answer.body for answer in lists) >= 6


def test_a_query_reaches_no_other_project(server: RunningServer, mine: Tenant, theirs: Tenant) -> None:
    now, target = int(time.time()), f"/logstores/{mine.mark}-l/logs"
    own = f'"{theirs.mark}-l"'
    for query in (
        f"* | select * from {own}",
        f'* | select * from "{theirs.project}".{own}',
        f"* | select a.k from log a join {own} b on true",
        f"* | select k from log where k in (select k from {own})",
        "* | select name from system.tables",
        "* | select * from ls_1",
    ):
        body = json.dumps({"from": now - 3600, "to": now + 60, "query": query, "line": 100}).encode()
        answer = server.request("POST", target, project=mine.project, body=body, key=mine.key)
        assert answer.status == 400 or answer.json()["data"] == [], (query, answer.body)
        assert theirs.content not in answer.body.decode()


def test_one_agent_in_two_projects_shows_each_only_its_own(server: RunningServer, mine: Tenant, theirs: Tenant) -> None:
    agent = server.fresh_name("shared")
    with tempfile.TemporaryDirectory() as directory:
        joiner = Joiner(Path(directory), server.tls_port, agent_id=agent)
        for tenant in (mine, theirs):
            token = server.call("POST", "/tokens", {"project": tenant.project, "logstores": [f"{tenant.mark}-l"]}).json()["token"]
            joiner.pin(token)
            assert joiner.enrol(token).status == 200
    token = log_in(server, mine.user).json()["token"]
    listed = next(one for one in send(server, "GET", "/agents", headers=bearer(token)).json() if one["agent_id"] == agent)
    assert listed["projects"] == {mine.project: [f"{mine.mark}-l"]}
    gone = send(server, "DELETE", f"/agents/{agent}/projects/{mine.project}", headers=bearer(token))
    assert (gone.status, gone.json()["projects"]) == (200, {})
    assert send(server, "DELETE", f"/agents/{agent}/projects/{theirs.project}", headers=bearer(token)).status == 401
