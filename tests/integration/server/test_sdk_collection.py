"""Configs and machine groups through the official Python SDK, unmodified."""

import json
import time
from typing import Any

import pytest
from aliyun.log import LogException, MachineGroupDetail
from aliyun.log.logtail_config_detail import (
    ApsaraFileConfigDetail,
    FullRegFileConfigDetail,
    JsonFileConfigDetail,
    PluginConfigDetail,
    SeperatorFileConfigDetail,
    SimpleFileConfigDetail,
    SyslogConfigDetail,
)
from aliyun.log.logtail_pipeline_config_detail import LogtailPipelineConfigDetail

DOCKER = {"inputs": [{"type": "service_docker_stdout", "detail": {"Stdout": True, "Stderr": False}}], "processors": []}
FILES = [{"Type": "input_file", "FilePaths": ["/var/log/app/*.log"]}]
CONFIGS = [
    SimpleFileConfigDetail("app", "simple", "/var/log/app", "*.log"),
    FullRegFileConfigDetail(
        "app", "full", "/var/log/app", "*.log", "200 fine", r"\d+ .*", r"(\d+) (.*)", ["code", "text"], topicFormat="none"
    ),
    JsonFileConfigDetail("app", "json", "/var/log/app", "*.json"),
    SeperatorFileConfigDetail("app", "delimiter", "/var/log/app", "*.csv", "a,b", ",", ["first", "second"]),
    ApsaraFileConfigDetail("app", "apsara", "/var/log/app", "*.log", r"\[.*"),
    SyslogConfigDetail("app", "syslog", "of-old"),
    PluginConfigDetail("app", "plugin", DOCKER),
]
MASK = {"key": "phone", "type": "const", "regex_begin": "tel=", "regex_content": "[0-9]+", "all": True, "const": "***"}
COMMON = {
    "localStorage": False, "topicFormat": "group_topic", "fileEncoding": "gbk", "maxDepth": 7, "preserve": False, "preserveDepth": 2,
    "filterKey": ["level"], "filterRegex": ["ERROR|größer 日志"], "shardHashKey": ["__source__"], "mergeType": "logstore", "priority": 1,
    "delayAlarmBytes": 5_000_000, "delaySkipBytes": 0, "adjustTimezone": True, "logTimezone": "GMT+08:00", "tailExisted": True,
    "discardNonUtf8": False, "discardUnmatch": False, "enableTag": True, "maxSendRate": -1, "sendRateExpire": 0, "sensitive_keys": [MASK],
    "advanced": {"force_multiconfig": True, "tail_size_kb": 64, "blacklist": {"dir_blacklist": ["/var/log/app/old"]}},
}  # fmt: skip
WITH_ALL_KEYS = [
    SimpleFileConfigDetail("app", "simple", "/var/log/app", "*.log", enableRawLog=False, **COMMON),
    FullRegFileConfigDetail(
        "app", "full", "/var/log/app", "*.log", "2026 fine", r"\d+ .*", r"(\d+) (.*)", ["time", "level"], "%Y", enableRawLog=True, **COMMON
    ),
    JsonFileConfigDetail("app", "json", "/var/log/app", "*.json", "at", "%Y-%m-%d", enableRawLog=True, **COMMON),
    SeperatorFileConfigDetail(
        "app", "delimiter", "/var/log/app", "*.csv", "a|b", "|", ["level", "time"], "time", "%s", enableRawLog=True, quote='"',
        autoExtend=False, acceptNoEnoughKeys=True, **COMMON
    ),
    ApsaraFileConfigDetail("app", "apsara", "/var/log/app", "*.log", r"\[.*", enableRawLog=True, **COMMON),
    SyslogConfigDetail("app", "syslog", "of-old", localStorage=False),
    PluginConfigDetail("app", "plugin", {**DOCKER, "global": {"DefaultLogQueueSize": 10}, "aggregators": [], "flushers": []}),
]  # fmt: skip
"""Once more, with what can be said beside."""


@pytest.fixture
def project(server) -> str:
    name = server.fresh_name("fleet")
    server.client().create_project(name, "made by a test")
    server.client().create_logstore(name, "app", shard_count=1)
    return name


def refusal(action: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(LogException) as caught:
        action(*arguments)
    return caught.value.resp_status, caught.value.get_error_code()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.config_name)
