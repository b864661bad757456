"""What the queries of a project may use, as clients and operators meet it."""

import http.client
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from urllib.parse import quote

import pytest

from tailrace.testing.server import Answer
from tests.conftest import RunningServer
from tests.integration.server.loggroups import headers, log_group

EVENTS = 3000


@pytest.fixture(scope="module")
def project(server: RunningServer) -> str:
    """With a logstore `app` whose field `text` has no index."""
    name = server.fresh_name("asking")
    server.make_logstore(name, "app", {"keys": {"other": {"type": "text", "token": [" "], "doc_value": True}}})
    body = log_group("needle in hay", events=EVENTS)
    assert server.request("POST", "/logstores/app/shards/lb", project=name, body=body, headers=headers(len(body), "")).status == 200
    deadline = time.monotonic() + 60
    while ask(server, name, "* | select count(*) as n").json()["data"] != [{"n": str(EVENTS)}]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return name


def ask(server: RunningServer, project: str, query: str) -> Answer:
    question = json.dumps({"from": 0, "to": int(time.time()) + 60, "query": query, "line": 1}).encode()
    return server.request("POST", "/logstores/app/logs", project=project, body=question)


def ask_old(server: RunningServer, project: str, query: str, kind: str = "log") -> Answer:
    now = int(time.time())
    target = f"/logstores/app?type={kind}&from={now - 3600}&to={now + 60}&query={query}"
    return server.request("GET", target, project=project)


def test_an_answer_says_what_was_read_without_an_index(server: RunningServer, project: str) -> None:
    meta = ask(server, project, "text: needle").json()["meta"]
    assert (meta["mode"], meta["unindexed"], meta["count"], meta["scanBytes"] > 0) == (2, ["text"], 1, True)
    assert ask(server, project, "text: needle | select count(*) as n").json()["meta"]["mode"] == 3
    indexed = ask(server, project, "other: x").json()["meta"]
    assert (indexed["mode"], indexed["unindexed"]) == (0, [])
    info = json.loads(ask_old(server, project, "text:needle").headers["x-log-query-info"])
    assert (info["mode"], info["unindexed"]) == (2, ["text"])


def test_an_answer_that_is_not_whole_says_so_in_every_form(server: RunningServer, project: str) -> None:
    assert server.call("PUT", f"/projects/{project}/quota", {"query_rows": 10}).status == 200
    try:
        meta = ask(server, project, "text: none").json()["meta"]
        assert (meta["progress"], meta["isAccurate"]) == ("Incomplete", False)
        old = ask_old(server, project, "text:none")
        assert (old.headers["x-log-progress"], json.loads(old.headers["x-log-query-info"])["isAccurate"]) == ("Incomplete", 0)
        counts = ask_old(server, project, "text:none", kind="histogram")
        assert counts.headers["x-log-progress"] == "Incomplete"
        assert {interval["progress"] for interval in counts.json()} == {"Incomplete"}
        now = int(time.time())
        export = server.call(
            "GET", f"/projects/{project}/logstores/app/export?from=0&to={now + 60}&query={quote('* | select max(length(other)) as n')}"
        )
        assert (export.status, "used up its time or its rows" in export.json()["errorMessage"]) == (400, True)
        shown = server_query(server, project, "text: none")
        assert shown.returncode == 4
        assert "the answer is incomplete" in shown.stderr
        assert "without an index: `text`" in shown.stderr
    finally:
        server.call("PUT", f"/projects/{project}/quota", {})
    assert ask(server, project, "text: none").json()["meta"]["progress"] == "Complete"


def test_quotas_are_shown_with_their_use_and_set_one_by_one(server: RunningServer, project: str) -> None:
    set_one = command(server, project, "quota", "set", "query_secs=20", "max_logstores=7", "--output", "json")
    rows = {row["quota"]: row for row in map(json.loads, set_one.stdout.splitlines())}
    assert (rows["query_secs"]["limit"], rows["query_secs"]["set_for"], rows["query_secs"]["used"]) == (20, "project", None)
    assert (rows["max_logstores"]["limit"], rows["max_logstores"]["used"]) == (7, 1)
    assert rows["query_memory_bytes"]["set_for"] == "server"
    assert rows["queries_at_once: SQL"]["used"] == 0
    command(server, project, "quota", "set", "query_secs=default")
    assert server.call("GET", f"/projects/{project}/quota").json()["max_logstores"] == 7
    assert server.call("GET", f"/projects/{project}/quota").json()["query_secs"] is None
    of_logstore = server.call("GET", f"/projects/{project}/logstores/app/quota/use").json()
    assert {row["quota"]: row["used"] for row in of_logstore}["max_bytes"] > 0
    wrong = command(server, project, "quota", "set", "query_secs")
    assert (wrong.returncode, "`query_secs` is no quota" in wrong.stderr) == (2, True)
    nearest = command(server, project, "quota", "set", "query_sec=3")
    assert (nearest.returncode, "a project has no quota `query_sec`" in nearest.stderr, "query_secs" in nearest.stderr) == (2, True, True)


def test_the_queries_of_one_who_hangs_up_give_their_turn_back(server: RunningServer, project: str) -> None:
    forever = "* | select count(*) as n from log a, log b, log c where length(a.other) + length(b.other) + length(c.other) = 1"
    body = json.dumps({"from": 0, "to": 4_000_000_000, "query": forever}).encode()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        signed = server.sign("POST", "/logstores/app/logs", project=project, body=body)
        connection.request("POST", "/logstores/app/logs", body, signed)
        assert running(server, project, wanted=1) == 1
    assert running(server, project, wanted=0) == 0


def running(server: RunningServer, project: str, *, wanted: int) -> int:
    """How many SQL queries run, once they are as many as are wanted, or a minute later."""
    deadline = time.monotonic() + 60
    while True:
        rows = server.call("GET", f"/projects/{project}/quota/use").json()
        count = {row["quota"]: row["used"] for row in rows}["queries_at_once: SQL"]
        if count == wanted or time.monotonic() > deadline:
            return count
        time.sleep(0.05)


def server_query(server: RunningServer, project: str, query: str) -> subprocess.CompletedProcess[str]:
    return command(server, project, "query", query, "--logstore", "app")


def command(server: RunningServer, project: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "TAILRACE_ENDPOINT": server.endpoint,
        "TAILRACE_KEY_ID": server.key_id,
        "TAILRACE_KEY_SECRET": server.key_secret,
    }
    line = [sys.executable, "-m", "tailrace.cli.main", *words, "--project", project]
    return subprocess.run(line, check=False, env=environment, capture_output=True, text=True, timeout=60)
