"""Topic and tags as a running agent sends them: of the file, the machine, its ids and its environment; and times below a second."""

import json
import socket
import time

ENVIRONMENT = {"ALIYUN_LOG_ENV_TAGS": "ZONE|TEAM", "ZONE": "eu-1", "TEAM": "shop", "PASSWORD": "secret"}
STAMP = {"Type": "processor_parse_timestamp_native", "SourceKey": "content", "SourceFormat": "%s"}


def collect(agent, options, flusher, **source):
    document = {
        "global": options,
        "inputs": [{"Type": "input_file", "FilePaths": [f"{agent.logs}/*.log"], "TailingAllMatchedFiles": True, **source}],
        "processors": [STAMP],
        "flushers": [flusher],
    }
    (agent.directory / "pipelines" / "app.json").write_text(json.dumps(document))
    (agent.home / "user_defined_id").write_text("frontend\neu\n")
    agent.environment.update(ENVIRONMENT)
    (agent.logs / "web.log").write_text(f"{time.time_ns()}\n")
    agent.run_to_the_end()


def test_every_event_carries_its_labels(agent, tmp_path):
    out = tmp_path / "out.jsonl"
    options = {
        "TopicType": "filepath",
        "TopicFormat": r".*/(\w+)\.log",
        "AgentEnvMetaTagKey": {"ZONE": "zone", "PASSWORD": "password"},
        "EnableTimestampNanosecond": True,
    }
    collect(agent, options, {"Type": "flusher_file", "FilePath": str(out)}, Tags={"FileInodeTagKey": "inode", "FilePathTagKey": "file"})
    (event,) = [json.loads(line) for line in out.read_text().splitlines()]
    written_at = int(event["content"])
    assert (event["__time__"], event["__time_ns_part__"]) == divmod(written_at, 10**9)
    assert event["__topic__"] == "web"
    tags = {key.removeprefix("__tag__:"): value for key, value in event.items() if key.startswith("__tag__:")}
    tags.pop("__pack_id__")
    assert tags == {
        "file": str(agent.logs / "web.log"),
        "inode": str((agent.logs / "web.log").stat().st_ino),
        "__hostname__": socket.gethostname(),
        "__user_defined_id__": "frontend,eu",
        "zone": "eu-1",
    }


def test_they_arrive_at_a_server_too(agent, sink):
    agent.enrol()
    collect(agent, {"PipelineMetaTagKey": {"AGENT_TAG": "ids"}}, agent.to_sink())
    (event,) = sink.events
    assert {key: event[f"__tag__:{key}"] for key in ("ids", "ZONE", "TEAM")} == {"ids": "frontend,eu", "ZONE": "eu-1", "TEAM": "shop"}
    assert "__tag__:PASSWORD" not in event
