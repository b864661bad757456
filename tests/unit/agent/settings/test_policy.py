"""What configs may name on an agent's machine beside their logs."""

from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.settings.policy import config_policy
from tailrace.agent.settings.settings import AgentSettings
from tailrace.errors import ConfigErrors
from tailrace.pipeline.loading import from_document, resolve
from tailrace.pipeline.model import PipelineConfig


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("files", "secret", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.csv").write_text("a,b\n")
    return tmp_path


def config(*processors: dict[str, Any], flusher: dict[str, Any] | None = None) -> PipelineConfig:
    inputs, flushers = [{"Type": "input_file", "FilePaths": ["/var/log/*.log"]}], [flusher or {"Type": "flusher_stdout"}]
    return from_document({"inputs": inputs, "processors": list(processors), "flushers": flushers}, "p.yaml")


def dictionary(path: str | Path) -> dict[str, Any]:
    return {"Type": "processor_dict_map", "SourceKey": "a", "DictFilePath": str(path)}


def adding(value: str) -> dict[str, Any]:
    return {"Type": "processor_add_fields", "Fields": {"x": value}}


def refusals(home: Path, pipeline: PipelineConfig, environment: dict[str, str] | None = None, **settings: Any) -> list[str]:
    policy = config_policy(home, AgentSettings(**settings), environment or {})
    try:
        resolve(pipeline, policy, environment or {})
    except ConfigErrors as errors:
        return [error.message for error in errors.errors]
    return []


@pytest.mark.parametrize(
    "processor",
    [
        dictionary("/etc/shadow"),
        {"Type": "processor_encrypt", "SourceKeys": ["a"], "EncryptionParameters": {"KeyFilePath": "/etc/shadow"}},
        {"Type": "processor_geoip", "SourceKey": "a", "DBPath": "/etc/shadow"},
        {"Type": "processor_grok", "Match": ["%{WORD:a}"], "CustomPatternDir": ["/etc/shadow"]},
        adding("${file:/etc/shadow}"),
    ],
    ids=lambda one: one["Type"],
)
def test_no_config_reads_just_any_file(home, processor):
    (message,) = refusals(home, config(processor))
    assert message.startswith("p.yaml processors[0].")
    assert message.endswith("a config may not read `/etc/shadow` on this agent")


def test_files_of_the_homes_own_directory_for_them_are_read(home):
    assert refusals(home, config(dictionary(home / "files" / "x.csv"), adding(f"${{file:{home}/files/x.csv}}"))) == []


def test_the_administrator_names_other_directories(home):
    elsewhere = config(dictionary(home / "elsewhere" / "x.csv"))
    assert refusals(home, elsewhere) != []
    assert refusals(home, elsewhere, config_files=[str(home / "elsewhere")]) == []
    assert refusals(home, elsewhere, config_files=["elsewhere"]) == [], "below the home"


@pytest.mark.parametrize("path", ["files/../secret/x.csv", "files/link.csv", "secret/x.csv", "agent.yaml"])
def test_the_homes_own_state_is_never_read_and_links_and_dots_lead_nowhere(home, path):
    (home / "files" / "link.csv").symlink_to(home / "secret" / "x.csv")
    assert len(refusals(home, config(dictionary(home / path)), config_files=["/", "files"])) == 1


def test_a_path_that_a_reference_makes_is_judged_as_it_is_then(home):
    made = config(dictionary("${env:LOG_FILE}"))
    assert refusals(home, made, {"LOG_FILE": "/etc/shadow"})[0].endswith("a config may not read `/etc/shadow` on this agent")
    assert refusals(home, made, {"LOG_FILE": f"{home}/files/x.csv"}) == []


@pytest.mark.parametrize("use", ["${env:AWS_SECRET_ACCESS_KEY}", "{{$AWS_SECRET_ACCESS_KEY}}"])
def test_of_the_environment_only_what_is_listed_is_used(home, use):
    processor = adding(use) if "env" in use else {"Type": "processor_appender", "Key": "x", "Value": use}
    environment = {"AWS_SECRET_ACCESS_KEY": "s3cret"}
    (message,) = refusals(home, config(processor), environment)
    assert message.endswith("a config may not use the environment variable `AWS_SECRET_ACCESS_KEY` on this agent")
    assert refusals(home, config(processor), environment, config_variables=["AWS_*"]) == []
    assert refusals(home, config(processor), {**environment, "ALIYUN_LOG_ENV_TAGS": "AWS_SECRET_ACCESS_KEY"}) == []


def test_flushers_write_only_where_they_may(home):
    def written(path: str | Path) -> PipelineConfig:
        return config(flusher={"Type": "flusher_file", "FilePath": str(path)})

    (message,) = refusals(home, written("/etc/cron.d/x"))
    assert message == "p.yaml flushers[0].FilePath: a config may not write `/etc/cron.d/x` on this agent"
    assert refusals(home, written(home / "out" / "x.jsonl")) == []
    assert refusals(home, written("/srv/x.jsonl"), config_outputs=["/srv"]) == []
    assert refusals(home, written(home / "pipelines" / "x.yaml"), config_outputs=["/"]) != [], "its own state never"
