"""Saved searches, dashboards, charts, jobs and tags as the official SDK makes them."""

import json
from typing import Any

import pytest
from aliyun.log import LogException

from tests.conftest import RunningServer

QUERY = "level: error | select count(*)"
SEARCH = {"savedsearchName": "errors", "displayName": "Fehler 错误", "searchQuery": QUERY, "logstore": "logs", "z": 1, "a": [None]}
CHART = {"title": "hits", "type": "line", "search": {"query": "* | select count(*)"}, "display": {"width": 5}}
DASHBOARD = {"dashboardName": "web", "displayName": "Web", "charts": [CHART], "attribute": {"type": "grid"}}
ALERT = {
    "name": "too-many",
    "displayName": "Too many",
    "type": "Alert",
    "configuration": {"version": "2.0", "queryList": [{"query": "* | select count(*) as c"}]},
    "schedule": {"type": "FixedRate", "interval": "15m"},
}  # fmt: skip


@pytest.fixture
def project(server: RunningServer) -> str:
    name = server.fresh_name("kept")
    server.client().create_project(name, "")
    server.client().create_logstore(name, "logs", shard_count=1)
    return name


def code_of(work: Any) -> str:
    with pytest.raises(LogException) as raised:
        work()
    return raised.value.get_error_code()


def test_a_saved_search_comes_back_as_it_was_given(server: RunningServer, project: str):
    client = server.client()
    client.create_savedsearch(project, SEARCH)
    assert code_of(lambda: client.create_savedsearch(project, SEARCH)) == "SavedSearchAlreadyExist"
    assert client.get_savedsearch(project, "errors").get_entity() == SEARCH
    assert list(client.get_savedsearch(project, "errors").get_entity()) == list(SEARCH)
    client.update_savedsearch(project, {**SEARCH, "searchQuery": "*"})
    assert client.get_savedsearch(project, "errors").get_entity()["searchQuery"] == "*"
    assert client.list_savedsearch(project).get_savedsearches() == ["errors"]
    client.delete_savedsearch(project, "errors")
    assert code_of(lambda: client.get_savedsearch(project, "errors")) == "SavedSearchNotExist"
    assert code_of(lambda: client.update_savedsearch(project, SEARCH)) == "SavedSearchNotExist"


def test_dashboards_are_paged_and_hold_charts(server: RunningServer, project: str):
    client = server.client()
    client.create_dashboard(project, DASHBOARD)
    for number in range(3):
        client.create_dashboard(project, {**DASHBOARD, "dashboardName": f"other-{number}"})
    page = client.list_dashboard(project, offset=1, size=2)
    assert (page.get_dashboards(), page.get_count(), page.get_total()) == (["other-1", "other-2"], 2, 4)
    assert client.list_dashboard(project, size=-1).get_count() == 4

    def chart(method: str, title: str, body: Any = None) -> Any:
        text = b"" if body is None else json.dumps(body).encode()
        return server.request(method, f"/dashboards/web/charts{title}", project=project, body=text)

    assert chart("POST", "", CHART).code == "ChartAlreadyExist"
    assert chart("POST", "", {**CHART, "title": "bytes"}).status == 200
    assert chart("PUT", "/bytes", {"type": "table"}).status == 200
    assert chart("GET", "/bytes").json() == {"type": "table", "title": "bytes"}
    assert chart("DELETE", "/hits").status == 200
    assert chart("GET", "/hits").code == "ChartNotExist"
    assert client.get_dashboard(project, "web").get_entity() == {**DASHBOARD, "charts": [{"type": "table", "title": "bytes"}]}


def test_jobs_are_kept_by_type_and_switched(server: RunningServer, project: str):
    client = server.client()
    client.create_alert(project, ALERT)
    export = {"name": "out", "displayName": "out", "type": "Export", "configuration": {"logstore": "logs"}}
    assert server.request("POST", "/jobs", project=project, body=json.dumps(export).encode()).status == 200
    found = client.get_alert(project, "too-many").get_entity()
    assert ALERT.items() <= found.items()
    client.disable_alert(project, "too-many")
    assert client.get_alert(project, "too-many").get_entity()["state"] == "Disabled"
    client.enable_alert(project, "too-many")
    client.update_alert(project, {**ALERT, "displayName": "Far too many"})
    assert [each["displayName"] for each in client.list_alert(project).get_entities()] == ["Far too many"]
    assert client.list_logstore_export(project, "logs").get_total() == 1
    assert client.list_logstore_export(project, "other").get_total() == 0
    client.delete_alert(project, "too-many")
    assert code_of(lambda: client.get_alert(project, "too-many")) == "JobNotExist"


def test_tags_are_put_to_projects_and_logstores(server: RunningServer, project: str):
    client, store = server.client(), f"{project}#logs"
    client.tag_project(project, team="web", stage="prod")
    client.tag_resources("logstore", store, team="web")
    (page,) = client.get_project_tags(project)
    assert page.get_tags() == {"team": "web", "stage": "prod"}
    assert [len(page.get_tags()) for page in client.get_project_tags(project, stage="test")] == [0]
    client.untag_project(project, "stage")
    assert [page.get_tags() for page in client.get_project_tags(project)] == [{"team": "web"}]
    assert [len(page.get_tags()) for page in client.list_tag_resources("logstore", store)] == [1]
    assert code_of(lambda: client.tag_resources("logstore", f"{project}#none", a="b")) == "LogStoreNotExist"
    assert code_of(lambda: client.tag_project(project, **{f"k{n}": "v" for n in range(20)})) == "ParameterInvalid"
    client.delete_logstore(project, "logs")
    client.create_logstore(project, "logs", shard_count=1)
    assert [len(page.get_tags()) for page in client.list_tag_resources("logstore", store)] == [0]


def test_names_that_no_path_can_hold_and_renames_are_refused(server: RunningServer, project: str):
    client = server.client()
    for name in ("", "a/b", "x" * 300, None):
        assert code_of(lambda name=name: client.create_dashboard(project, {"dashboardName": name})) == "ParameterInvalid"
    client.create_dashboard(project, DASHBOARD)
    body = json.dumps({"dashboardName": "else"}).encode()
    assert server.request("PUT", "/dashboards/web", project=project, body=body).code == "ParameterInvalid"
