"""What an agent says of itself and what its server holds are the same: age, files, imports, windows."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.control.socket import ask
from tests.conftest import RunningServer, running_server
from tests.e2e.first_run import TAILRACE
from tests.integration.agent.running import Agent, wait_for

INDEX = {"keys": {"number": {"type": "long"}}, "line": {"token": [" "]}}
PARSE = {"Type": "processor_parse_regex_native", "Regex": r"(\S+) (\d+)", "Keys": ["when", "number"]}
FORMAT = "%Y-%m-%dT%H:%M:%S"
STAMP = {"Type": "processor_parse_timestamp_native", "SourceKey": "when", "SourceFormat": FORMAT, "SourceTimezone": "GMT+00:00"}
FRESH, OLD, HISTORY = 20, 7, 50


@dataclass
class Place:
    """An agent at work, its server, and a file of history that nobody follows."""

    agent: Agent
    server: RunningServer
    history: Path

    def write(self, text: str) -> None:
        with (self.agent.logs / "app.log").open("a") as log:
            log.write(text)

    def found(self) -> list[int]:
        body = json.dumps({"from": 1, "to": 2**31, "query": "*", "line": 100, "offset": 0}).encode()
        headers = {"content-type": "application/json"}
        answer = self.server.request("POST", "/logstores/app/logs", project="test", body=body, headers=headers)
        return sorted(int(row["number"]) for row in answer.json()["data"])

    def run(self, *words: str) -> str:
        command = [*TAILRACE, "agent", *words, "--home", str(self.agent.home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, what: str) -> list[dict[str, Any]]:
        """What `agent status WHAT` shows, asked without its process."""
        return ask(self.agent.home / "run", {"ask": what})


def lines(first: int, count: int, at: float) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime(FORMAT)
    return "".join(f"{stamp} {number}\n" for number in range(first, first + count))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("truth")
    agent = Agent(directory)
    agent.settings(max_log_age_secs=3600)
    (directory / "history").mkdir()
    history = directory / "history" / "app.log"
    history.write_text(lines(1000, HISTORY, time.time() - 30 * 86_400))
    with running_server(agent.home) as server:
        server.make_logstore("test", "app", INDEX)
        agent.endpoint = server.endpoint
        agent.pipeline(processors=[PARSE, STAMP], TailingAllMatchedFiles=False)
        agent.start("--enrol-local", agent.endpoint)
        wait_for(lambda: "agent is at work" in agent.log())
        place = Place(agent, server, history)
        try:
            place.write(lines(0, FRESH - 1, time.time()))
            time.sleep(0.5)
            place.write(lines(FRESH - 1, 1, time.time()))  # a file that stood there before the first scan is read once it changes
            wait_for(lambda: len(place.found()) == FRESH)
            place.write(lines(500, OLD, time.time() - 8 * 3600))
            yield place
        finally:
            agent.stop()


def test_what_is_too_old_for_the_homes_limit_is_nowhere_but_in_the_counters(place: Place):
    wait_for(lambda: place.rows("pipelines")[0]["in_events"] == FRESH + OLD)
    wait_for(lambda: place.rows("pipelines")[0]["out_events"] == FRESH)
    (pipeline,) = place.rows("pipelines")
    assert (pipeline["outdated"], pipeline["failed"]) == (OLD, 0)
    assert place.found() == list(range(FRESH))
    (alarm,) = [row for row in place.rows("alarms") if row["alarm"] == "OUTDATED_LOG_ALARM"]
    assert {name: alarm["sample"][name] for name in ("events", "limit_secs", "setting")} == {
        "events": str(OLD),
        "limit_secs": "3600",
        "setting": "global.MaxLogAgeSecs",
    }


def test_the_file_is_read_and_acknowledged_to_its_end(place: Place):
    log = place.agent.logs / "app.log"
    size = log.stat().st_size
    wait_for(lambda: [row["committed"] for row in place.rows("files")] == [size])
    (row,) = place.rows("files")
    assert (row["path"], row["size"], row["read"], row["lag"], row["last_error"]) == (str(log), size, size, 0, "")


def test_history_is_imported_on_purpose_whatever_its_age(place: Place):
    wait_for(lambda: len(place.found()) == FRESH)
    place.run("import", str(place.history), "--pipeline", "app")
    wait_for(lambda: len(place.found()) == FRESH + HISTORY)
    assert place.found()[FRESH:] == list(range(1000, 1000 + HISTORY))
    (run,) = place.rows("imports")
    assert (run["state"], run["done"], run["bytes_done"], run["missed"]) == ("done", 1, place.history.stat().st_size, 0)


def test_the_windows_and_the_table_tell_of_what_the_server_has(place: Place):
    size = (place.agent.logs / "app.log").stat().st_size
    windows = place.agent.home / "agent" / "windows"

    def read() -> int:
        """Over all windows of ten minutes: one may end while the test runs."""
        documents = [json.loads(path.read_text()) for path in windows.glob("600-*.json")]
        return sum(one["logstores"].get("test/app", {}).get("read_bytes", 0) for one in documents)

    wait_for(lambda: read() >= size, timeout=30)
    profile = json.loads(place.run("status", "logstore", "--format", "json", "1", "test", "app")) or {"parse_fail_lines": 0}
    assert profile["parse_fail_lines"] == 0
    (row,) = [json.loads(line) for line in place.run("status", "files", "--output", "json").splitlines()]
    assert (row["path"], row["read"]) == (str(place.agent.logs / "app.log"), size)
