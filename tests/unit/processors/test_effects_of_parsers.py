"""Every key of the parsing processors does what its sentence says: what comes out with its default, and what comes out when it is changed.

A row is: the key, what comes in, what comes out by default, another value, what comes out then, and other options where they matter. What comes
out is a list of events, and how many of them were counted as failed.
"""

# ruff: noqa: E501 - a table is read row by row
from dataclasses import dataclass, field
from typing import Any

import pytest

from tailrace.pipeline import registry
from tailrace.pipeline.config import extra, public_key
from tailrace.processors.anchor import Anchor

Out = tuple[list[dict[str, str]], int]


@dataclass(frozen=True)
class Effect:
    type: str
    key: str
    events: list[Any]
    default: Out
    changed: dict[str, Any]
    outcome: Out
    options: dict[str, Any] = field(default_factory=dict)


def effects(type_name: str, base: dict[str, Any], *rows: tuple[Any, ...]) -> list[Effect]:
    """`rows` are (key, events, default outcome, value, outcome[, further options])."""
    made = []
    for key, events, default, value, outcome, *more in rows:
        options = {**base, **(more[0] if more else {})}
        made.append(Effect(type_name, key, events, default, {**options, key: value}, outcome, options))
    return made


OTHER = [{"other": "x"}]
SAME = (OTHER, 0)
LACKS = (OTHER, 1)

REGEX = effects(
    "processor_regex",
    {"Regex": r"(\w+) (\w+)", "Keys": ["a", "b"]},
    ("SourceKey", [{"content": "x y", "text": "z w"}], ([{"text": "z w", "a": "x", "b": "y"}], 0), "text", ([{"content": "x y", "a": "z", "b": "w"}], 0)),
    ("Regex", ["x y"], ([{"a": "x", "b": "y"}], 0), r"(.)(.+)", ([{"a": "x", "b": " y"}], 0)),
    ("Keys", ["x y"], ([{"a": "x", "b": "y"}], 0), ["b", "content"], ([{"content": "y", "b": "x"}], 0)),
    ("FullMatch", ["- x y -"], ([{"content": "- x y -"}], 0), False, ([{"a": "x", "b": "y"}], 0)),
    ("KeepSource", ["x y"], ([{"a": "x", "b": "y"}], 0), True, ([{"content": "x y", "a": "x", "b": "y"}], 0)),
    ("KeepSourceIfParseError", [{"content": "x", "o": "1"}, "x"], ([{"content": "x", "o": "1"}, {"content": "x"}], 0), False, ([{"o": "1"}], 2)),
    ("NoKeyError", OTHER, SAME, True, LACKS),
    ("NoMatchError", ["x"], ([{"content": "x"}], 0), True, ([{"content": "x"}], 1)),
)  # fmt: skip

JSON_ANCHOR = {"Start": "body:", "FieldName": "b", "FieldType": "json"}
ANCHOR = effects(
    "processor_anchor",
    {"Anchors": [{"Start": "t:", "Stop": " ", "FieldName": "t"}]},
    ("SourceKey", [{"content": "t:1 ", "text": "t:2 "}], ([{"text": "t:2 ", "t": "1"}], 0), "text", ([{"content": "t:1 ", "t": "2"}], 0)),
    ("KeepSource", ["t:1 "], ([{"t": "1"}], 0), True, ([{"content": "t:1 ", "t": "1"}], 0)),
    ("NoKeyError", OTHER, SAME, True, LACKS),
    ("NoAnchorError", ["t:1", "x"], ([{"content": "t:1"}, {"content": "x"}], 0), True, ([{"content": "t:1"}, {"content": "x"}], 2)),
)  # fmt: skip


def anchor_effects(*rows: tuple[Any, ...]) -> list[Effect]:
    """Of the keys of one anchor: (key, anchor, event, default outcome, value, outcome)."""
    return [
        Effect(
            "processor_anchor", f"Anchors.{key}", [event], default, {"Anchors": [{**anchor, key: value}]}, outcome, {"Anchors": [anchor]}
        )
        for key, anchor, event, default, value, outcome in rows
    ]


