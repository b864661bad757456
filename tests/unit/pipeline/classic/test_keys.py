"""Every key of a classic config: its default, its effect on events, or that it is named as having none.

Effects that files have to show are seen through a real file input, the others in what becomes of sample lines. A table that lacks a key of
the model, or has one too many, fails.
"""

# ruff: noqa: E501 - a table's rows stand on one line each

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tailrace.errors import ConfigErrors
from tailrace.pipeline.classic.keys import Advanced, Blacklist, ClassicConfig, FileDetail, OutputDetail, Plugins, SensitiveKey
from tailrace.pipeline.config import OptionGroup, extra, public_key
from tailrace.pipeline.loading import from_document, load_text
from tailrace.pipeline.model import PipelineConfig
from tailrace.pipeline.preview import preview
from tailrace.pipeline.report import remarks
from tests.source_tree import ROOT
from tests.unit.inputs.file.following import Following, wait_for

OUTPUT = {"projectName": "p-one", "logstoreName": "l", "endpoint": "http://127.0.0.1:9480"}


@pytest.fixture(autouse=True)
def trial_plugins() -> None:
    """Only the plugins that ship: hides the fixture that adds those of the tests."""


def config(detail: dict[str, Any], **top: Any) -> PipelineConfig:
    document = {
        "inputType": "file",
        "inputDetail": {"logPath": "/var/log/app", "filePattern": "*.log", **detail},
        "outputDetail": OUTPUT,
        **top,
    }
    return from_document(document, "c.json")


def events(detail: dict[str, Any], log: str | bytes) -> list[dict[str, str]]:
    batch = preview(config(detail), log if isinstance(log, bytes) else log.encode(), path="/var/log/app/web.log").batch
    labels = {"__topic__": batch.topic.decode()} if batch.topic else {}
    return [{**labels, **{key.decode(): value.decode("utf-8", "replace") for key, value in fields}} for _, fields in batch.rows()]


def seconds(detail: dict[str, Any], line: str) -> int:
    return preview(config(detail), line.encode()).batch.times[0] // 10**9


REGEX = {"regex": r"(\d+) (\w+)", "key": ["time", "word"]}
DATED = {"regex": r"([^|]+)\|(\w+)", "key": ["time", "word"], "timeFormat": "%Y-%m-%d %H:%M:%S"}
UTC = {"adjustTimezone": True, "logTimezone": "GMT+00:00"}
COMMA = {"logType": "delimiter_log", "separator": ",", "key": ["a", "b"]}
MASK = {"key": "content", "type": "const", "regex_begin": "pw=", "regex_content": r"\w+", "all": True, "const": "*"}


def mask(**other: Any) -> dict[str, Any]:
    return {"sensitive_keys": [{**MASK, **other}]}


Case = tuple[dict[str, Any], str | bytes, list[dict[str, str]]]

