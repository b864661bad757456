"""Topic, source and tags of a batch: every way to get a topic, every key that names or leaves out a tag."""

import json
import re
from pathlib import Path

import pytest

from tailrace.batch import EventBatch
from tailrace.errors import ConfigErrors
from tailrace.flushers.json_lines import lines
from tailrace.pipeline import labels
from tailrace.pipeline.labels import Labels, Machine
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.preview import preview
from tailrace.pipeline.report import remarks

SHOP = "/data/logs/shop/web/access.log"
HERE = Machine("web-1", "10.0.0.7", "0f" * 16, ("frontend", "eu"), {"ZONE": "eu-1", "TEAM": "shop"})


def pipeline(options: dict, source: dict | None = None):
    return from_document(
        {
            "global": options,
            "inputs": [{"Type": "input_file", "FilePaths": ["/data/**/*.log"], **(source or {})}],
            "flushers": [{"Type": "flusher_stdout"}],
        },
        "p.yaml",
    )


def labelled(options: dict, path: str = SHOP, *, source: dict | None = None, machine: Machine | None = None) -> tuple[str, dict[str, str]]:
    batch = preview(pipeline(options, source), b"x\n", path=path, machine=machine).batch
    tags = {key.decode(): value.decode() for key, value in batch.tags}
    tags.pop("__path__", None)
    return batch.topic.decode(), tags


@pytest.mark.parametrize(
    ("options", "topic", "tags"),
    [
        ({}, "", {}),
        ({"TopicType": "none"}, "", {}),
        ({"TopicType": "default"}, SHOP, {}),
        ({"TopicType": "filepath"}, SHOP, {}),
        ({"TopicType": "custom", "TopicFormat": "payments"}, "payments", {}),
        ({"TopicType": "custom", "TopicFormat": "customized://payments"}, "payments", {}),
        ({"TopicType": "machine_group_topic"}, "", {}),
        ({"TopicType": "machine_group_topic", "TopicFormat": "web servers"}, "web servers", {}),
        ({"TopicType": "filepath", "TopicFormat": r"\/data\/logs\/(.*)\/web\/.*"}, "shop", {}),
        ({"TopicType": "filepath", "TopicFormat": r"/data/logs/(\w+)"}, "", {}),  # the whole path must match
        ({"TopicType": "filepath", "TopicFormat": r"/srv/(.*)"}, "", {}),
        ({"TopicType": "filepath", "TopicFormat": r"/data/logs/(?P<user>\w+)/.*"}, "", {"user": "shop"}),
        (
            {"TopicType": "filepath", "TopicFormat": r"/data/logs/(?P<user>\w+)/(?P<app>\w+)/.*"},
            "",
            {"user": "shop", "app": "web"},
        ),
        (
            {"TopicType": "filepath", "TopicFormat": r"/data/logs/(\w+)/(\w+)/.*"},
            "",
            {"__topic_1__": "shop", "__topic_2__": "web"},
        ),
    ],
)
def test_the_topic(options: dict, topic: str, tags: dict[str, str]) -> None:
    assert labelled(options) == (topic, tags)


def test_a_topic_is_worked_out_once_per_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    rule = labels._TopicRule.of
    monkeypatch.setattr(labels._TopicRule, "of", lambda self, path: asked.append(path) or rule(self, path))
    config = pipeline({"TopicType": "filepath", "TopicFormat": "/(.*)"})
    one = Labels(config.global_options, config.inputs[0].config, HERE)
    for path in (b"/a", b"/b", b"/a", b"/a"):
        batch = EventBatch.split_lines(b"x\n")
        batch.tags = [(b"__path__", path)]
        one.put(batch)
        assert batch.topic == path[1:]
    assert asked == [b"/a", b"/b"]


@pytest.mark.parametrize(
    ("options", "tags"),
    [
        ({}, {"__hostname__": "web-1", "__user_defined_id__": "frontend,eu", "ZONE": "eu-1", "TEAM": "shop"}),
        (
            {"PipelineMetaTagKey": {"HOST_NAME": "host"}},
            {"host": "web-1", "__user_defined_id__": "frontend,eu", "ZONE": "eu-1", "TEAM": "shop"},
        ),
        ({"PipelineMetaTagKey": {"HOST_NAME": "", "AGENT_TAG": ""}}, {"ZONE": "eu-1", "TEAM": "shop"}),
        (
            {"PipelineMetaTagKey": {"HOST_IP": "__default__", "HOST_ID": "machine"}, "AgentEnvMetaTagKey": {}},
            {"__hostname__": "web-1", "__user_defined_id__": "frontend,eu", "__host_ip__": "10.0.0.7", "machine": "0f" * 16},
        ),
        (
            {"AgentEnvMetaTagKey": {"ZONE": "zone", "TEAM": "", "HOME": "home"}},
            {"__hostname__": "web-1", "__user_defined_id__": "frontend,eu", "zone": "eu-1"},
        ),
    ],
)
def test_tags_of_the_machine(options: dict, tags: dict[str, str]) -> None:
    assert labelled(options, machine=HERE)[1] == tags


