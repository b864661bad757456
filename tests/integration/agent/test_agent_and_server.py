"""The worker towards a real server: what only both together can show."""

import json
import os
from pathlib import Path

from tests.conftest import RunningServer, running_server
from tests.integration.agent.running import Agent, wait_for

INDEX = {"line": {"token": [" "]}}


def found(server: RunningServer, search: str) -> list[str]:
    """Contents of the last month's events of logstore `app` that match."""
    body = json.dumps({"from": 1, "to": 2**31, "query": search, "line": 100, "offset": 0}).encode()
    headers = {"content-type": "application/json"}
    answer = server.request("POST", "/logstores/app/logs", project="test", body=body, headers=headers)
    return [row["content"] for row in answer.json()["data"]]


def key_of(agent: Agent) -> tuple[str, str]:
    """The agent's id, and the id of its one key."""
    document = json.loads((agent.home / "secret" / "agent.json").read_text())
    (enrolment,) = document["enrolments"]
    return document["agent_id"], enrolment["key_id"]


def run_to_the_end(agent: Agent) -> None:
    assert agent.start("--exit-when-drained", "--enrol-local", agent.endpoint).wait(60) == 0, agent.log()


def streams_at(server: RunningServer) -> int:
    return json.loads(server.request("GET", "/api/v1/status").body)["store"]["streams"]


def test_a_stream_that_ended_is_forgotten_by_the_server(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "server.yaml").write_text("ended_stream_secs: 3\n")
    with running_server(home) as server, Agent(tmp_path) as agent:
        agent.settings(internal_logs=False)  # these have a stream, too
        server.make_logstore("test", "app", INDEX)
        agent.endpoint = server.endpoint
        agent.pipeline()
        for number in range(5):
            (agent.logs / f"{number}.log").write_text(f"line of file {number}\n")
        agent.start("--enrol-local", agent.endpoint)
        wait_for(lambda: len(found(server, "line")) == 5)
        wait_for(lambda: streams_at(server) == 5, "those of the audit log have ended")
        for number in range(4):
            os.truncate(agent.logs / f"{number}.log", 0)
        wait_for(lambda: streams_at(server) == 1, "the four streams that ended are forgotten")
        with (agent.logs / "4.log").open("a") as log:
            log.write("one more line\n")
        wait_for(lambda: len(found(server, "line")) == 6)
        agent.stop()
        assert streams_at(server) == 1


def test_a_server_that_lost_its_metadata_gives_the_agent_a_new_key(tmp_path: Path):
    agent = Agent(tmp_path)
    with running_server(agent.home) as server:
        server.make_logstore("test", "app", INDEX)
        agent.endpoint, port = server.endpoint, server.port
        agent.pipeline()
        (agent.logs / "a.log").write_text("first\n")
        run_to_the_end(agent)
        wait_for(lambda: found(server, "first") == ["first"])
    agent_id, key = key_of(agent)
    for path in (agent.home / "server").glob("meta.db*"):
        path.unlink()
    with running_server(agent.home, port=port) as again:
        again.make_logstore("test", "app", INDEX)
        with (agent.logs / "a.log").open("a") as log:
            log.write("second\n")
        run_to_the_end(agent)
        wait_for(lambda: found(again, "second") == ["second"])
    assert key_of(agent)[0] == agent_id
    assert key_of(agent)[1] != key