# key → cases: (inputDetail, log, events). The first case of a key is its default, where that shows.
EFFECTS: dict[str, list[Case]] = {
    "logType": [
        ({}, "{}\n", [{"content": "{}"}]),
        ({"logType": "json_log"}, '{"a":1}\n', [{"a": "1"}]),
        (COMMA, "1,2\n", [{"a": "1", "b": "2"}]),
    ],
    "logBeginRegex": [({}, "1\n 2\n", [{"content": "1"}, {"content": " 2"}]), ({"logBeginRegex": r"\d.*"}, "1\n 2\n", [{"content": "1\n 2"}])],
    "regex": [({}, "1 a\n", [{"content": "1 a"}]), (REGEX, "1 a\n", [{"time": "1", "word": "a"}])],
    "key": [({"regex": "(.*)", "key": ["line"]}, "x\n", [{"line": "x"}])],
    "discardUnmatch": [(REGEX, "x\n", []), ({**REGEX, "discardUnmatch": False}, "x\n", [{"__raw_log__": "x"}])],
    "enableRawLog": [
        (REGEX, "1 a\n", [{"time": "1", "word": "a"}]),
        ({**REGEX, "enableRawLog": True}, "1 a\n", [{"__raw__": "1 a", "time": "1", "word": "a"}]),
    ],
    "advanced.raw_log_tag": [
        ({**REGEX, "enableRawLog": True, "advanced": {"raw_log_tag": "was"}}, "1 a\n", [{"was": "1 a", "time": "1", "word": "a"}])
    ],
    "separator": [(COMMA, "1,2\n", [{"a": "1", "b": "2"}]), ({**COMMA, "separator": "0x1f"}, "1\x1f2\n", [{"a": "1", "b": "2"}])],
    "quote": [(COMMA, '"1,2"\n', [{"a": '"1', "b": '2"'}]), ({**COMMA, "quote": '"'}, '"1,2",3\n', [{"a": "1,2", "b": "3"}])],
    "autoExtend": [
        (COMMA, "1,2,3\n", [{"a": "1", "b": "2", "__column0__": "3"}]),
        ({**COMMA, "autoExtend": False}, "1,2,3\n", [{"a": "1", "b": "2"}]),
    ],
    "acceptNoEnoughKeys": [(COMMA, "1\n", []), ({**COMMA, "acceptNoEnoughKeys": True}, "1\n", [{"a": "1"}])],
    "filterKey": [({"filterKey": ["content"], "filterRegex": ["a"]}, "a\nb\n", [{"content": "a"}])],
    "filterRegex": [({"filterKey": ["content"], "filterRegex": ["[bc]"]}, "a\nb\n", [{"content": "b"}])],
    "sensitive_keys": [({}, "pw=x\n", [{"content": "pw=x"}]), (mask(), "pw=x\n", [{"content": "pw=*"}])],
    "sensitive_keys.key": [({**mask(key="word"), **REGEX}, "1 pw\n", [{"time": "1", "word": "pw"}])],
    "sensitive_keys.type": [({"sensitive_keys": [{**MASK, "type": "md5", "const": None}]}, "pw=hello\n", [{"content": "pw=5D41402ABC4B2A76B9719D911017C592"}])],
    "sensitive_keys.regex_begin": [(mask(regex_begin="x="), "pw=a x=b\n", [{"content": "pw=a x=*"}])],
    "sensitive_keys.regex_content": [(mask(regex_content=r"\d"), "pw=12\n", [{"content": "pw=*2"}])],
    "sensitive_keys.all": [(mask(), "pw=a pw=b\n", [{"content": "pw=* pw=*"}]), (mask(all=False), "pw=a pw=b\n", [{"content": "pw=* pw=b"}])],
    "sensitive_keys.const": [(mask(const=""), "pw=a\n", [{"content": "pw="}])],
    "plugin": [({"plugin": {"processors": [{"type": "processor_drop", "detail": {"DropKeys": ["time"]}}]}, **REGEX}, "1 a\n", [{"word": "a"}])],
    "plugin.processors": [({"plugin": {"processors": [{"type": "processor_rename", "detail": {"SourceKeys": ["content"], "DestKeys": ["m"]}}]}}, "x\n", [{"m": "x"}])],
    "plugin.global": [({"plugin": {"global": {"UsingOldContentTag": True}}}, "x\n", [{"content": "x", "__tag__:__path__": "/var/log/app/web.log"}])],
    "discardNonUtf8": [
        ({}, b"a\xe4\nb\n", [{"content": "a\ufffd"}, {"content": "b"}]),
        ({"discardNonUtf8": True}, b"a\xe4\nb\n", [{"content": "a "}, {"content": "b"}]),
    ],
    "fileEncoding": [({}, "ä\n", [{"content": "ä"}]), ({"fileEncoding": "gbk"}, "你\n".encode("gbk"), [{"content": "你"}])],
    "topicFormat": [
        ({}, "x\n", [{"content": "x"}]),
        ({"topicFormat": "none"}, "x\n", [{"content": "x"}]),
        ({"topicFormat": "default"}, "x\n", [{"content": "x", "__topic__": "/var/log/app/web.log"}]),
        ({"topicFormat": "customized://shop"}, "x\n", [{"content": "x", "__topic__": "shop"}]),
        ({"topicFormat": r"\/var\/log\/(\w+)\/.*"}, "x\n", [{"content": "x", "__topic__": "app"}]),
        ({"topicFormat": "group_topic"}, "x\n", [{"content": "x"}]),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "case"), [pytest.param(key, case, id=f"{key} {n}") for key, cases in EFFECTS.items() for n, case in enumerate(cases)]
)
def test_effect_on_events(key: str, case: Case) -> None:
    detail, log, expected = case
    assert events(detail, log) == expected


