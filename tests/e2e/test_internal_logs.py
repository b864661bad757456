"""What an agent says about itself can be searched in its project: alarms with their end, its status, a profile of files and logstores."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tailrace.agent.status.windows import TEN_MINUTES, Window, stores
from tailrace.wire.internal_logs import FIELDS, LOGSTORE, STATISTICS
from tests.conftest import RunningServer, running_server
from tests.e2e.first_run import TAILRACE
from tests.integration.agent.running import Agent, wait_for

Rows = list[dict[str, str]]
PARSE = {"Type": "processor_parse_regex_native", "Regex": r"(\S+) (\d+)", "Keys": ["what", "number"]}
FILE = {
    "project": "test", "logstore": "app", "config": "app", "read_bytes": 1200, "parse_success_lines": 90, "parse_fail_lines": 10,
    "read_count": 4, "last_read_time": 1_700_000_000, "delay_sum": 300, "delay_samples": 3, "file_path": "/var/log/app.log", "file_dev": 1,
    "file_inode": 2, "file_size_bytes": 5000, "read_offset_bytes": 4900, "send_failures": 3,
}  # fmt: skip
SENT = {"send_success_count": 7, "send_network_quota_count": 2, "send_queue_size": 0, "send_block_flag": False, "sender_valid_flag": True}

DETAIL = """
config_count config_get_last_time config_update_count config_update_item_count config_update_last_time event_tps last_read_event_time
last_send_time net_err_stat open_fd poll_modify_size polling_dir_cache polling_file_cache process_byte_ps process_lines_ps
process_queue_full process_queue_total process_tps reader_count register_handler send_byte_ps send_line_ps send_net_bytes_ps
send_queue_full send_queue_total send_tps sender_invalid
"""
"""The manual's, but `region`."""


class Silent(BaseHTTPRequestHandler):
    """A logstore that takes everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Nothing."""


