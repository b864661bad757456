"""Log groups of one range that go to several shards of a real server, with the agent killed meanwhile."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import RunningServer, running_server
from tests.integration.agent.running import Agent, wait_for

INDEX = {"line": {"token": [" "]}, "keys": {"user": {"type": "text", "token": [" "], "doc_value": True}}}
BY_USER = {
    "processors": [{"Type": "processor_parse_json_native"}],
    "aggregators": [{"Type": "aggregator_shardhash", "SourceKeys": ["user"]}],
}
BY_FILE = {"flushers": {"ShardHashKeys": ["__path__"]}}
ROUNDS, PER_ROUND = 3, 30
"""A search gives 100 events at most."""


def stored(server: RunningServer) -> list[dict[str, str]]:
    body = json.dumps({"from": 1, "to": 2**31, "query": "*", "line": 100, "offset": 0}).encode()
    answer = server.request("POST", "/logstores/app/logs", project="test", body=body, headers={"content-type": "application/json"})
    return answer.json()["data"]


@pytest.mark.parametrize("how", [pytest.param(BY_USER, id="by fields"), pytest.param(BY_FILE, id="by tags", marks=pytest.mark.long)])
def test_events_that_are_spread_over_shards_are_there_once(tmp_path: Path, how):
    with running_server(tmp_path / "home") as server, Agent(tmp_path) as agent:
        server.make_logstore("test", "app", INDEX)
        agent.endpoint = server.endpoint
        options = {name: value for name, value in how.items() if name != "flushers"}
        agent.pipeline(flushers=[agent.to_sink(**how.get("flushers", {}))], **options)
        for turn in range(ROUNDS):
            with (agent.logs / f"{turn % 2}.log").open("a") as log:
                for number in range(turn * PER_ROUND, (turn + 1) * PER_ROUND):
                    log.write(json.dumps({"n": str(number), "user": f"u{number}"}) + "\n")
            agent.start("--enrol-local", agent.endpoint)
            wait_for(lambda turn=turn: len(stored(server)) > turn * PER_ROUND)
            time.sleep(0.05 * turn)
            agent.kill()
        assert agent.start("--exit-when-drained", "--enrol-local", agent.endpoint).wait(60) == 0, agent.log()
        wait_for(lambda: len(stored(server)) >= ROUNDS * PER_ROUND)
        time.sleep(0.5)
        numbers = Counter(row.get("n") or json.loads(row["content"])["n"] for row in stored(server))
        assert numbers == Counter(map(str, range(ROUNDS * PER_ROUND)))
