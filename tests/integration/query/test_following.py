"""Live tail by server-sent events, fields for a side bar, and completion: our own read API against a running server."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest
from aliyun.log import LogItem, PutLogsRequest

from tailrace.server.query import following, service
from tailrace.server.query.following import Now, Turn, follow
from tailrace.server.store.port import FieldIndex, Limits, TableSpec
from tailrace.testing.server import Answer
from tests.conftest import RunningServer
from tests.integration.query.logs import TOKENS, EngineThread, Log
from tests.integration.server.people import bearer, log_in, make_key, make_user, send

KEYS = {
    "level": {"type": "text", "token": list(TOKENS), "doc_value": True},
    "cost": {"type": "long", "doc_value": True, "alias": "price"},
    "user name": {"type": "text", "token": list(TOKENS), "doc_value": True},
}
INDEX = {"line": {"token": list(TOKENS)}, "keys": KEYS}


class Followed:
    """A logstore, what is written to it, and its listeners."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.client = server, server.client()
        self.project, self.began = server.fresh_name("follow"), int(time.time())
        server.make_logstore(self.project, "logs", INDEX)

    @property
    def base(self) -> str:
        return f"/projects/{self.project}/logstores/logs"

    def put(self, *events: dict[str, str]) -> None:
        items = [LogItem(int(time.time()), contents=list(event.items())) for event in events]
        self.client.put_logs(PutLogsRequest(self.project, "logs", "", "10.0.0.1", items, logtags=[("host", "a")]))

    def get(self, path: str, **query: Any) -> Any:
        return self.server.call("GET", f"{self.base}{path}?{urlencode(query)}").json()

    def in_range(self, path: str, **query: Any) -> Any:
        return self.get(path, **{"from": self.began - 60, "to": self.began + 3600, **query})

    def listen(
        self, *, key: tuple[str, str] | None = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Iterator[tuple[str, Any]]:
        """(id, data) of each server-sent event."""
        target = f"/api/v1{self.base}/tail/stream?{urlencode(query)}"
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)) as connection:
            connection.request("GET", target, headers=headers or self.server.sign("GET", target, key=key))
            with closing(connection.getresponse()) as answer:
                yield from _events(answer)


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    if answer.status != 200:
        yield "", json.loads(answer.read())
        return
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines: dict[str, str] = {}
    while line := answer.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name:
            lines[name] = value
        else:
            yield lines["id"], json.loads(lines["data"])


@pytest.fixture(scope="module")
def followed(server: RunningServer) -> Followed:
    made = Followed(server)
    made.put(
        *({"level": "info" if n % 4 else "error", "cost": str(n), "path": f"/{n}"} for n in range(8)), {"level": "in fo", "user name": "x"}
    )
    deadline = time.monotonic() + 30
    while made.in_range("/fields")["events"] < 9:
        assert time.monotonic() < deadline
    return made


def test_all_that_matches_comes_once_while_shards_change(server: RunningServer):
    followed = Followed(server)
    events = followed.listen(query="level: error")
    _, first = next(events)
    assert first == {"rows": [], "dropped": 0, "waiting": False}

    def write() -> None:
        for n in range(60):
            followed.put({"level": "error" if n % 3 else "info", "n": str(n)})
            if n == 20:
                followed.client.split_shard(followed.project, "logs", 0, "4" + "0" * 31)

    writer = threading.Thread(target=write)
    writer.start()
    found: list[int] = []
    while len(found) < 40:
        _, data = next(events)
        assert data["dropped"] == 0
        found += [int(row["n"]) for row in data["rows"]]
    writer.join()
    assert sorted(found) == [n for n in range(60) if n % 3]


def test_a_listener_goes_on_where_it_was(server: RunningServer):
    followed = Followed(server)
    events = followed.listen()
    cursor, _ = next(events)
    followed.put({"n": "1"})
    while not (data := next(events)[1])["rows"]:
        assert not data["dropped"]
    events.close()
    again = followed.listen(after=cursor)
    rows: list[dict[str, str]] = []
    while not rows:
        cursor, data = next(again)
        rows = data["rows"]
    assert [row["n"] for row in rows] == ["1"]
    followed.put({"n": "2"})
    rest = followed.listen(after=cursor)
    while not (data := next(rest)[1])["rows"]:
        pass
    assert [row["n"] for row in data["rows"]] == ["2"]


