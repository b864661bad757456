"""Configs as Logtail was given them, in the classic form."""

from typing import Any

import pytest

from tailrace.agent.logtail.configs import Delivered, delivered
from tailrace.errors import ConfigError
from tailrace.pipeline.loading import from_document
from tests.integration.agent.logtail import DELIVERED


def made(**changes: Any) -> Delivered:
    return delivered("##1.0##shop$web", {**DELIVERED, "log_path": "/var/log/web", "file_pattern": "*.log", **changes})


def pipeline(**changes: Any) -> dict[str, Any]:
    one = made(**changes)
    return from_document(one.document(endpoint=one.endpoint), one.name).document()


def test_what_is_collected_and_where_it_goes_stays_the_same() -> None:
    found = pipeline(project_name="shop")
    assert found["configName"] == "web"
    assert found["inputs"] == [{"Type": "input_file", "FilePaths": ["/var/log/web/**/*.log"], "MaxDirSearchDepth": 10}]
    (flusher,) = found["flushers"]
    assert (flusher["Project"], flusher["Logstore"]) == ("shop", "app")
    assert flusher["Endpoint"] == "https://cn-hangzhou-intranet.log.example.com"


def test_the_regex_mode_names_all_groups_in_one_text() -> None:
    (parser, stamp) = pipeline(regex=[r"(\S+) (\S+) (.*)"], keys=["time,level,text"], timeformat="%Y", discard_unmatch=True)["processors"]
    assert (parser["Type"], parser["Keys"]) == ("processor_parse_regex_native", ["time", "level", "text"])
    assert (stamp["SourceKey"], stamp["SourceFormat"]) == ("time", "%Y")


def test_the_delimiter_mode_has_its_own_names() -> None:
    changes = {"delimiter_separator": ",", "column_keys": ["a", "b"], "auto_extend": False, "keys": [], "regex": []}
    (parser,) = pipeline(log_type="delimiter_log", **changes)["processors"]
    assert (parser["Separator"], parser["Quote"], parser["Keys"]) == (",", '"', ["a", "b"])
    assert parser["OverflowedFieldsTreatment"] == "discard"


def test_a_plug_in_config_is_its_plug_ins() -> None:
    plugin = {"inputs": [{"type": "input_file", "detail": {"FilePaths": ["/a/*.log"]}}]}
    found = made(log_type="plugin", plugin=plugin)
    assert (found.input_type, found.detail["plugin"]) == ("plugin", plugin)
    assert not {"logPath", "filePattern", "key"} & set(found.detail)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_depth": -1}, ("maxDepth", 1000)),
        ({"delay_alarm_bytes": 0}, ("delayAlarmBytes", None)),
        ({"delay_alarm_bytes": 5}, ("delayAlarmBytes", 5)),
        ({"file_encoding": "GBK"}, ("fileEncoding", "gbk")),
        ({"discard_none_utf8": True}, ("discardNonUtf8", True)),
        ({"raw_log": True}, ("enableRawLog", True)),
        ({"tz_adjust": True, "log_tz": "GMT+08:00"}, ("logTimezone", "GMT+08:00")),
    ],
)
def test_values_are_those_of_the_api(changes: dict[str, Any], expected: tuple[str, object]) -> None:
    assert made(**changes).detail.get(expected[0]) == expected[1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enable": False}, "it is switched off"),
        ({"log_type": "streamlog"}, "`log_type` is `streamlog`"),
        ({"regex": ["a", "b"]}, "it has several patterns"),
        ({"file_encoding": "latin1"}, "`file_encoding` is `latin1`"),
        ({"category": ""}, "it names no logstore"),
        ({"plugin": "{"}, "`plugin` is not JSON"),
    ],
)
def test_what_cannot_be_taken_says_why(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        made(**changes)


def test_keys_without_a_place_here_are_told() -> None:
    left = made(unheard_of=1, nothing="", advanced={"k8s": {}, "collect_containers_flag": True}).left
    assert sorted(left) == ["advanced.collect_containers_flag", "unheard_of"]
