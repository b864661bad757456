"""The read calls as clients make them: the official SDK, and requests by hand for what it cannot be made to send."""

import json
import time
from itertools import pairwise
from typing import Any

import lz4.block
import pytest
from aliyun.log import GetHistogramsRequest, GetProjectLogsRequest, LogException, LogItem, PutLogsRequest

from tests.conftest import RunningServer
from tests.integration.query.logs import TOKENS

INDEX = {
    "line": {"token": list(TOKENS), "caseSensitive": False},
    "keys": {
        "status": {"type": "long", "doc_value": True},
        "uri": {"type": "text", "token": list(TOKENS), "caseSensitive": False, "doc_value": True, "alias": "path"},
    },
}
COUNT = 250
LOGSTORE = "access-log"


class Reading:
    """A logstore with 250 events of one second each, the newest of now."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.client = server, server.client()
        self.project = server.fresh_name("reads")
        server.make_logstore(self.project, LOGSTORE, INDEX)
        self.end = int(time.time())
        self.start = self.end - COUNT
        items = [
            LogItem(self.start + n, contents=[("status", str(200 + n % 3 * 100)), ("uri", f"/Api/v{n}"), ("note", "Größe")])
            for n in range(COUNT)
        ]
        self.client.put_logs(PutLogsRequest(self.project, LOGSTORE, "web", "10.0.0.1", items))
        self._wait()

    def get(self, query: str = "", **options: Any) -> Any:
        return self.client.get_log(self.project, LOGSTORE, self.start, self.end, query=query, **options)

    def old(self, query: str = "", **options: Any) -> Any:
        """The GET form."""
        parameters = {"type": "log", "from": self.start, "to": self.end, "query": query, **options}
        target = f"/logstores/{LOGSTORE}?" + "&".join(f"{name}={value}" for name, value in parameters.items())
        return self.server.request("GET", target, project=self.project)

    def new(self, body: dict[str, Any], **headers: str) -> Any:
        asked = {"from": self.start, "to": self.end, **body}
        return self.server.request(
            "POST",
            f"/logstores/{LOGSTORE}/logs",
            body=json.dumps(asked).encode(),
            project=self.project,
            headers={"content-type": "application/json", **headers},
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while self.get("* | select count(*) as c").get_logs()[0].get_contents()["c"] != str(COUNT):
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="module")
def reading(server: RunningServer) -> Reading:
    return Reading(server)


def test_the_sdk_searches(reading: Reading):
    answer = reading.get("/api/v7 and status >= 200", size=10)
    ((log),) = answer.get_logs()
    assert (log.get_time(), log.get_source()) == (reading.start + 7, "10.0.0.1")
    assert log.get_contents() == {"status": "300", "uri": "/Api/v7", "note": "Größe", "__topic__": "web"}
    assert answer.is_completed()
    assert answer.get_meta().get_where_query() == "/api/v7 and status >= 200"


def test_the_sdk_pages_through_everything(reading: Reading):
    logs = reading.get("*", size=-1).get_logs()
    assert [log.get_time() for log in logs] == list(range(reading.start, reading.end))


def test_the_sdk_reads_newest_first(reading: Reading):
    logs = reading.get("status:200", size=3, offset=1, reverse=True).get_logs()
    assert [log.get_contents()["uri"] for log in logs] == ["/Api/v246", "/Api/v243", "/Api/v240"]


def test_the_sdk_asks_sql(reading: Reading):
    answer = reading.get("status > 200 | select status, count(*) as hits, avg(status) as mean from log group by status order by status")
    assert [log.get_contents() for log in answer.get_logs()] == [
        {"status": "300", "hits": "83", "mean": "300.0"},
        {"status": "400", "hits": "83", "mean": "400.0"},
    ]
    meta = answer.get_meta()
    assert (meta.get_has_sql(), meta.get_keys(), meta.get_agg_query().startswith("select")) == (True, ["status", "hits", "mean"], True)


def test_the_logstores_own_name_and_the_alias_work_in_sql(reading: Reading):
    answer = reading.get('* | select path from "access-log" where status = 200 order by __time__ limit 1')
    assert [log.get_contents() for log in answer.get_logs()] == [{"path": "/Api/v0"}]


def test_the_sdk_gets_histograms(reading: Reading):
    request = GetHistogramsRequest(reading.project, LOGSTORE, reading.start, reading.end, "", "status:200")
    first, again = reading.client.get_histograms(request), reading.client.get_histograms(request)
    found = [(each.get_from(), each.get_to(), each.get_count()) for each in first.get_histograms()]
    assert first.get_total_count() == sum(count for *_, count in found) == 84
    assert (found[0][0], found[-1][1]) == (reading.start, reading.end)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert found == [(each.get_from(), each.get_to(), each.get_count()) for each in again.get_histograms()]


def test_java_asks_for_histograms_at_the_index(reading: Reading):
    wanted = f"?type=histogram&from={reading.start}&to={reading.end}&query=status:200"
    usual, other = (
        reading.server.request("GET", f"/logstores/{LOGSTORE}{place}{wanted}", project=reading.project) for place in ("", "/index")
    )
    assert (other.status, other.json()) == (200, usual.json())


@pytest.mark.parametrize("query", ["*", "status:300", "* | select status, count(*) c group by status order by c"])
def test_both_forms_agree(reading: Reading, query: str):
    old, new = reading.old(query, line=20, reverse="true"), reading.new({"query": query, "line": 20, "reverse": True}).json()
    assert old.json() == new["data"]
    assert old.headers["x-log-count"] == str(new["meta"]["count"])
    assert old.headers["x-log-progress"] == new["meta"]["progress"] == "Complete"
    assert old.headers["x-log-has-sql"] == str(new["meta"]["hasSQL"]).lower()


def test_the_answer_is_compressed_when_asked_for(reading: Reading):
    plain, packed = reading.new({"query": "*"}), reading.new({"query": "*"}, **{"accept-encoding": "lz4"})
    headers = packed.headers
    body = lz4.block.decompress(packed.body, uncompressed_size=int(headers["x-log-bodyrawsize"]))
    assert headers["x-log-compresstype"] == "lz4"
    assert "content-encoding" not in headers
    assert json.loads(body)["data"] == plain.json()["data"]


MISTAKES = {
    "InvalidTimeRange": [{"from": 5, "to": 5}, {"from": 6, "to": 5}, {"from": "x"}],
    "InvalidLine": [{"line": 101}, {"line": -1}, {"line": "x"}],
    "InvalidOffset": [{"offset": -1}, {"offset": True}],
    "InvalidReverse": [{"reverse": "maybe"}],
    "ParameterInvalid": [{"from": ""}, {"query": "a and"}, {"query": "* | select nope"}, {"query": "* | drop table x"}],
}


@pytest.mark.parametrize(("code", "body"), [(code, body) for code, bodies in MISTAKES.items() for body in bodies], ids=str)
def test_mistakes_have_their_codes(reading: Reading, code: str, body: dict[str, Any]):
    answer = reading.new(body)
    assert (answer.status, answer.code) == (400, code)


def test_numbers_and_booleans_may_be_text(reading: Reading):
    assert len(reading.old("*", line="", offset="", reverse="True").json()) == 100
    assert len(reading.new({"from": str(reading.start), "line": "3", "forward": "true", "reverse": "false"}).json()["data"]) == 3


def test_nanoseconds_narrow_the_range(reading: Reading):
    body = {"from": reading.start, "to": reading.start, "fromNs": 0, "toNs": 1}
    assert len(reading.new(body).json()["data"]) <= 1


def test_an_unknown_logstore_is_named(reading: Reading):
    with pytest.raises(LogException) as raised:
        reading.client.get_log(reading.project, "nope", 1, 2)
    assert raised.value.get_error_code() == "LogStoreNotExist"


def test_tail_gives_what_arrives(reading: Reading):
    path = f"/api/v1/projects/{reading.project}/logstores/{LOGSTORE}/tail"
    cursor = reading.server.request("GET", path).json()["cursor"]
    items = [LogItem(int(time.time()), contents=[("uri", "/fresh/one"), ("mark", "tailed")])]
    reading.client.put_logs(PutLogsRequest(reading.project, LOGSTORE, "tail", "10.0.0.2", items))
    rows: list[dict[str, str]] = []
    deadline = time.monotonic() + 20
    while not rows and time.monotonic() < deadline:
        answer = reading.server.request("GET", f"{path}?after={cursor}&query=mark:tailed").json()
        rows, cursor = answer["rows"], answer["cursor"]
        time.sleep(0.1)
    assert [row["uri"] for row in rows] == ["/fresh/one"]


@pytest.fixture(scope="module")
def hosts(reading: Reading) -> str:
    """A second logstore of the same project: which host answers with which status."""
    index = {"keys": {"code": {"type": "long", "doc_value": True}, "host": {"type": "text", "token": [" "], "doc_value": True}}}
    reading.server.make_logstore(reading.project, "hosts-all", index)
    items = [LogItem(reading.start + 1, contents=[("code", code), ("host", f"web-{code}")]) for code in ("200", "300")]
    reading.client.put_logs(PutLogsRequest(reading.project, "hosts-all", "", "", items))
    deadline = time.monotonic() + 20
    while reading.client.get_log(reading.project, "hosts-all", reading.start, reading.end, query="host:*", size=2).get_count() != 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return "hosts-all"


def test_sql_joins_other_logstores_of_the_project(reading: Reading, hosts: str):
    sql = f"select h.host, count(*) as hits from log l join {hosts} h on l.status = h.code group by h.host order by h.host"
    answer = reading.get(f"status < 400 | {sql}")
    assert [log.get_contents() for log in answer.get_logs()] == [{"host": "web-200", "hits": "84"}, {"host": "web-300", "hits": "83"}]


def test_the_sdk_asks_a_whole_project(reading: Reading, hosts: str):
    sql = f"select host, count(*) as hits from {hosts} join {LOGSTORE} a on code = a.status where a.__time__ >= {reading.start} group by 1"
    answer = reading.client.get_project_logs(GetProjectLogsRequest(reading.project, f"{sql} order by 1"))
    assert [log.get_contents() for log in answer.get_logs()] == [{"host": "web-200", "hits": "84"}, {"host": "web-300", "hits": "83"}]
    with pytest.raises(LogException, match="table `nowhere` cannot be resolved"):
        reading.client.get_project_logs(GetProjectLogsRequest(reading.project, "select count(*) from nowhere"))


def test_the_time_zone_is_the_requests_or_the_projects(reading: Reading):
    query = "* | select date_format(max(from_unixtime(0)), '%H:%i') as t, current_timezone() as zone"

    def zone(**options: Any) -> str:
        return reading.new({"query": query, **options}).json()["data"][0]["zone"]

    assert zone() == "UTC"
    assert zone(timeZone="Asia/Shanghai") == zone(session="mode=scan;timezone=Asia/Shanghai") == "Asia/Shanghai"
    assert reading.old(query, timeZone="Asia/Shanghai").json()[0]["t"] == "08:00"
    assert reading.new({"query": query, "timeZone": "Mars/Base"}).code == "ParameterInvalid"
    body = json.dumps({"description": "", "timeZone": "Europe/Berlin"}).encode()
    assert (
        reading.server.request("PUT", "/", body=body, project=reading.project, headers={"content-type": "application/json"}).status == 200
    )
    assert (zone(), zone(timeZone="UTC")) == ("Europe/Berlin", "UTC")
    reading.client.update_project(reading.project, "unrelated")
    assert zone() == "Europe/Berlin"


def test_parts_of_json_and_chinese_text_through_the_server(reading: Reading):
    part = {"type": "long", "doc_value": True, "alias": "age"}
    names = {"user.age": part, "user.name": {"type": "text", "doc_value": True}}
    index = {
        "line": {"token": list(TOKENS), "chn": True},
        "keys": {"req": {"type": "json", "token": list(TOKENS), "doc_value": True, "json_keys": names}},
    }
    reading.server.make_logstore(reading.project, "bodies", index)
    bodies = ['{"user":{"name":"Ann Lee","age":31}}', '{"user":{"name":"Bob","age":7},"ok":true}', "数据库连接失败"]
    items = [LogItem(reading.start + n, contents=[("req", body)]) for n, body in enumerate(bodies)]
    reading.client.put_logs(PutLogsRequest(reading.project, "bodies", "", "", items))

    def found(query: str) -> list[str]:
        logs = reading.client.get_log(reading.project, "bodies", reading.start, reading.end, query=query).get_logs()
        return [log.get_contents().get("req") or str(log.get_contents()) for log in logs]

    deadline = time.monotonic() + 20
    while len(found("*")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found("req.user.age > 30") == found("req.user.name: LEE") == [bodies[0]]
    assert found("req.ok: true") == [bodies[1]]
    assert found("连接") == [bodies[2]]
    assert found("not req.user.name:*") == [bodies[2]]
    sql = '* | select sum(age) as a, max("req.user.name") as n from log'
    assert found(sql) == ["{'a': '38', 'n': 'Bob'}"]