def test_a_stream_ends_when_it_was_asked_to(followed: Followed):
    assert [data["rows"] for _, data in followed.listen(secs=0.3)] == [[]]


def test_a_search_that_cannot_be_read_is_refused_at_once(followed: Followed):
    (refused,) = followed.listen(query="a and", after="0;")
    assert refused[1]["errorCode"] == "ParameterInvalid"
    (refused,) = followed.listen(after="no cursor")
    assert refused[1]["errorCode"] == "InvalidCursor"


def test_who_falls_far_behind_is_told_how_much_was_passed(engine: EngineThread, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "PER_TURN", 5)
    monkeypatch.setattr(following, "MOST_BEHIND", 20)
    logstore = engine.logstore([Log({"n": str(n)}) for n in range(100)])

    async def turns() -> list[Turn]:
        async def now() -> Now:
            return Now(logstore.table, {0: 100})

        made = follow(logstore.queries, logstore.table, "", "0;0:0", now)
        return [await anext(made), await anext(made)]

    first, second = engine.run(turns())
    assert (first.rows, first.dropped) == ([], 0)
    assert ([row["n"] for row in second.rows], second.dropped) == (["0", "1", "2", "3", "4"], 95)


def test_who_is_too_far_behind_for_the_engine_is_taken_to_the_newest_events(engine: EngineThread, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "MOST_BEHIND", 20)
    logstore = engine.logstore([Log({"n": str(n)}) for n in range(100)])

    async def turns() -> list[Turn]:
        frontier = 15

        async def now() -> Now:
            return Now(logstore.table, {0: frontier})

        made = follow(logstore.queries, logstore.table, "", "0;0:0", now)
        found = [await anext(made)]
        with monkeypatch.context() as patch:
            patch.setattr(service, "LIGHT", Limits("light", memory=1))
            found.append(await anext(made))
            frontier = 98
            found.append(await anext(made))
        frontier = 100
        return [*found, await anext(made)]

    _, near, far, after = engine.run(turns())
    assert (near.rows, near.dropped, near.waiting) == ([], 0, True)
    assert (far.rows, far.dropped, far.waiting) == ([], 98, False)
    assert ([row["n"] for row in after.rows], after.dropped) == (["98", "99"], 98)


def test_each_turn_asks_the_table_that_there_is_then(engine: EngineThread):
    logstore = engine.logstore([Log({"cost": "1"})], fields=(FieldIndex("c1", "cost", "long"),))
    old = TableSpec(logstore.table.logstore, 30)
    moments = [Now(old, {0: 0}), Now(logstore.table, {0: 1}), None]

    async def turns() -> list[list[dict[str, str]]]:
        async def now() -> Now | None:
            return moments.pop(0)

        return [turn.rows async for turn in follow(logstore.queries, old, "cost > 0", "0;0:0", now)]

    assert [[row["cost"] for row in rows] for rows in engine.run(turns())] == [[], ["1"]]


def test_a_stream_ends_with_its_logstore_and_does_not_go_on_with_another_of_that_name(server: RunningServer):
    followed = Followed(server)
    events = followed.listen()
    next(events)
    followed.client.delete_project(followed.project)
    server.make_logstore(followed.project, "logs", INDEX)
    followed.put({"n": "of somebody else"})
    assert [data["rows"] for _, data in events if data["rows"]] == []


def revoke_key(server: RunningServer, project: str) -> tuple[tuple[str, str], Callable[[], Answer]]:
    key = make_key(server, role="reader", project=project)
    return key, lambda: server.call("DELETE", f"/keys/{key[0]}")


def take_role(server: RunningServer, project: str) -> tuple[tuple[str, str], Callable[[], Answer]]:
    user = make_user(server, {project: "reader"})
    return make_key(server, user=user), lambda: server.call("PUT", f"/users/{user}", {"roles": {}})


def disable_user(server: RunningServer, project: str) -> tuple[tuple[str, str], Callable[[], Answer]]:
    user = make_user(server, {project: "reader"})
    return make_key(server, user=user), lambda: server.call("PUT", f"/users/{user}", {"enabled": False})