def test_the_source_is_the_address() -> None:
    assert preview(pipeline({}), b"x\n", machine=HERE).batch.source == b"10.0.0.7"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, {"__path__": SHOP}),
        ({"FilePathTagKey": "file"}, {"file": SHOP}),
        ({"FilePathTagKey": ""}, {}),
        ({"FilePathTagKey": "__default__"}, {"__path__": SHOP}),
    ],
)
def test_the_tag_of_the_path(tags: dict, expected: dict) -> None:
    config = pipeline({"TopicType": "default"}, {"Tags": tags})
    batch = preview(config, b"x\n", path=SHOP).batch
    assert {key.decode(): value.decode() for key, value in batch.tags} == expected
    assert batch.topic.decode() == SHOP  # whatever the tag is called


def test_tags_as_fields_of_each_event() -> None:
    batch = preview(pipeline({"UsingOldContentTag": True}), b"x\n", path=SHOP, machine=Machine("web-1")).batch
    assert batch.tags == []
    assert batch.rows()[0][1] == [(b"content", b"x"), (b"__tag__:__path__", SHOP.encode()), (b"__tag__:__hostname__", b"web-1")]


def test_nanoseconds_are_sent_when_asked_for() -> None:
    batch = EventBatch.from_events([(1_777_777_777_000_000_042, [(b"a", b"1")])])
    assert json.loads(next(iter(lines(batch, nanoseconds=True)))) == {"__time__": 1777777777, "a": "1", "__time_ns_part__": 42}
    assert "__time_ns_part__" not in json.loads(next(iter(lines(batch))))


def test_the_machine_is_known_by_its_files_and_its_environment(tmp_path: Path) -> None:
    (tmp_path / "user_defined_id").write_text("frontend\n\n  eu \nfrontend\n")
    environment = {
        "ALIYUN_LOG_ENV_TAGS": "ZONE| TEAM|ABSENT",
        "ZONE": "eu-1",
        "TEAM": "shop",
        "SECRET": "s",
        "ALIYUN_LOGTAIL_USER_DEFINED_ID": "k8s",
    }
    here = Machine.here(tmp_path, "10.0.0.7", environment)
    assert here.user_defined_ids == ["frontend", "eu", "k8s"]
    assert here.environment == {"ZONE": "eu-1", "TEAM": "shop"}
    assert here.address == "10.0.0.7"
    assert re.fullmatch(r"\S+", here.host_name)


def test_without_a_file_of_ids_there_is_no_tag_of_them(tmp_path: Path) -> None:
    assert "__user_defined_id__" not in labelled({}, machine=Machine.here(tmp_path, "", {}))[1]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"TopicType": "custom"}, "p.yaml:1 global.TopicFormat: is missing"),
        ({"TopicType": "default", "TopicFormat": "x"}, "p.yaml:1 global.TopicFormat: has no meaning with `TopicType: default`"),
        ({"TopicFormat": "x"}, "p.yaml:1 global.TopicFormat: has no meaning with `TopicType: none`"),
        ({"TopicType": "filepath", "TopicFormat": "/a/.*"}, "p.yaml:1 global.TopicFormat: `/a/.*` has no group"),
        ({"TopicType": "filepath", "TopicFormat": "/a/("}, "p.yaml:1 global.TopicFormat: "),
        (
            {"TopicType": "path"},
            "p.yaml:1 global.TopicType: expected one of `none`, `default`, `filepath`, `machine_group_topic`, `custom`, got",
        ),
        ({"PipelineMetaTagKey": {"HOSTNAME": "a"}}, "p.yaml:1 global.PipelineMetaTagKey.HOSTNAME: nothing of that name is known here"),
        ({"Priority": 4}, "p.yaml:1 global.Priority: must be at most 3, got 4"),
        ({"ExecutionTimeout": -1}, "p.yaml:1 global.ExcutionTimeout: must be at least 0, got -1"),
    ],
)
def test_mistakes(options: dict, mistake: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        pipeline(options)
    assert [str(error).startswith(mistake) for error in caught.value.errors] == [True], caught.value.errors


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("StructureType", "v1"),
        ("FlushIntervalMs", 1),
        ("AggregatIntervalMs", 1),
        ("AggregateIntervalMs", 1),
        ("DefaultLogQueueSize", 1),
        ("DefaultLogGroupQueueSize", 1),
        ("InputIntervalMs", 1),
        ("InputMaxFirstCollectDelayMs", 0),
    ],
)
def test_keys_without_effect_are_named(key: str, value: object) -> None:
    canonical = {"AggregateIntervalMs": "AggregatIntervalMs"}.get(key, key)
    assert [remark.partition(": ")[0] for remark in remarks(pipeline({key: value}))] == [f"global.{canonical}"]
