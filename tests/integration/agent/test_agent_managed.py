"""An agent whose pipelines come from the server: nobody logs in to its machine to change what it collects."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aliyun.log import MachineGroupDetail
from aliyun.log.logtail_config_detail import SimpleFileConfigDetail
from aliyun.log.logtail_pipeline_config_detail import LogtailPipelineConfigDetail

from tailrace.agent.control.socket import ask
from tests.conftest import RunningServer
from tests.integration.agent.running import contents, wait_for
from tests.integration.agent.test_agent_joins import INDEX, Remote

GROUP, CONFIG = "web", "app-logs"


class Managed(Remote):
    """One without pipelines of its own, in a group by user-defined id."""

    def __init__(self, directory: Path, server: RunningServer, project: str) -> None:
        super().__init__(directory, server, project)
        for file in (directory / "pipelines").iterdir():
            file.unlink()
        self.carry("web-servers")
        body = json.dumps({**INDEX, "keys": {"content": {"type": "text", "token": [" "], "doc_value": True}}}).encode()
        server.request("PUT", "/logstores/app/index", project=project, body=body, headers={"content-type": "application/json"})
        server.client().create_machine_group(project, MachineGroupDetail(GROUP, "userdefined", ["web-servers"]))

    def carry(self, *ids: str) -> None:
        (self.home / "user_defined_id").write_text("\n".join(ids))

    def apply(self, **options: Any) -> None:
        client = self.server.client()
        client.create_logtail_config(self.project, self.config(**options))
        client.apply_config_to_machine_group(self.project, CONFIG, GROUP)

    def config(self, pattern: str = "*.log", **options: Any) -> SimpleFileConfigDetail:
        detail = {"tailExisted": True, **options}
        return SimpleFileConfigDetail("app", CONFIG, str(self.logs), pattern, **detail)

    def pipeline_parts(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Inputs and flushers; what they do not say is the server's to know."""
        source = {"Type": "input_file", "FilePaths": [f"{self.logs}/*.log"], "TailingAllMatchedFiles": True}
        return [source], [{"Type": "flusher_sls", "Logstore": "app"}]

    @property
    def given(self) -> list[dict[str, Any]]:
        """What it has of the server's, as it lies on its disk."""
        return [json.loads(data) for data in contents(sorted((self.home / "agent" / "configs").glob("*.json")))]

    def counted(self, what: str = "count(*)") -> int:
        body = json.dumps({"from": 1, "to": 2**31, "query": f"* | select {what} as n", "line": 100, "offset": 0}).encode()
        headers = {"content-type": "application/json"}
        answer = self.server.request("POST", "/logstores/app/logs", project=self.project, body=body, headers=headers)
        return int(answer.json()["data"][0]["n"])

    @property
    def lanes(self) -> dict[str, dict[str, Any]]:
        """Pipeline → what its lane has counted; it begins anew with the lane."""
        return {row["pipeline"]: row for row in ask(self.home / "run", {"ask": "pipelines"})}

    @property
    def members(self) -> list[Any]:
        return self.server.client().list_machines(self.project, GROUP).machines


@pytest.fixture
def managed(tmp_path: Path, server: RunningServer) -> Iterator[Managed]:
    agent = Managed(tmp_path, server, server.fresh_name("managed"))
    agent.joined()
    yield agent
    agent.stop()


def test_a_config_that_is_applied_to_its_group_runs_within_seconds(managed: Managed) -> None:
    managed.start()
    wait_for(lambda: len(managed.members) == 1, "the heartbeat")
    (machine,) = managed.members
    assert (machine.user_defined_id, abs(machine.heartbeat_time - time.time()) < 60) == ("web-servers", True)
    managed.apply()
    wait_for(lambda: managed.given and managed.given[0]["runs"], "the config")
    managed.write("one")
    wait_for(lambda: managed.found("*") == ["one"], "its line")


def test_a_changed_config_goes_on_where_the_one_before_stood(managed: Managed) -> None:
    managed.apply()
    managed.write("one", "two")
    managed.start()
    wait_for(lambda: managed.found("*") == ["one", "two"], "the first version")
    client = managed.server.client()
    client.update_logtail_config(managed.project, managed.config(maxDepth=5))
    before = managed.given[0]["runs"]["number"]
    managed.write("three")
    wait_for(lambda: managed.given[0]["runs"]["number"] != before, "the second version")
    managed.write("four")
    wait_for(lambda: len(managed.found("*")) >= 4, "all lines")
    assert managed.found("*") == ["four", "one", "three", "two"]