@pytest.mark.parametrize("taken", [revoke_key, take_role, disable_user])
def test_a_stream_ends_when_who_listens_may_no_longer_read(server: RunningServer, taken: Callable[..., Any]):
    followed = Followed(server)
    key, take = taken(server, followed.project)
    events = followed.listen(key=key)
    assert next(events)[1]["rows"] == []
    assert take().status == 200
    followed.put({"secret": "written after it was taken"})
    began = time.monotonic()
    assert [data["rows"] for _, data in events if data["rows"]] == []
    assert time.monotonic() - began < 60
    ((_, refused),) = followed.listen(key=key)
    assert refused["errorCode"] == "Unauthorized"


def test_a_stream_of_a_session_ends_with_it(server: RunningServer):
    followed = Followed(server)
    token = log_in(server, make_user(server, {followed.project: "reader"})).json()["token"]
    events = followed.listen(headers=bearer(token))
    assert next(events)[1]["rows"] == []
    assert send(server, "DELETE", "/sessions/current", headers=bearer(token)).status == 200
    followed.put({"secret": "written after it was taken"})
    assert [data["rows"] for _, data in events if data["rows"]] == []


def test_fields_come_with_how_many_events_have_them(followed: Followed):
    found = followed.in_range("/fields", query="cost >= 0")
    assert found["events"] == 8
    assert {(each["name"], each["type"], each["events"]) for each in found["fields"]} == {
        ("level", "text", 8), ("cost", "long", 8), ("path", "", 8), ("__tag__:host", "", 8),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("level", {"present": 9, "null_share": 0.0, "distinct": 3, "top": [("info", 6), ("error", 2), ("in fo", 1)]}),
        ("user name", {"present": 1, "null_share": 8 / 9, "distinct": 1, "top": [("x", 1)]}),
        ("__tag__:host", {"present": 9, "null_share": 0.0, "distinct": 1, "top": [("a", 9)]}),
        ("__source__", {"present": 9, "null_share": 0.0, "distinct": 1, "top": [("10.0.0.1", 9)]}),
        ("nobody has/it", {"present": 0, "null_share": 1.0, "distinct": 0, "top": []}),
    ],
)
def test_a_field_has_its_most_frequent_values(followed: Followed, field: str, expected: dict[str, Any]):
    found = followed.in_range(f"/fields/{field.replace(' ', '%20')}")
    top = [(each["value"], each["events"]) for each in found.pop("top")]
    assert found | {"top": top} == {"events": 9, **expected}


@pytest.mark.parametrize(
    ("typed", "start", "items"),
    [
        ("le", 0, [("level:", "field")]),
        ("level: error and us", 17, [('"user name":', "field")]),
        ("level: er", 7, [("error", "value")]),
        ("level:", 6, [("info", "value"), ("error", "value"), ('"in fo"', "value")]),
        ('"user name": ', 13, [("x", "value")]),
        ("level: info an", 12, [("and", "operator")]),
        ("* | select approx_di", 11, [("approx_distinct(", "function")]),
        ("* | select pri", 11, [("price", "field")]),
        ('* | select "us', 11, [('"user name"', "field")]),
        ("* | sel", 4, [("select", "keyword")]),
        ("* | select 'er", 14, []),
    ],
)
def test_a_query_is_completed_at_its_cursor(followed: Followed, typed: str, start: int, items: list[tuple[str, str]]):
    found = followed.get("/complete", query=f"{typed} rest", position=len(typed))
    assert (found["start"], [(each["text"], each["kind"]) for each in found["items"]]) == (start, items)


def test_what_is_typed_has_a_length_and_its_end_is_completed(followed: Followed):
    typed = f"{'a' * 2000} {'b' * 1500} le"
    found = followed.get("/complete", query=typed)
    assert (found["start"], [each["text"] for each in found["items"]]) == (len(typed) - 2, ["level:"])
    assert followed.get("/complete", query=f"* | select '{'x' * 2000}', pri")["start"] == 2015
    assert followed.get("/complete", query="a" * 5000)["errorCode"] == "ParameterInvalid"


def test_who_may_not_read_gets_nothing(followed: Followed):
    key = followed.server.enrol("follower", followed.project, ["logs"])
    for path in ("/fields?from=1&to=2", "/export?from=1&to=2", "/tail/stream", "/complete?query=a", "/exports"):
        target = f"/api/v1{followed.base}{path}"
        assert followed.server.request("GET", target, key=key).status == 401, path