def test_each_class_of_config_comes_back_as_it_was(server, project: str, config: Any) -> None:
    client = server.client()
    client.create_logtail_config(project, config)
    found = client.get_logtail_config(project, config.config_name).logtail_config
    read = found.to_json()
    assert abs(read.pop("createTime") - time.time()) < 60
    assert read == config.to_json()
    client.update_logtail_config(project, config)
    client.delete_logtail_config(project, config.config_name)
    assert refusal(client.get_logtail_config, project, config.config_name) == (404, "ConfigNotExist")


@pytest.mark.parametrize("config", WITH_ALL_KEYS, ids=lambda config: config.config_name)
def test_each_class_with_all_of_its_keys_comes_back_byte_by_byte(server, project: str, config: Any) -> None:
    """In the order in which the keys were given, and in the next version as well."""
    client, asked = server.client(), config.to_json()
    client.create_logtail_config(project, config)
    for _ in range(2):
        body = server.request("GET", f"/configs/{config.config_name}", project=project).body.decode()
        assert json.dumps(asked["inputDetail"], ensure_ascii=False, separators=(",", ":")) in body
        found = json.loads(body)
        assert {key: found[key] for key in asked} == {**asked, "outputDetail": {**asked["outputDetail"], **found["outputDetail"]}}
        client.update_logtail_config(project, config)


def test_configs_are_listed_by_name_and_by_logstore(server, project: str) -> None:
    client = server.client()
    client.create_logstore(project, "other", shard_count=1)
    client.create_logtail_config(project, SimpleFileConfigDetail("app", "one", "/var/log", "*.log"))
    client.create_logtail_config(project, SimpleFileConfigDetail("other", "two", "/var/log", "*.txt"))
    assert client.list_logtail_config(project).get_configs() == ["one", "two"]
    assert client.list_logtail_config(project, logstore="other").get_configs() == ["two"]
    page = client.list_logtail_config(project, config="O", offset=1, size=1)
    assert (page.get_configs(), page.get_configs_total()) == (["two"], 2)


def test_a_config_is_checked_in_full_before_it_is_saved(server, project: str) -> None:
    client = server.client()
    wrong = SeperatorFileConfigDetail("app", "wrong", "/var/log", "*.log", "a", "", ["a"], maxDepth=2000)
    with pytest.raises(LogException) as caught:
        client.create_logtail_config(project, wrong)
    assert caught.value.get_error_code() == "InvalidParameter"
    assert "inputDetail.maxDepth: " in caught.value.get_error_message()
    assert client.list_logtail_config(project).get_configs() == []
    lost = LogtailPipelineConfigDetail("lost", FILES, [{"Type": "flusher_sls", "Logstore": "nowhere"}])
    assert refusal(client.create_logtail_pipeline_config, project, lost) == (404, "LogStoreNotExist")


def test_a_config_sends_to_its_own_project_and_holds_text_only(server, project: str) -> None:
    client = server.client()
    other = LogtailPipelineConfigDetail("other", FILES, [{"Type": "flusher_sls", "Logstore": "app", "Project": "somebody-elses"}])
    assert refusal(client.create_logtail_pipeline_config, project, other) == (400, "InvalidParameter")
    half = SimpleFileConfigDetail("app", "half", "/var/log/\ud800", "*.log")
    assert refusal(client.create_logtail_config, project, half) == (400, "PostBodyInvalid")
    assert client.list_logtail_pipeline_config(project).configs == []


def test_a_name_is_taken_once_by_either_form(server, project: str) -> None:
    client = server.client()
    client.create_logtail_config(project, SimpleFileConfigDetail("app", "one", "/var/log", "*.log"))
    assert refusal(client.create_logtail_config, project, SimpleFileConfigDetail("app", "one", "/x", "*")) == (400, "ConfigAlreadyExist")
    pipeline = LogtailPipelineConfigDetail("one", FILES, [{"Type": "flusher_sls", "Logstore": "app"}])
    assert refusal(client.create_logtail_pipeline_config, project, pipeline) == (400, "ConfigAlreadyExist")
    assert refusal(client.get_logtail_pipeline_config, project, "one") == (404, "ConfigNotExist")