def test_a_version_that_cannot_run_leaves_the_one_before_at_work(managed: Managed) -> None:
    client, (inputs, flushers) = managed.server.client(), managed.pipeline_parts()
    client.create_logtail_pipeline_config(managed.project, LogtailPipelineConfigDetail(CONFIG, inputs, flushers))
    client.apply_config_to_machine_group(managed.project, CONFIG, GROUP)
    managed.start()
    wait_for(lambda: managed.given and managed.given[0]["runs"], "the first version")
    managed.write("read before")
    wait_for(lambda: managed.found("*") == ["read before"], "its line")
    secret = [{"Type": "processor_dict_map", "SourceKey": "content", "DictFilePath": "/etc/shadow"}]
    client.update_logtail_pipeline_config(managed.project, LogtailPipelineConfigDetail(CONFIG, inputs, flushers, None, None, secret))
    wait_for(lambda: managed.given[0]["failed"], "the refusal")
    assert "/etc/shadow" in managed.given[0]["message"]
    managed.write("still here")
    wait_for(lambda: managed.found("*") == ["read before", "still here"], "the version before")
    assert managed.lanes[f"{managed.project}@{CONFIG}"]["in_events"] == 2, "it was never stopped"


def test_a_change_touches_only_the_pipeline_that_it_is_about(managed: Managed) -> None:
    client, (inputs, flushers) = managed.server.client(), managed.pipeline_parts()
    inputs_of = {name: [{**inputs[0], "FilePaths": [f"{managed.logs}/{name}.log"]}] for name in ("a", "b")}
    for name, source in inputs_of.items():
        client.create_logtail_pipeline_config(managed.project, LogtailPipelineConfigDetail(f"config-{name}", source, flushers))
        client.apply_config_to_machine_group(managed.project, f"config-{name}", GROUP)
    managed.start()
    managed.write("one")
    (managed.logs / "b.log").write_text("eins\n")
    wait_for(lambda: managed.found("*") == ["eins", "one"], "both")
    sessions = managed.log().count("agent is at work")
    changed = [{**inputs_of["b"][0], "MaxDirSearchDepth": 3}]
    client.update_logtail_pipeline_config(managed.project, LogtailPipelineConfigDetail("config-b", changed, flushers))
    wait_for(lambda: managed.lanes.get(f"{managed.project}@config-b", {}).get("in_events") == 0, "the change")
    managed.write("two")
    with (managed.logs / "b.log").open("a") as log:
        log.write("zwei\n")
    wait_for(lambda: len(managed.found("*")) >= 4, "the rest")
    assert managed.found("*") == ["eins", "one", "two", "zwei"]
    assert managed.lanes[f"{managed.project}@config-a"]["in_events"] == 2
    assert managed.lanes[f"{managed.project}@config-b"]["in_events"] == 1
    assert managed.log().count("agent is at work") == sessions


def test_a_pipeline_that_gets_another_target_delivers_to_the_old_one_what_it_has_read(managed: Managed) -> None:
    client, (inputs, flushers) = managed.server.client(), managed.pipeline_parts()
    managed.server.make_logstore(managed.project, "elsewhere", INDEX)
    client.create_logtail_pipeline_config(managed.project, LogtailPipelineConfigDetail(CONFIG, inputs, flushers))
    client.apply_config_to_machine_group(managed.project, CONFIG, GROUP)
    managed.start()
    managed.write("one")
    wait_for(lambda: managed.found("*") == ["one"], "the first target")
    sessions = managed.log().count("agent is at work")
    for number, change in enumerate(({"CompressType": "zstd"}, {"Logstore": "elsewhere"})):
        before = managed.given[0]["runs"]["number"]
        other = LogtailPipelineConfigDetail(CONFIG, inputs, [{**flushers[0], **change}])
        client.update_logtail_pipeline_config(managed.project, other)
        wait_for(lambda before=before: managed.given[0]["runs"] and managed.given[0]["runs"]["number"] != before, "the change")
        managed.write(f"line {number}")
        if not number:
            wait_for(lambda: len(managed.found("*")) >= 2, "the line behind the change")
    wait_for(lambda: len(ask(managed.home / "run", {"ask": "targets"})) == 1, "the end of the old target")
    assert ask(managed.home / "run", {"ask": "targets"})[0]["target"].endswith("elsewhere")
    assert managed.found("*") == ["line 0", "one"]
    assert managed.log().count("agent is at work") == sessions