# key → (inputDetail, line, time of the event); None is the time of reading.
TIMES: dict[str, list[tuple[dict[str, Any], str, int | None]]] = {
    "timeFormat": [
        (REGEX, "1594382400 a\n", None),
        ({**REGEX, "timeFormat": "%s"}, "1594382400 a\n", 1594382400),
        ({**DATED, **UTC}, "2020-07-10 12:00:00|a\n", 1594382400),
    ],
    "timeKey": [
        ({**DATED, **UTC, "key": ["when", "word"]}, "2020-07-10 12:00:00|a\n", None),
        ({**DATED, **UTC, "key": ["when", "word"], "timeKey": "when"}, "2020-07-10 12:00:00|a\n", 1594382400),
    ],
    "adjustTimezone": [({**DATED, "adjustTimezone": True, "logTimezone": "GMT+08:00"}, "2020-07-10 20:00:00|a\n", 1594382400)],
    "logTimezone": [({**DATED, "adjustTimezone": True, "logTimezone": "GMT-01:30"}, "2020-07-10 10:30:00|a\n", 1594382400)],
    "advanced.specified_year": [
        ({**DATED, **UTC, "timeFormat": "%m-%d %H:%M:%S", "advanced": {"specified_year": 2020}}, "07-10 12:00:00|a\n", 1594382400)
    ],
}


@pytest.mark.parametrize(
    ("key", "case"), [pytest.param(key, case, id=f"{key} {n}") for key, cases in TIMES.items() for n, case in enumerate(cases)]
)
def test_effect_on_the_time(key: str, case: tuple[dict[str, Any], str, int | None]) -> None:
    detail, line, expected = case
    if expected is None:
        assert abs(seconds(detail, line) - time.time()) < 60
    else:
        assert seconds(detail, line) == expected


def test_without_adjust_timezone_the_machines_zone_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XST-05:30")
    time.tzset()
    try:
        assert seconds({**DATED, "logTimezone": "GMT+08:00"}, "2020-07-10 17:30:00|a\n") == 1594382400
    finally:
        monkeypatch.undo()
        time.tzset()


# --- what only files show -----------------------------------------------------------------------------------------------------------
def collected(directory: Path, detail: dict[str, Any], before: dict[str, str], after: dict[str, str], count: int) -> list[dict[str, str]]:
    """What a classic config collects from a directory, through the real input: files that stand there before, and what comes after."""
    write(directory, before)
    document = {"logPath": str(directory), "filePattern": "*.log", **detail}
    plugin = from_document({"inputType": "file", "inputDetail": document, "outputDetail": OUTPUT}, "c.json").inputs[0]
    following = Following(directory, **plugin.config.document())
    with following:
        write(directory, after)
        following.rescan()
        wait_for(lambda: len(following.lane.events) >= count, lambda: str(following.lane.events))
        time.sleep(0.15)
        return following.lane.events


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        with (directory / name).open("a") as file:
            file.write(text)