class Place:
    """An agent and the server that enrolled it; a second pipeline sends to where nobody is yet."""

    def __init__(self, server: RunningServer, agent: Agent, other: HTTPServer) -> None:
        self.server, self.agent, self.other = server, agent, other
        self.connection = ["--endpoint", server.endpoint, "--key-id", server.key_id, "--project", "test", "--logstore", LOGSTORE]

    def query(self, statement: str) -> Rows:
        """Rows of `tailrace query`, the latest first."""
        words = ["query", statement, *self.connection, "--home", str(self.agent.directory / "nowhere"), "--output", "json"]
        done = subprocess.run(
            [*TAILRACE, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"TAILRACE_KEY_SECRET": self.server.key_secret},
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def search(self, query: str) -> Rows:
        """The same for the search part, without a process; nothing while there is no logstore."""
        body = json.dumps({"from": 1, "to": 2**31, "query": query, "line": 100, "offset": 0, "reverse": True}).encode()
        headers = {"content-type": "application/json"}
        answer = self.server.request("POST", f"/logstores/{LOGSTORE}/logs", project="test", body=body, headers=headers)
        return answer.json()["data"] if answer.status == 200 else []

    def agent_id(self) -> str:
        return str(json.loads((self.agent.home / "secret" / "agent.json").read_text())["agent_id"])

    def wait_for(self, statement: str, count: int = 1) -> Rows:
        found: Rows = []

        def is_there() -> bool:
            found[:] = self.search(statement)
            return len(found) >= count

        wait_for(is_there, f"{statement}: {self.agent.log()}", 60)
        return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    agent = Agent(tmp_path_factory.mktemp("internal"), environment={"SLS_SINK_SECRET": "secret"})
    agent.settings(logtail_alarm_interval=1, logtail_status_interval=1)
    begin = (int(time.time()) - 15) // TEN_MINUTES * TEN_MINUTES - TEN_MINUTES
    rows = {"test/app": {**FILE, **SENT}}, {"test/app/1:2": FILE}
    stores(agent.home)[1].write(Window(begin, begin + TEN_MINUTES, "ok", *rows))
    (agent.home / "agent" / "diagnostics").mkdir()
    state = {"format": 1, "epoch": "ab" * 16, "profiled": begin - TEN_MINUTES, "sent": {}}
    (agent.home / "agent" / "diagnostics" / "sent.json").write_text(json.dumps(state))
    with running_server(agent.home) as server, HTTPServer(("127.0.0.1", 0), Silent, bind_and_activate=False) as other:
        other.server_bind()  # it refuses connections until it listens
        server.make_logstore("test", "app")
        agent.endpoint = server.endpoint
        agent.pipeline(processors=[PARSE])
        away = agent.with_key(Endpoint=f"http://127.0.0.1:{other.server_port}", Logstore="away")
        (agent.directory / "away").mkdir()
        agent.pipeline("away", flushers=[away], FilePaths=[f"{agent.directory}/away/*.log"])
        (agent.directory / "away" / "app.log").write_text("waits\n")
        (agent.logs / "app.log").write_text("fine 1\nodd\nodd\n")
        agent.start("--enrol-local", agent.endpoint)
        try:
            yield Place(server, agent, other)
        finally:
            agent.kill()


def test_the_status_tells_who_the_agent_is_and_how_it_does(place: Place):
    row = place.wait_for("__topic__: logtail_status", 2)[0]
    assert set(FIELDS["logtail_status"]) <= row.keys()
    assert (row["project"], row["version"], row["os"], row["agent_id"]) == ("test", "0.1.0", "Linux", place.agent_id())
    assert 10 < int(row["memory"]) < 400
    detail = json.loads(row["detail_metric"])
    assert set(DETAIL.split()) == detail.keys()
    assert detail["config_count"] == 2
    assert place.query("* | select count(distinct ip) as agents from log where __topic__ = 'logtail_status'") == [{"agents": "1"}]


def test_alarms_have_a_count_a_severity_and_an_end_that_is_told(place: Place):
    [row] = place.wait_for("alarm_type: REGEX_MATCH_ALARM")
    assert set(FIELDS["logtail_alarm"]) <= row.keys()
    assert (row["logstore"], row["config_name"], row["severity"], row["state"]) == ("app", "app", "error", "active")
    assert json.loads(row["sample"])["sample"] == "odd"
    [first, *_] = place.wait_for("alarm_type: SEND_DATA_FAIL_ALARM and logstore: away and state: active")
    threading.Thread(target=lambda: (place.other.server_activate(), place.other.serve_forever()), daemon=True).start()
    [end] = place.wait_for("alarm_type: SEND_DATA_FAIL_ALARM and state: resolved")
    place.other.shutdown()
    assert (end["alarm_id"], end["first_time"]) == (first["alarm_id"], first["first_time"])
    assert int(end["resolved_time"]) >= int(end["last_time"]) >= int(end["first_time"]) > 0


def test_the_profile_of_ten_minutes_that_ended_before_the_start_is_told_once(place: Place):
    rows = {row["file_name"]: row for row in place.wait_for("__topic__: logtail_profile", 2)}
    file, whole = rows.pop("/var/log/app.log"), rows.pop(STATISTICS)
    assert rows == {}
    assert {**file, "total_bytes": "1200", "succeed_lines": "90", "parse_failures": "10", "read_avg_delay": "100"} == file
    assert (file["read_offset"], file["file_size"], file["file_inode"], file["send_failures"]) == ("4900", "5000", "2", "3")
    assert (whole["send_success_count"], whole["send_quota_error"], whole["sender_valid_flag"]) == ("7", "2", "true")
    assert set(FIELDS["logtail_profile"]) - {*file, *whole} == set()


def test_what_is_said_is_in_the_home_too(place: Place):
    place.wait_for("__topic__: logtail_status")
    snapshot = [json.loads(line) for line in (place.agent.home / "snapshot" / "logtail_status_snapshot").read_text().splitlines()]
    assert [row["agent_id"] for row in snapshot] == [place.agent_id()]
    assert {"logtail_alarm_snapshot", "logtail_profile_snapshot"} <= {path.name for path in (place.agent.home / "snapshot").iterdir()}


def test_a_killed_agent_says_nothing_twice_and_says_nothing_of_what_it_says(place: Place):
    place.wait_for("__topic__: logtail_status")
    known = {row["alarm_id"] for row in place.wait_for("alarm_type: REGEX_MATCH_ALARM")}
    before = place.search("__topic__: logtail_status")[0]["__time__"]
    place.agent.kill()
    with (place.agent.logs / "app.log").open("a") as file:
        file.write("odd\n")
    place.agent.start("--enrol-local", place.agent.endpoint)
    rows = place.wait_for("alarm_type: REGEX_MATCH_ALARM", 2)
    assert {row["alarm_id"] for row in rows} == known
    wait_for(lambda: place.search("__topic__: logtail_status")[0]["__time__"] > before, "a status after the restart", 60)
    told = [tuple(row.get(name) for name in ("__tag__:__pack_id__", "file_name", "alarm_id")) for row in place.search("*")]
    assert len(set(told)) == len(told) > 5
    assert place.search(f'logstore: "{LOGSTORE}"') == []
    assert LOGSTORE not in place.agent.log().replace("agent.diagnostics", "")


def test_the_logstore_is_made_with_a_time_to_live_of_its_own(place: Place):
    place.wait_for("__topic__: logtail_status")
    answer = place.server.request("GET", f"/logstores/{LOGSTORE}", project="test")
    assert (answer.json()["ttl"], answer.json()["productType"]) == (7, "internal")