NESTED = 'body:{"x": "\\u0041", "n": {"y": 1, "m": {"z": 2}}}'
ANCHOR += anchor_effects(
    ("Start", {"Stop": "|", "FieldName": "f"}, "a=b|c", ([{"f": "a=b"}], 0), "=", ([{"f": "b"}], 0)),
    ("Stop", {"Start": "=", "FieldName": "f"}, "a=b|c", ([{"f": "b|c"}], 0), "|", ([{"f": "b"}], 0)),
    ("FieldName", {"Start": "=", "FieldName": "f"}, "a=b", ([{"f": "b"}], 0), "g", ([{"g": "b"}], 0)),
    ("FieldType", {"Start": "body:", "FieldName": "b"}, 'body:{"x":1}', ([{"b": '{"x":1}'}], 0), "json", ([{"b_x": "1"}], 0)),
    (
        "ExpondJson", JSON_ANCHOR, NESTED,
        ([{"b_x": "A", "b_n": '{"y": 1, "m": {"z": 2}}'}], 0), True, ([{"b_x": "A", "b_n_y": "1", "b_n_m_z": "2"}], 0),
    ),
    ("ExpondConnecter", JSON_ANCHOR, 'body:{"x":1}', ([{"b_x": "1"}], 0), ".", ([{"b.x": "1"}], 0)),
    (
        "MaxExpondDepth", {**JSON_ANCHOR, "ExpondJson": True}, NESTED,
        ([{"b_x": "A", "b_n_y": "1", "b_n_m_z": "2"}], 0), 2, ([{"b_x": "A", "b_n_y": "1", "b_n_m": '{"z": 2}'}], 0),
    ),
    ("IgnoreJSONError", JSON_ANCHOR, "body:none", ([{"b": "none"}], 1), True, ([{"b": "none"}], 0)),
)  # fmt: skip