DEEP = {"a.log": "top\n", "x/b.log": "one\n", "x/y/c.log": "two\n"}
FILES: dict[str, list[tuple[dict[str, Any], dict[str, str], dict[str, str], list[str]]]] = {
    "logPath": [({}, {}, {"a.log": "1\n"}, ["1"])],
    "filePattern": [({"filePattern": "web*.lo?"}, {}, {"a.log": "1\n", "web1.log": "2\n"}, ["2"])],
    "maxDepth": [
        ({}, {}, DEEP, ["one", "top", "two"]),
        ({"maxDepth": 0}, {}, DEEP, ["top"]),
        ({"maxDepth": 1}, {}, DEEP, ["one", "top"]),
    ],
    "tailExisted": [({}, {"old.log": "old\n"}, {"a.log": "1\n"}, ["1"]), ({"tailExisted": True}, {"old.log": "old\n"}, {}, ["old"])],
    "advanced.tail_size_kb": [
        ({}, {"a.log": "old\n"}, {"a.log": "new\n"}, ["new", "old"]),
        ({"advanced": {"tail_size_kb": 0}}, {"a.log": "old\n"}, {"a.log": "new\n"}, ["new"]),
    ],
    "advanced.blacklist.dir_blacklist": [({"advanced": {"blacklist": {"dir_blacklist": ["{dir}/x"]}}}, {}, DEEP, ["top"])],
    "advanced.blacklist.filename_blacklist": [({"advanced": {"blacklist": {"filename_blacklist": ["b*"]}}}, {}, DEEP, ["top", "two"])],
    "advanced.blacklist.filepath_blacklist": [
        ({"advanced": {"blacklist": {"filepath_blacklist": ["{dir}/x/**/c.log"]}}}, {}, DEEP, ["one", "top"])
    ],
}


def placed(value: Any, directory: Path) -> Any:
    if isinstance(value, dict):
        return {key: placed(item, directory) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item, directory) for item in value]
    return value.replace("{dir}", str(directory)) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("key", "case"), [pytest.param(key, case, id=f"{key} {n}") for key, cases in FILES.items() for n, case in enumerate(cases)]
)
def test_effect_on_files(key: str, case: tuple[dict[str, Any], dict[str, str], dict[str, str], list[str]], tmp_path: Path) -> None:
    detail, before, after, expected = case
    found = collected(tmp_path, placed(detail, tmp_path), before, after, len(expected))
    assert sorted(event["content"] for event in found) == expected


def test_log_position_meta(tmp_path: Path) -> None:
    found = collected(tmp_path, {"advanced": {"enable_log_position_meta": True}}, {}, {"a.log": "one\ntwo\n"}, 2)
    inode = str((tmp_path / "a.log").stat().st_ino)
    assert [(event["__inode__"], event["__file_offset__"]) for event in found] == [(inode, "0"), (inode, "4")]


# --- keys whose effect stands elsewhere: the option that they become, whose effect is tested with that plugin --------------------------
Option = Callable[[PipelineConfig], object]
BECOMES: dict[str, tuple[dict[str, Any], Option, object]] = {
    "preserve": ({"preserve": False, "preserveDepth": 2}, lambda c: c.inputs[0].config.preserved_dir_depth, 2),
    "preserveDepth": ({"preserve": True, "preserveDepth": 2}, lambda c: c.inputs[0].config.preserved_dir_depth, -1),
    "advanced.force_multiconfig": (
        {"advanced": {"force_multiconfig": True}},
        lambda c: c.inputs[0].config.allowing_included_by_multi_configs,
        True,
    ),
    "shardHashKey": ({"shardHashKey": ["__source__"]}, lambda c: c.flushers[0].config.shard_hash_keys, ["__source__"]),
    "delayAlarmBytes": ({"delayAlarmBytes": 1000}, lambda c: c.inputs[0].config.read_delay_alert_threshold_bytes, 1000),
    "delaySkipBytes": ({"delaySkipBytes": 2000}, lambda c: c.inputs[0].config.read_delay_skip_threshold_bytes, 2000),
    "maxSendRate": ({"maxSendRate": 1000}, lambda c: c.flushers[0].config.max_send_rate, 1000),
    "mergeType": ({"mergeType": "topic"}, lambda c: c.flushers[0].config.batch.merge_type, "topic"),
    "priority": ({"priority": 1}, lambda c: c.global_options.priority, 1),
    "advanced.batch_send_interval": ({"advanced": {"batch_send_interval": 7}}, lambda c: c.flushers[0].config.batch.timeout_secs, 7.0),
    "plugin.flushers": (
        {"plugin": {"flushers": [{"type": "flusher_stdout"}]}},
        lambda c: [one.type for one in c.flushers],
        ["flusher_stdout"],
    ),
}


