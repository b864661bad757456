"""A real server refuses an agent for a while, by its quota or for its clock: nothing is lost, nothing comes twice, the order is kept."""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.integration.agent.running import Agent, wait_for

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
AHEAD_SECS = 1200
INDEX = {"line": {"token": [" "]}, "keys": {"n": {"type": "long", "doc_value": True}}}
N = {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": r"line (\d+)", "Keys": ["n"]}


class Enrolled(Agent):
    """At a real server, in a project of its own."""

    def enrol_at(self, server: RunningServer) -> None:
        self.server, self.project = server, server.fresh_name("refused")
        self.endpoint = server.endpoint
        server.make_logstore(self.project, "app", INDEX)
        agent_id = secrets.token_hex(16)
        key_id, secret = server.enrol(agent_id, self.project, ["app"])
        enrolment = {"endpoint": server.endpoint, "project": self.project, "logstores": ["app"], "key_id": key_id, "key_secret": secret}
        document = {"format": 2, "agent_id": agent_id, "enrolments": [{**enrolment, "features": ["batch_group"], "server": "b" * 32}]}
        (self.home / "secret" / "agent.json").write_text(json.dumps(document))
        self.pipeline(flushers=[self.to_sink(Project=self.project)], processors=[N])

    def write(self, first: int, stop: int) -> None:
        with (self.logs / "app.log").open("a") as log:
            log.writelines(f"line {number}\n" for number in range(first, stop))

    def quota(self, bytes_per_sec: int) -> None:
        quota = {"write_bytes_per_sec": bytes_per_sec}
        assert self.server.call("PUT", f"/projects/{self.project}/logstores/app/quota", quota).status == 200

    def ask(self, query: str, offset: int = 0) -> list[dict[str, str]]:
        body = json.dumps({"from": 1, "to": 2**31, "query": query, "line": 100, "offset": offset, "reverse": False}).encode()
        headers = {"content-type": "application/json"}
        answer = self.server.request("POST", "/logstores/app/logs", project=self.project, body=body, headers=headers)
        return answer.json()["data"] if answer.status == 200 else []

    def found(self, select: str) -> list[dict[str, str]]:
        return self.ask(f"* | select {select} from log")

    def in_order(self, count: int) -> list[int]:
        """Numbers as a search shows them: by time, then in the order of their stream."""
        return [int(row["n"]) for offset in range(0, count, 100) for row in self.ask("*", offset)]


@pytest.fixture
def enrolled(tmp_path: Path, server: RunningServer) -> Iterator[Enrolled]:
    agent = Enrolled(tmp_path)
    agent.enrol_at(server)
    yield agent
    if agent.process and agent.process.poll() is None:
        agent.kill()


def test_through_a_quota_that_is_used_up(enrolled: Enrolled) -> None:
    enrolled.quota(400)
    enrolled.start()
    enrolled.write(0, 50)
    wait_for(lambda: enrolled.found("count(1) as c") == [{"c": "50"}])
    for step in range(1, 20):
        enrolled.write(step * 50, step * 50 + 50)
        time.sleep(0.05)
    wait_for(lambda: "SEND_QUOTA_EXCEED_ALARM" in enrolled.log(), "the server refuses what is over the quota")
    enrolled.quota(0)
    wait_for(lambda: enrolled.found("count(1) as c") == [{"c": "1000"}], "it asks again when the server told it to", 60)
    enrolled.stop()
    assert enrolled.found("count(distinct n) as d, min(n) as low, max(n) as high") == [{"d": "1000", "low": "0", "high": "999"}]
    assert enrolled.in_order(1000) == list(range(1000))


BUDGET, LARGEST = 268_435_456, 31_457_280
"""`ingest_memory_bytes` and `max_raw_bytes` by default."""


@contextmanager
def overloaded(server: RunningServer, project: str) -> Iterator[None]:
    """Within it writers that have said how much they bring, and bring nothing, hold all the memory that writes may have."""
    rest = BUDGET - 4 * 2 * LARGEST
    with ExitStack() as writers:
        for wire, raw in [(LARGEST, LARGEST)] * 4 + [(1, rest - 1)]:
            about = {"content-type": "application/x-protobuf", "x-log-bodyrawsize": str(raw), "x-log-compresstype": "lz4"}
            signed = server.sign("POST", "/logstores/app/shards/lb", project=project, headers=about)
            head = "".join(f"{name}: {value}\r\n" for name, value in {**signed, "content-length": str(wire)}.items())
            writer = writers.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            writer.sendall(f"POST /logstores/app/shards/lb HTTP/1.1\r\n{head}\r\n".encode())
        yield


def test_through_a_server_that_sheds_load(enrolled: Enrolled) -> None:
    enrolled.write(0, 50)
    enrolled.start()
    wait_for(lambda: enrolled.found("count(1) as c") == [{"c": "50"}])
    with overloaded(enrolled.server, enrolled.project):
        for step in range(1, 20):
            enrolled.write(step * 50, step * 50 + 50)
            time.sleep(0.05)
        wait_for(lambda: "ServerBusy" in enrolled.log(), "the server sheds")
        assert enrolled.found("count(1) as c") == [{"c": "50"}], "queries go on, writes do not"
        assert "SEND_DATA_FAIL_ALARM" in enrolled.log()
    wait_for(lambda: enrolled.found("count(1) as c") == [{"c": "1000"}], "all of it arrives afterwards", 60)
    enrolled.stop()
    assert enrolled.found("count(distinct n) as d, min(n) as low, max(n) as high") == [{"d": "1000", "low": "0", "high": "999"}]
    assert enrolled.in_order(1000) == list(range(1000))


@pytest.mark.peer
def test_with_a_clock_that_is_twenty_minutes_off(enrolled: Enrolled) -> None:
    fake = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"+{AHEAD_SECS}s"}
    assert os.path.exists(FAKETIME), "`make setup-peers` installs it"
    enrolled.environment = fake
    enrolled.write(0, 200)
    began = time.time()
    enrolled.run_to_the_end(60)
    wait_for(lambda: enrolled.found("count(1) as c") == [{"c": "200"}])
    (row,) = enrolled.found("count(distinct n) as d, min(__time__) as low, max(__time__) as high")
    assert row["d"] == "200"
    ahead = [float(row[name]) - began for name in ("low", "high")]
    assert all(AHEAD_SECS - 2 <= one <= AHEAD_SECS + 60 for one in ahead), "times of events are the agent's own"
    assert "RequestTime" in enrolled.log(), "the first request was refused for its time"