def test_a_pipeline_comes_back_as_it_was(server, project: str) -> None:
    client = server.client()
    inputs = [{"Type": "input_file", "FilePaths": ["/var/log/**/*.log"], "MaxDirSearchDepth": 3}]
    processors = [{"Type": "processor_parse_json_native", "SourceKey": "content"}]
    flushers = [{"Type": "flusher_sls", "Logstore": "app"}]
    detail = LogtailPipelineConfigDetail("new", inputs, flushers, "a sample", {"TopicType": "none"}, processors)
    client.create_logtail_pipeline_config(project, detail)
    assert client.get_logtail_pipeline_config(project, "new").pipeline_config.to_json() == detail.to_json()
    assert client.list_logtail_pipeline_config(project).configs == ["new"]
    assert client.list_logtail_config(project).get_configs() == []
    client.delete_logtail_pipeline_config(project, "new")
    assert client.list_logtail_pipeline_config(project).configs == []


def test_a_machine_group_lives_and_dies(server, project: str) -> None:
    client = server.client()
    client.create_machine_group(project, MachineGroupDetail("web", "ip", ["10.0.0.1", "10.0.0.2"], "Armory", {"groupTopic": "shop"}))
    found = client.get_machine_group(project, "web").machine_group
    assert (found.machine_type, found.machine_list, found.group_attribute) == ("ip", ["10.0.0.1", "10.0.0.2"], {"groupTopic": "shop"})
    assert refusal(client.create_machine_group, project, found) == (400, "MachineGroupAlreadyExist")
    client.update_machine_group(project, MachineGroupDetail("web", "userdefined", ["web-servers"]))
    assert client.get_machine_group(project, "web").machine_group.machine_list == ["web-servers"]
    assert client.list_machine_group(project).get_machine_group() == ["web"]
    machines = client.list_machines(project, "web")
    assert (machines.machines, machines.total) == ([], 0)
    client.delete_machine_group(project, "web")
    assert refusal(client.get_machine_group, project, "web") == (404, "MachineGroupNotExist")


@pytest.mark.parametrize(
    "group",
    [
        MachineGroupDetail("UPPER", "ip", []),
        MachineGroupDetail("web", "name", []),
        MachineGroupDetail("web", "ip", ["not-an-address"]),
        MachineGroupDetail("web", "userdefined", ["two words"]),
        MachineGroupDetail("web", "ip", [], "Navy"),
        MachineGroupDetail("web", "ip", [], "", {"groupTopics": "x"}),
    ],
    ids=["name", "kind of id", "address", "id", "type", "attribute"],
)
def test_a_group_that_makes_no_sense_is_refused(server, project: str, group: MachineGroupDetail) -> None:
    assert refusal(server.client().create_machine_group, project, group) == (400, "InvalidParameter")


def test_configs_are_applied_to_groups_and_taken_away(server, project: str) -> None:
    client = server.client()
    for name in ("one", "two"):
        client.create_logtail_config(project, SimpleFileConfigDetail("app", name, "/var/log", "*.log"))
    client.create_machine_group(project, MachineGroupDetail("web", "ip", ["10.0.0.1"]))
    for _ in range(2):
        client.apply_config_to_machine_group(project, "one", "web")
    client.apply_config_to_machine_group(project, "two", "web")
    assert client.get_machine_group_applied_configs(project, "web").get_configs() == ["one", "two"]
    assert client.get_config_applied_machine_groups(project, "one").get_machine_groups() == ["web"]
    client.remove_config_to_machine_group(project, "one", "web")
    client.delete_logtail_config(project, "two")
    assert client.get_machine_group_applied_configs(project, "web").get_configs() == []
    assert refusal(client.apply_config_to_machine_group, project, "two", "web") == (404, "ConfigNotExist")
    assert refusal(client.apply_config_to_machine_group, project, "one", "db") == (404, "MachineGroupNotExist")


def test_a_logstore_that_configs_write_to_stays(server, project: str) -> None:
    client = server.client()
    client.create_logtail_config(project, SimpleFileConfigDetail("app", "one", "/var/log", "*.log"))
    assert refusal(client.delete_logstore, project, "app") == (400, "LogStoreInfoInvalid")
    client.delete_logtail_config(project, "one")
    client.delete_logstore(project, "app")
    assert client.list_logstore(project).get_logstores() == []


def test_what_is_applied_outlives_the_project_by_nothing(server, project: str) -> None:
    client = server.client()
    client.create_logtail_config(project, SimpleFileConfigDetail("app", "one", "/var/log", "*.log"))
    client.delete_project(project)
    client.create_project(project, "again")
    assert client.list_logtail_config(project).get_configs() == []