@pytest.mark.parametrize("key", BECOMES)
def test_becomes(key: str) -> None:
    detail, get, expected = BECOMES[key]
    assert get(config(detail)) == expected


WITHOUT_EFFECT: dict[str, dict[str, Any]] = {
    "sendRateExpire": {"sendRateExpire": 1},
    "localStorage": {"localStorage": False},
    "enableTag": {"enableTag": False},
    "tag": {"tag": "x"},
    "customizedFields": {"customizedFields": "{}"},
    "dockerIncludeLabel": {"dockerIncludeLabel": {"a": "b"}},
    "dockerExcludeLabel": {"dockerExcludeLabel": {"a": "b"}},
    "dockerIncludeEnv": {"dockerIncludeEnv": {"a": "b"}},
    "dockerExcludeEnv": {"dockerExcludeEnv": {"a": "b"}},
    "advanced.exactly_once_concurrency": {"advanced": {"exactly_once_concurrency": 8}},
    "advanced.max_rotate_queue_size": {"advanced": {"max_rotate_queue_size": 5}},
}


@pytest.mark.parametrize("key", WITHOUT_EFFECT)
def test_without_effect_and_named(key: str) -> None:
    assert [remark.partition(": ")[0] for remark in remarks(config(WITHOUT_EFFECT[key]))] == [f"inputDetail.{key}"]


# key → (inputDetail, mistake)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"dockerFile": True}, "inputDetail.dockerFile: this release cannot do that yet"),
    ({"logType": "xml_log"}, "inputDetail.logType: expected one of `common_reg_log`, `json_log`, `delimiter_log`, `apsara_log`, got"),
    ({"maxDepth": 1001}, "inputDetail.maxDepth: must be at most 1000, got 1001"),
    ({"maxDepth": -1}, "inputDetail.maxDepth: must be at least 0, got -1"),
    ({"preserve": False}, "inputDetail.preserveDepth: is missing"),
    ({"logType": "delimiter_log"}, "inputDetail.separator: is missing"),
    ({**COMMA, "separator": '"'}, "inputDetail.separator: cannot be"),
    ({**COMMA, "separator": "12345"}, "inputDetail.separator: must have 1 to 4 bytes, has 5"),
    ({"adjustTimezone": True}, "inputDetail.logTimezone: is missing"),
    ({**DATED, "adjustTimezone": True, "logTimezone": "Asia/Shanghai"}, "inputDetail.logTimezone: `Asia/Shanghai` is not an offset"),
    ({"filterKey": ["a"]}, "inputDetail.filterRegex: 0 patterns for 1 field of `filterKey`"),
    ({"filterKey": ["a"], "filterRegex": ["("]}, "inputDetail.filterRegex[0]: "),
    ({"regex": "(a)(b)", "key": ["a"]}, "inputDetail.key: 1 name for 2 groups"),
    ({"regex": "(", "key": ["a"]}, "inputDetail.regex: "),
    ({"topicFormat": "/var/("}, "inputDetail.topicFormat: "),
    ({"sensitive_keys": [{**MASK, "const": None}]}, "inputDetail.sensitive_keys[0].const: is missing"),
    ({"sensitive_keys": [{**MASK, "type": "sha"}]}, "inputDetail.sensitive_keys[0].type: expected one of `const`, `md5`, got"),
    (
        {"plugin": {"processors": [{"type": "processor_dorp"}]}},
        "inputDetail.plugin.processors[0].type: unknown processor type `processor_dorp`",
    ),
    ({"plugin": {"processors": [{"type": "processor_drop", "detail": {"Keys": []}}]}}, "inputDetail.plugin.processors[0].detail"),
    ({"plugin": {"global": {"Prio": 1}}}, "inputDetail.plugin.global.Prio: unknown key"),
    ({"logpath": "/x"}, "inputDetail.logpath: unknown key"),
    ({"advanced": {"exactly_once_concurrency": 513}}, "inputDetail.advanced.exactly_once_concurrency: must be at most 512, got 513"),
    ({"priority": 4}, "inputDetail.priority: must be at most 3, got 4"),
    ({"advanced": {"batch_send_interval": 61}}, "inputDetail.advanced.batch_send_interval: must be at most 60, got 61"),
    ({"delayAlarmBytes": 0}, "inputDetail.delayAlarmBytes: must be at least 1, got 0"),
    ({"logPath": "var/log"}, "inputDetail.logPath: "),
]