def test_it_works_on_while_the_server_is_away_and_stops_when_a_config_is_taken_from_it(managed: Managed) -> None:
    managed.apply()
    managed.start()
    wait_for(lambda: managed.given and managed.given[0]["runs"], "the config")
    managed.kill()
    managed.write("one")
    managed.start()
    wait_for(lambda: managed.found("*") == ["one"], "its own copy of the config")
    managed.server.client().remove_config_to_machine_group(managed.project, CONFIG, GROUP)
    wait_for(lambda: not managed.given, "the removal")
    managed.write("two")
    time.sleep(1)
    assert managed.found("*") == ["one"]


def test_an_id_that_is_moved_moves_the_agent(managed: Managed) -> None:
    managed.apply()
    managed.start()
    wait_for(lambda: managed.given and managed.given[0]["runs"], "the config")
    managed.carry("database-servers")
    wait_for(lambda: not managed.given, "the other id", timeout=60)
    assert re.search(r"the server has changed what this agent runs", managed.log())
    assert managed.members == []


def test_changes_while_a_file_grows_lose_and_repeat_nothing(managed: Managed) -> None:
    managed.apply()
    managed.start()
    wait_for(lambda: managed.given and managed.given[0]["runs"], "the first version")
    client, written, changes, sessions = managed.server.client(), 0, 4, managed.log().count("agent is at work")
    for depth in range(changes):
        change = managed.given[0]["runs"]["number"] if managed.given and managed.given[0]["runs"] else 0
        client.update_logtail_config(managed.project, managed.config(maxDepth=depth + 1))
        while not (managed.given and managed.given[0]["runs"] and managed.given[0]["runs"]["number"] != change):
            managed.write(*(f"n{number:06d}" for number in range(written, written + 100)))
            written += 100
            assert written < 1_000_000, managed.log()
            time.sleep(0.02)
    wait_for(lambda: managed.counted() >= written, "all lines", timeout=60)
    assert managed.counted() == written
    assert managed.counted("count(distinct content)") == written
    assert managed.log().count("agent is at work") == sessions


def test_a_person_does_all_of_it_from_the_command_line(managed: Managed, tmp_path: Path) -> None:
    def tailrace(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tailrace.cli.main", *words, "--project", managed.project, "--home", str(managed.server.home)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    (inputs, flushers), file = managed.pipeline_parts(), tmp_path / "web-logs.yaml"
    file.write_text(json.dumps({"inputs": inputs, "flushers": flushers}))
    assert "saved the machine group" in tailrace("group", "set", GROUP, "--id", "web-servers", "no-such-id").stdout
    assert "web-logs: saved version 1" in tailrace("config", "push", str(file), "--group", GROUP).stdout
    assert "web-logs: is version 1 already" in tailrace("config", "push", str(file)).stdout
    managed.start()
    wait_for(lambda: managed.given and managed.given[0]["runs"], "the config")
    wait_for(lambda: "web-logs: applied" in tailrace("group", "show", GROUP).stdout, "its report", timeout=60)
    assert "no agent has reported this user-defined id" in tailrace("group", "show", GROUP).stdout

    file.write_text(json.dumps({"inputs": [{**inputs[0], "FilePath": []}], "flushers": flushers}))
    refused = tailrace("config", "push", str(file))
    assert (refused.returncode, "inputs[0].FilePath: unknown key" in refused.stderr) == (1, True)
    file.write_text(json.dumps({"inputs": [{**inputs[0], "MaxDirSearchDepth": 2}], "flushers": flushers}))
    assert "saved version 2" in tailrace("config", "push", str(file)).stdout
    assert "version 3 is what version 1 was" in tailrace("config", "rollback", "web-logs", "1").stdout
    assert [json.loads(line)["version"] for line in tailrace("config", "history", "web-logs", "--output", "json").stdout.splitlines()] == [
        3,
        2,
        1,
    ]
    assert "deleted web-logs" in tailrace("config", "delete", "web-logs").stdout
    wait_for(lambda: not managed.given, "the end of it")
