"""Every key of the native parsers does what its sentence says; rows as in `test_effects_of_parsers`."""

# ruff: noqa: E501 - a table is read row by row
from typing import Any

import pytest

from tailrace.pipeline import registry
from tailrace.pipeline.reference import key_rows
from tests.unit.processors.test_effects_of_parsers import Effect, effects, seen


def kept(type_name: str, base: dict[str, Any], good: str, bad: str, fields: dict[str, str]) -> list[Effect]:
    """The keys that all of them have. `good` becomes `fields`; `bad` fails."""
    keeps_bad = {"KeepingSourceWhenParseFail": True}
    return effects(
        type_name,
        base,
        ("SourceKey", [{"content": bad, "text": good}], ([{"text": good}], 1), "text", ([{"content": bad, **fields}], 0)),
        ("KeepingSourceWhenParseFail", [bad], ([], 1), True, ([{"content": bad}], 1)),
        ("KeepingSourceWhenParseSucceed", [good], ([fields], 0), True, ([{"content": good, **fields}], 0)),
        ("RenamedSourceKey", [bad], ([{"content": bad}], 1), "raw", ([{"raw": bad}], 1), keeps_bad),
        ("CopingRawLog", [bad], ([], 1), True, ([{"__raw_log__": bad}], 1)),
    )


PARSE_REGEX = [
    *kept("processor_parse_regex_native", {"Regex": r"(\d+) (\w+)", "Keys": ["n", "w"]}, "1 a", "x", {"n": "1", "w": "a"}),
    *effects(
        "processor_parse_regex_native",
        {"Regex": r"(\d+) (\w+)", "Keys": ["n", "w"]},
        ("Regex", ["1 a"], ([{"n": "1", "w": "a"}], 0), r"(.)(.*)", ([{"n": "1", "w": " a"}], 0)),
        ("Keys", ["1 a"], ([{"n": "1", "w": "a"}], 0), ["x", "y"], ([{"x": "1", "y": "a"}], 0)),
    ),
]

PARSE_JSON = kept("processor_parse_json_native", {}, '{"n":1,"o":{"p":[2]}}', "[1]", {"n": "1", "o": '{"p":[2]}'})

COMMA = {"Separator": ",", "Keys": ["a", "b"]}
PARSE_DELIMITER = [
    *kept("processor_parse_delimiter_native", COMMA, "1,2", '"1"x,2', {"a": "1", "b": "2"}),
    *effects(
        "processor_parse_delimiter_native",
        COMMA,
        ("Separator", ["1,2|3"], ([{"a": "1", "b": "2|3"}], 0), "|", ([{"a": "1,2", "b": "3"}], 0)),
        ("Quote", ['"1,2",3'], ([{"a": "1,2", "b": "3"}], 0), "'", ([{"a": '"1', "b": '2"', "__column0__": "3"}], 0)),
        ("Keys", ["1,2"], ([{"a": "1", "b": "2"}], 0), ["x", "y"], ([{"x": "1", "y": "2"}], 0)),
        ("AllowingShortenedFields", ["1"], ([{"a": "1"}], 0), False, ([], 1)),
        ("OverflowedFieldsTreatment", ["1,2,3,4"], ([{"a": "1", "b": "2", "__column0__": "3", "__column1__": "4"}], 0), "keep", ([{"a": "1", "b": "2", "__column0__": "3,4"}], 0)),
        ("OverflowedFieldsTreatment", ["1,2,3,4"], ([{"a": "1", "b": "2", "__column0__": "3", "__column1__": "4"}], 0), "discard", ([{"a": "1", "b": "2"}], 0)),
    ),
]  # fmt: skip

TABLE = [*PARSE_REGEX, *PARSE_JSON, *PARSE_DELIMITER]

STAMP = {"SourceKey": "t", "SourceFormat": "%Y-%m-%d %H:%M:%S", "SourceTimezone": "GMT+00:00"}
NOON = {"t": "2020-07-10 12:00:00", "u": "2020-07-10 13:00:00"}
AT_NOON = 1594382400
AS_READ = None
"""The time that the event had."""
TIMES: list[tuple[str, dict[str, Any], dict[str, str], int | None]] = [
    ("SourceKey", {}, NOON, AT_NOON),
    ("SourceKey", {"SourceKey": "u"}, NOON, AT_NOON + 3600),
    ("SourceFormat", {"SourceFormat": "%Y-%m-%d"}, NOON, AT_NOON - 43_200),
    ("SourceFormat", {"SourceFormat": "%s"}, NOON, AS_READ),
    ("SourceTimezone", {"SourceTimezone": "GMT+08:00"}, NOON, AT_NOON - 8 * 3600),
    ("SourceYear", {"SourceFormat": "%m-%d", "SourceYear": 2020}, {"t": "07-10"}, AT_NOON - 43_200),
    ("SourceYear", {"SourceFormat": "%m-%d", "SourceYear": 2021}, {"t": "07-10"}, AT_NOON - 43_200 + 365 * 86_400),
]


@pytest.mark.parametrize("effect", TABLE, ids=[f"{effect.type}-{effect.key}" for effect in TABLE])
def test_a_key_does_what_it_says(run: Any, effect: Effect) -> None:
    assert seen(run(effect.type, effect.options, *effect.events)) == effect.default
    assert seen(run(effect.type, effect.changed, *effect.events)) == effect.outcome
    assert effect.default != effect.outcome


@pytest.mark.parametrize(("key", "options", "event", "seconds"), TIMES, ids=[key for key, *_ in TIMES])
def test_a_key_of_times_does_what_it_says(run: Any, key: str, options: dict[str, Any], event: dict[str, str], seconds: int | None) -> None:
    outcome = run("processor_parse_timestamp_native", {**STAMP, **options}, event)
    assert outcome.times == [7 if seconds is AS_READ else seconds * 10**9]
    assert len(outcome.failures) == (seconds is AS_READ)
    assert key in STAMP or key in options


@pytest.mark.parametrize(
    ("type_name", "defaults"),
    [
        ("processor_parse_regex_native", {}),
        ("processor_parse_json_native", {}),
        (
            "processor_parse_delimiter_native",
            {"Quote": '"\\""', "AllowingShortenedFields": "true", "OverflowedFieldsTreatment": '"extend"'},
        ),
    ],
)
def test_defaults_are_the_manuals(type_name: str, defaults: dict[str, str]) -> None:
    rows = {row["key"]: row["default"] for row in key_rows(registry.get("processor", type_name).config_model)}
    shared = {"SourceKey": '"content"', "RenamedSourceKey": '""'}
    off = dict.fromkeys(("KeepingSourceWhenParseFail", "KeepingSourceWhenParseSucceed", "CopingRawLog"), "false")
    assert rows == rows | shared | off | defaults