@pytest.mark.parametrize(("detail", "mistake"), REFUSED)
def test_refused_at_its_own_key(detail: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        config(detail)
    assert any(error.args[0].startswith(f"c.json:1 {mistake}") for error in caught.value.errors), [
        error.args[0] for error in caught.value.errors
    ]


def test_mistakes_name_their_lines() -> None:
    text = '{\n "inputType": "file",\n "inputDetail": {\n  "logPath": "/a",\n  "filePattern": "*",\n  "regex": "(a)(b)",\n  "key": ["a"]\n },\n "outputDetail": {"logstoreName": "l"}\n}'
    with pytest.raises(ConfigErrors) as caught:
        load_text(text, "c.json")
    assert [error.where for error in caught.value.errors] == ["c.json:7 inputDetail.key"]


def test_both_spellings() -> None:
    pairs = [
        ("sensitive_keys", "sensitiveKeys", [MASK]),
        ("acceptNoEnoughKeys", "acceptNotEnoughKeys", True),
        ("discardNonUtf8", "discardNonUTF8", True),
    ]
    for one, other, value in pairs:
        assert config({**COMMA, one: value}).version == config({**COMMA, other: value}).version


# --- the document around inputDetail ---------------------------------------------------------------------------------------------------
def test_the_document_is_kept_word_for_word() -> None:
    document = {
        "configName": "web",
        "inputType": "file",
        "inputDetail": {"logPath": "/a/", "filePattern": "*", "localStorage": True},
        "outputType": "LogService",
        "outputDetail": OUTPUT,
        "logSample": "x",
        "createTime": 1,
        "lastModifyTime": 2,
    }
    made = from_document(document, "c.json")
    assert made.classic is not None
    assert made.classic.document == document
    assert made.name == "web"
    assert made.flushers[0].document() == {"Type": "flusher_sls", "Endpoint": "http://127.0.0.1:9480", "Project": "p-one", "Logstore": "l"}


@pytest.mark.parametrize(
    ("key", "output", "expected"),
    [
        ("endpoint", {"logstoreName": "l", "projectName": "p-one"}, "http://127.0.0.1:9480"),
        ("endpoint", {**OUTPUT, "endpoint": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        ("project", {"logstoreName": "l"}, "default"),
        ("logstore", {**OUTPUT, "logstoreName": "other"}, "other"),
        ("region", {**OUTPUT, "region": "cn-hangzhou"}, "cn-hangzhou"),
        ("compress_type", {**OUTPUT, "compressType": "zstd"}, "zstd"),
    ],
)
def test_output(key: str, output: dict[str, str], expected: str) -> None:
    assert getattr(config({}, outputDetail=output).flushers[0].config, key) == expected


def test_what_stands_in_for_a_missing_place_is_named() -> None:
    assert list(remarks(config({}, outputDetail={"logstoreName": "l"}))) == [
        "outputDetail.endpoint: is missing; `http://127.0.0.1:9480` stands in for it",
        "outputDetail.projectName: is missing; `default` stands in for it",
    ]


@pytest.mark.parametrize(
    ("top", "mistake"),
    [
        ({"outputType": "Kafka"}, "c.json:1 outputType: expected one of `LogService`"),
        ({"inputType": "syslog"}, "c.json:1 inputType: this release has no input for syslog"),
        ({"inputType": "stream"}, "c.json:1 inputType: expected one of `file`, `plugin`, `syslog`"),
        ({"outputDetail": {}}, "c.json:1 outputDetail.logstoreName: is missing"),
        ({"inputType": "plugin", "inputDetail": {}}, "c.json:1 inputDetail.plugin.inputs: is missing"),
        ({"inputDetails": {}}, "c.json:1 inputDetails: unknown key"),
    ],
)
def test_mistakes_around_it(top: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        config({}, **top)
    assert [error.args[0][: len(mistake)] for error in caught.value.errors] == [mistake]


def test_a_plugin_config() -> None:
    made = from_document(
        {
            "inputType": "plugin",
            "inputDetail": {
                "plugin": {
                    "inputs": [{"type": "input_file", "detail": {"FilePaths": ["/var/log/a.log"]}}],
                    "processors": [{"type": "processor_drop", "detail": {"DropKeys": ["a"]}}],
                }
            },
            "outputDetail": OUTPUT,
        },
        "c.json",
    )
    assert [plugin.type for plugin in made.plugins] == ["input_file", "processor_drop", "flusher_sls"]


def keys_of(model: type[OptionGroup]) -> set[str]:
    return {public_key(name, field) for name, field in model.model_fields.items()}


OTHERWISE = {"dockerFile", "advanced", "advanced.blacklist", "plugin.inputs", "plugin.aggregators", "advanced.enable_log_position_meta"}


def test_no_key_is_left_out() -> None:
    known = {
        *keys_of(FileDetail),
        *(f"advanced.{key}" for key in keys_of(Advanced)),
        *(f"advanced.blacklist.{key}" for key in keys_of(Blacklist)),
        *(f"sensitive_keys.{key}" for key in keys_of(SensitiveKey)),
        *(f"plugin.{key}" for key in keys_of(Plugins)),
    }
    tested = {*EFFECTS, *TIMES, *FILES, *BECOMES, *WITHOUT_EFFECT, *OTHERWISE}
    assert tested - known == set()
    assert known - tested == set()
    assert keys_of(OutputDetail) == {"projectName", "logstoreName", "endpoint", "compressType", "region"}
    assert keys_of(ClassicConfig) >= {"configName", "enable", "inputType", "inputDetail", "outputType", "outputDetail", "logSample"}


def test_ignored_keys_are_exactly_those_of_the_table() -> None:
    ignored = {public_key(name, field) for name, field in FileDetail.model_fields.items() if extra(field).get("x-ignored")}
    ignored |= {f"advanced.{public_key(name, field)}" for name, field in Advanced.model_fields.items() if extra(field).get("x-ignored")}
    assert ignored == set(WITHOUT_EFFECT)


def test_the_documented_example() -> None:
    page = (ROOT / "docs" / "howto" / "classic-configs.md").read_text()
    (written,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert load_text(written, "any.json").document() == load_text(shown, "web.yaml").document()
    assert list(remarks(load_text(written, "web.json"))) == [
        "inputDetail.localStorage: has no effect: the spool belongs to the agent, for all pipelines"
    ]
    documented = set(re.findall(r"[a-zA-Z0-9_]+", page))
    tops = {key for key in keys_of(FileDetail) if not key.startswith("docker")}
    assert tops - documented == set()