SPLIT_CHAR = effects(
    "processor_split_char",
    {"SplitSep": "|", "SplitKeys": ["a", "b"]},
    ("SourceKey", [{"content": "1|2", "text": "3|4"}], ([{"text": "3|4", "a": "1", "b": "2"}], 0), "text", ([{"content": "1|2", "a": "3", "b": "4"}], 0)),
    ("SplitSep", ["1|2\x01"], ([{"a": "1", "b": "2\x01"}], 0), "0x01", ([{"a": "1|2", "b": ""}], 0)),
    ("SplitKeys", ["1|2"], ([{"a": "1", "b": "2"}], 0), ["c", "a"], ([{"c": "1", "a": "2"}], 0)),
    ("QuoteFlag", ['"1|2"|3'], ([{"a": '"1', "b": '2"'}], 0), True, ([{"a": "1|2", "b": "3"}], 0), {"Quote": '"'}),
    ("Quote", ["'1|2'|\"3"], ([{"a": "'1", "b": "2'"}], 0), "'", ([{"a": "1|2", "b": '"3'}], 0), {"QuoteFlag": True, "Quote": "^"}),
    ("PreserveOthers", ["1|2|3|4"], ([{"a": "1", "b": "2"}], 0), True, ([{"a": "1", "b": "2", "_split_preserve_": "3|4"}], 0)),
    ("KeepSource", ["1|2"], ([{"a": "1", "b": "2"}], 0), True, ([{"content": "1|2", "a": "1", "b": "2"}], 0)),
    (
        "KeepSourceIfParseError", [{"content": '"1', "o": "x"}, '"1'], ([{"content": '"1', "o": "x"}, {"content": '"1'}], 0),
        False, ([{"o": "x"}], 2), {"QuoteFlag": True, "Quote": '"'},
    ),
    ("NoKeyError", OTHER, SAME, True, LACKS),
    ("NoMatchError", ["1", "1|2", "1|2|3"], ([{"a": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2"}], 0), True,
     ([{"a": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2"}], 2)),
)  # fmt: skip

SPLIT_STRING = effects(
    "processor_split_string",
    {"SplitSep": "||", "SplitKeys": ["a", "b"]},
    ("SourceKey", [{"content": "1||2", "text": "3||4"}], ([{"text": "3||4", "a": "1", "b": "2"}], 0), "text",
     ([{"content": "1||2", "a": "3", "b": "4"}], 0)),
    ("SplitSep", ["1||2-----3"], ([{"a": "1", "b": "2-----3"}], 0), "-----", ([{"a": "1||2", "b": "3"}], 0)),
    ("SplitKeys", ["1||2"], ([{"a": "1", "b": "2"}], 0), [], ([{"_split_preserve_": "1||2"}], 0), {"PreserveOthers": True}),
    ("PreserveOthers", ["1||2||3||4"], ([{"a": "1", "b": "2"}], 0), True, ([{"a": "1", "b": "2", "_split_preserve_": "3||4"}], 0)),
    ("ExpandOthers", ["1||2||3||4"], ([{"a": "1", "b": "2", "_split_preserve_": "3||4"}], 0), True, ([{"a": "1", "b": "2", "1": "3", "2": "4"}], 0),
     {"PreserveOthers": True}),
    ("ExpandKeyPrefix", ["1||2||3||4"], ([{"a": "1", "b": "2", "1": "3", "2": "4"}], 0), "e_", ([{"a": "1", "b": "2", "e_1": "3", "e_2": "4"}], 0),
     {"PreserveOthers": True, "ExpandOthers": True}),
    ("KeepSource", ["1||2"], ([{"a": "1", "b": "2"}], 0), True, ([{"content": "1||2", "a": "1", "b": "2"}], 0)),
    ("NoKeyError", OTHER, SAME, True, LACKS),
    ("NoMatchError", ["1", "1||2||3"], ([{"a": "1"}, {"a": "1", "b": "2"}], 0), True, ([{"a": "1"}, {"a": "1", "b": "2"}], 2)),
)  # fmt: skip

GONE = {"KeepSource": False}
KEY_VALUE = effects(
    "processor_split_key_value",
    GONE,
    ("SourceKey", [{"content": "a:1", "text": "b:2"}], ([{"text": "b:2", "a": "1"}], 0), "text", ([{"content": "a:1", "b": "2"}], 0)),
    ("Delimiter", ["a:1\tb:2;c:3"], ([{"a": "1", "b": "2;c:3"}], 0), ";", ([{"a": "1\tb:2", "c": "3"}], 0)),
    ("Separator", ["a:1=2"], ([{"a": "1=2"}], 0), "=", ([{"a:1": "2"}], 0)),
    ("Quote", ['a:"1\tb:2"\tc:"3'], ([{"a": '"1', "b": '2"', "c": '"3'}], 0), '"', ([{"a": "1\tb:2", "c": '"3'}], 0)),
    ("KeepSource", ["a:1"], ([{"content": "a:1", "a": "1"}], 0), False, ([{"a": "1"}], 0), {"KeepSource": True}),
    ("EmptyKeyPrefix", [":1\t:2"], ([{"empty_key_0": "1", "empty_key_1": "2"}], 1), "e", ([{"e0": "1", "e1": "2"}], 1)),
    ("NoSeparatorKeyPrefix", ["1\t2"], ([{"no_separator_key_0": "1", "no_separator_key_1": "2"}], 1), "n", ([{"n0": "1", "n1": "2"}], 1)),
    ("DiscardWhenSeparatorNotFound", ["x\ta:1", "x"], ([{"no_separator_key_0": "x", "a": "1"}, {"no_separator_key_0": "x"}], 2), True,
     ([{"a": "1"}, {"content": "x"}], 2)),
    ("ErrIfSourceKeyNotFound", OTHER, LACKS, False, SAME),
    ("ErrIfSeparatorNotFound", ["x"], ([{"no_separator_key_0": "x"}], 1), False, ([{"no_separator_key_0": "x"}], 0)),
    ("ErrIfKeyIsEmpty", [":1"], ([{"empty_key_0": "1"}], 1), False, ([{"empty_key_0": "1"}], 0)),
)  # fmt: skip

DEEP = '{"a": {"b": {"c": 1}}, "l": [1, {"k": 2}], "s": "\\n"}'
FLAT = {"_a_b_c": "1", "_l": '[1, {"k": 2}]', "_s": "\n"}
JSON = effects(
    "processor_json",
    GONE,
    ("SourceKey", [{"content": '{"a":1}', "text": '{"b":2}'}], ([{"text": '{"b":2}', "_a": "1"}], 0), "text", ([{"content": '{"a":1}', "_b": "2"}], 0)),
    ("ExpandDepth", [DEEP], ([FLAT], 0), 2, ([{"_a_b": '{"c": 1}', "_l": '[1, {"k": 2}]', "_s": "\n"}], 0)),
    ("ExpandConnector", [DEEP], ([FLAT], 0), "", ([{"abc": "1", "l": '[1, {"k": 2}]', "s": "\n"}], 0)),
    ("Prefix", ['{"a":1}'], ([{"_a": "1"}], 0), "j", ([{"j_a": "1"}], 0)),
    ("UseSourceKeyAsPrefix", ['{"a":1}'], ([{"j_a": "1"}], 0), True, ([{"jcontent_a": "1"}], 0), {"Prefix": "j"}),
    ("IgnoreFirstConnector", ['{"a":{"b":1}}'], ([{"_a_b": "1"}], 0), True, ([{"a_b": "1"}], 0)),
    ("ExpandArray", [DEEP], ([FLAT], 0), True, ([{"_a_b_c": "1", "_l[0]": "1", "_l[1]_k": "2", "_s": "\n"}], 0)),
    ("KeepSource", ['{"a":1}', "x"], ([{"content": '{"a":1}', "_a": "1"}, {"content": "x"}], 1), False, ([{"_a": "1"}, {"content": "x"}], 1),
     {"KeepSource": True}),
    ("KeepSourceIfParseError", ["x", {"content": "[]", "o": "1"}], ([{"content": "x"}, {"content": "[]", "o": "1"}], 2), False, ([{"o": "1"}], 2)),
    ("NoKeyError", OTHER, LACKS, False, SAME),
)  # fmt: skip

PACK = effects(
    "processor_packjson",
    {"SourceKeys": ["a", "b"], "DestKey": "d"},
    ("SourceKeys", [{"b": "2", "a": '1"'}], ([{"b": "2", "a": '1"', "d": '{"a":"1\\"","b":"2"}'}], 0), ["b"], ([{"b": "2", "a": '1"', "d": '{"b":"2"}'}], 0)),
    ("DestKey", [{"a": "1", "b": "2"}], ([{"a": "1", "b": "2", "d": '{"a":"1","b":"2"}'}], 0), "a", ([{"a": '{"a":"1","b":"2"}', "b": "2"}], 0)),
    ("KeepSource", [{"a": "1", "b": "2"}], ([{"a": "1", "b": "2", "d": '{"a":"1","b":"2"}'}], 0), False, ([{"d": '{"a":"1","b":"2"}'}], 0)),
    ("AlarmIfIncomplete", [{"a": "1"}, {"o": "1"}], ([{"a": "1", "d": '{"a":"1"}'}, {"o": "1", "d": "{}"}], 2), False,
     ([{"a": "1", "d": '{"a":"1"}'}, {"o": "1", "d": "{}"}], 0)),
)  # fmt: skip

CSV = effects(
    "processor_csv",
    {"SplitKeys": ["a", "b"]},
    ("SourceKey", [{"content": "1,2", "text": "3,4"}], ([{"text": "3,4", "a": "1", "b": "2"}], 0), "text", ([{"content": "1,2", "a": "3", "b": "4"}], 0)),
    ("SplitKeys", ['"1, ""x""\n",2'], ([{"a": '1, "x"\n', "b": "2"}], 0), ["b", "a"], ([{"b": '1, "x"\n', "a": "2"}], 0)),
    ("SplitSep", ["1,2;3"], ([{"a": "1", "b": "2;3"}], 0), ";", ([{"a": "1,2", "b": "3"}], 0)),
    ("TrimLeadingSpace", ['1, \t"2"'], ([{"a": "1", "b": ' \t"2"'}], 0), True, ([{"a": "1", "b": "2"}], 0)),
    ("PreserveOthers", ['1,2,"3",4'], ([{"a": "1", "b": "2"}], 1), True, ([{"a": "1", "b": "2", "_decode_preserve_": '"3",4'}], 0)),
    ("ExpandOthers", ['1,2,"3",4'], ([{"a": "1", "b": "2", "_decode_preserve_": '"3",4'}], 0), True, ([{"a": "1", "b": "2", "e1": "3", "e2": "4"}], 0),
     {"PreserveOthers": True, "ExpandKeyPrefix": "e"}),
    ("ExpandKeyPrefix", ["1,2,3"], ([{"a": "1", "b": "2", "e1": "3"}], 0), "f", ([{"a": "1", "b": "2", "f1": "3"}], 0),
     {"PreserveOthers": True, "ExpandOthers": True, "ExpandKeyPrefix": "e"}),
    ("KeepSource", ["1,2", '"1'], ([{"a": "1", "b": "2"}, {"content": '"1'}], 1), True, ([{"content": "1,2", "a": "1", "b": "2"}, {"content": '"1'}], 1)),
    ("NoKeyError", OTHER, SAME, True, LACKS),
)  # fmt: skip

GROK = effects(
    "processor_grok",
    {"Match": ["^%{WORD:w} %{INT:n}$"], "KeepSource": False},
    ("SourceKey", [{"content": "a 1", "text": "b 2"}], ([{"text": "b 2", "w": "a", "n": "1"}], 0), "text", ([{"content": "a 1", "w": "b", "n": "2"}], 0)),
    ("Match", ["a 1", "b"], ([{"w": "a", "n": "1"}, {"content": "b"}], 1), ["%{WORD:w} %{INT:n}", "%{WORD:only}"],
     ([{"w": "a", "n": "1"}, {"only": "b"}], 0)),
    ("CustomPatterns", ["x-7 1"], ([{"content": "x-7 1"}], 1), {"WORD": "[a-z]-[0-9]"}, ([{"w": "x-7", "n": "1"}], 0)),
    ("KeepSource", ["a 1"], ([{"content": "a 1", "w": "a", "n": "1"}], 0), False, ([{"w": "a", "n": "1"}], 0), {"KeepSource": True}),
    ("IgnoreParseFailure", ["?", {"content": "?", "o": "1"}], ([{"content": "?"}, {"content": "?", "o": "1"}], 2), False, ([{"o": "1"}], 2)),
    ("NoKeyError", OTHER, SAME, True, LACKS),
    ("NoMatchError", ["?"], ([{"content": "?"}], 1), False, ([{"content": "?"}], 0)),
)  # fmt: skip

SPLIT_REGEX = effects(
    "processor_split_log_regex",
    {},
    ("SplitKey", [{"content": "a\nb", "text": "c\nd"}], ([{"content": "a"}, {"content": "b"}], 0), "text", ([{"text": "c"}, {"text": "d"}], 0)),
    ("SplitRegex", ["1 a\n b\r\n2 c\n\n3"], ([{"content": "1 a"}, {"content": " b"}, {"content": "2 c"}, {"content": ""}, {"content": "3"}], 0),
     r"\d.*", ([{"content": "1 a\n b"}, {"content": "2 c\n"}, {"content": "3"}], 0)),
    ("PreserveOthers", [{"o": "1", "content": "a\nb"}], ([{"content": "a"}, {"content": "b"}], 0), True,
     ([{"o": "1", "content": "a"}, {"o": "1", "content": "b"}], 0)),
    ("NoKeyError", OTHER, ([], 0), True, ([], 1)),
)  # fmt: skip

SPLIT_TEXT = effects(
    "processor_split_log_string",
    {},
    ("SplitKey", [{"content": "a\nb", "text": "c\nd"}], ([{"content": "a"}, {"content": "b"}], 0), "text", ([{"text": "c"}, {"text": "d"}], 0)),
    ("SplitSep", ["a\n\nb||c"], ([{"content": "a"}, {"content": "b||c"}], 0), "||", ([{"content": "a\n\nb"}, {"content": "c"}], 0)),
    ("PreserveOthers", [{"o": "1", "content": "a\nb"}, *OTHER], ([{"content": "a"}, {"content": "b"}], 0), True,
     ([{"o": "1", "content": "a"}, {"o": "1", "content": "b"}, *OTHER], 0)),
    ("NoKeyError", OTHER, SAME, True, LACKS, {"PreserveOthers": True}),
)  # fmt: skip

POINT = {"t": "1700000000", "h": "web", "n": "cpu", "v": "0.5"}


def point(labels: str = "h#$#web", time: str = "7", name: str = "cpu", value: str = "0.5") -> dict[str, str]:
    return {"__labels__": labels, "__time_nano__": time, "__name__": name, "__value__": value}


METRIC = effects(
    "processor_log_to_sls_metric",
    {"MetricLabelKeys": ["h"], "MetricValues": {"n": "v"}},
    ("MetricTimeKey", [POINT, {**POINT, "t": "1700000000123"}, {**POINT, "t": "17"}], ([point()] * 3, 0), "t",
     ([point(time="1700000000000000000"), point(time="1700000000123000000")], 1)),
    ("MetricLabelKeys", [POINT], ([point()], 0), ["t", "h"], ([point("h#$#web|t#$#1700000000")], 0)),
    ("MetricValues", [{**POINT, "m": "mem", "w": "-1e3"}], ([point()], 0), {"n": "v", "m": "w"}, ([point(), point(name="mem", value="-1e3")], 0)),
    ("CustomMetricLabels", [{**POINT, "__labels__": "z#$#9"}], ([point("h#$#web|z#$#9")], 0), {"a": "b"}, ([point("a#$#b|h#$#web|z#$#9")], 0)),
    ("IgnoreError", [{**POINT, "v": "x"}, {**POINT, "h": "a|b"}, {**POINT, "n": "1"}, *OTHER], ([], 4), True, ([], 0)),
)  # fmt: skip

LINE = "[1970-01-01 00:00:01.000002]\t[INFO]\tk:v"
READ = {"__LEVEL__": "INFO", "k": "v", "microtime": "1000002"}
APSARA = effects(
    "processor_parse_apsara_native",
    {"Timezone": "GMT+00:00"},
    ("SourceKey", [{"content": "x", "text": LINE}], ([{"text": LINE}], 1), "text", ([{"content": "x", **READ}], 0)),
    ("Timezone", [LINE], ([READ], 0), "GMT-01:00", ([{**READ, "microtime": "3601000002"}], 0)),
    ("KeepingSourceWhenParseFail", ["x"], ([], 1), True, ([{"content": "x"}], 1)),
    ("KeepingSourceWhenParseSucceed", [LINE], ([READ], 0), True, ([{"content": LINE, **READ}], 0)),
    ("RenamedSourceKey", ["x"], ([{"content": "x"}], 1), "raw", ([{"raw": "x"}], 1), {"KeepingSourceWhenParseFail": True}),
    ("CopingRawLog", ["x"], ([], 1), True, ([{"__raw_log__": "x"}], 1)),
)  # fmt: skip

TABLE = [
    *REGEX, *ANCHOR, *SPLIT_CHAR, *SPLIT_STRING, *KEY_VALUE, *JSON, *PACK, *CSV, *GROK, *SPLIT_REGEX, *SPLIT_TEXT, *METRIC, *APSARA,
]  # fmt: skip
ELSEWHERE = {("processor_grok", "CustomPatternDir")}
"""Keys whose effect has a test of its own, with files."""


def seen(outcome: Any) -> Out:
    return [dict(fields) for fields in outcome.events], sum(count for count, _, _ in outcome.failures)


@pytest.mark.parametrize("effect", TABLE, ids=[f"{effect.type}-{effect.key}" for effect in TABLE])
def test_a_key_does_what_it_says(run: Any, effect: Effect) -> None:
    assert seen(run(effect.type, effect.options, *effect.events)) == effect.default
    assert seen(run(effect.type, effect.changed, *effect.events)) == effect.outcome
    assert effect.default != effect.outcome


@pytest.mark.parametrize("type_name", sorted({effect.type for effect in TABLE}))
def test_no_key_is_without_a_test_of_its_effect(type_name: str) -> None:
    model = registry.get("processor", type_name).config_model
    keys = {public_key(name, field) for name, field in model.model_fields.items() if not extra(field).get("x-ignored")}
    tested = {effect.key.partition(".")[0] for effect in TABLE if effect.type == type_name}
    assert tested | {key for owner, key in ELSEWHERE if owner == type_name} == keys


def test_no_key_of_an_anchor_is_without_a_test_of_its_effect() -> None:
    keys = {public_key(name, field) for name, field in Anchor.model_fields.items()}
    assert {effect.key.partition(".")[2] for effect in TABLE if effect.key.startswith("Anchors.")} == keys


def test_what_is_dropped_on_purpose_is_counted_too(run: Any) -> None:
    """An event that the table shows as gone, and not as failed, was discarded."""
    assert run("processor_split_log_string", {}, *OTHER).discards == [(1, "has no field `content`")]
    assert run("processor_split_log_string", {}, "\n\n").discards == [(1, "`content` is empty")]
    ignored = run("processor_log_to_sls_metric", {"MetricLabelKeys": ["h"], "MetricValues": {"n": "v"}, "IgnoreError": True}, *OTHER)
    assert [count for count, _ in ignored.discards] == [1]
