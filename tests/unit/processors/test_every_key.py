"""Every key of the processors that shape events, with its default by the manual and the proof that it does something.

`CASES` has for each key what its default is (`REQUIRED` where it has none), a change of it, and events of which the change makes something
else. What exactly each key does stands in the tests named after the processors.
"""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tailrace.pipeline import registry
from tailrace.pipeline.reference import key_rows
from tests.unit.processors.places import write

REQUIRED: Final = "required"
GROUP: Final = ""
"""The default of a key that holds further keys."""
KEY, OTHER_KEY = "00" * 16, "ff" * 16


class Case(NamedTuple):
    """`base` and `change` are options; `change` is laid over `base`."""

    type: str
    key: str
    default: Any
    base: dict[str, Any]
    change: dict[str, Any]
    events: list[dict[str, str]]


def cases(type_name: str, base: dict[str, Any], events: list[dict[str, str]], **keys: tuple[Any, ...]) -> list[Case]:
    """Each key: (default, changed value), then other base options and other events where it needs them."""
    made: list[Case] = []
    for key, (default, changed, *others) in keys.items():
        options = {**base, **(others[0] if others else {})}
        made.append(Case(type_name, key, default, options, {key: changed}, others[1] if len(others) > 1 else events))
    return made


def nested(type_name: str, key: str, default: Any, base: dict[str, Any], change: dict[str, Any], *events: dict[str, str]) -> Case:
    return Case(type_name, key, default, base, change, list(events))


LEAF, OTHER_LEAF = {"key": "a", "exp": "1"}, {"key": "b", "exp": "2"}
BOTH = {"operator": "and", "operands": [LEAF, OTHER_LEAF]}
FILTER = "processor_filter_regex_native"
FILTERS = [
    *cases(
        FILTER,
        {"Include": {"a": "1"}},
        [{"a": "1", "b": "2"}, {"a": "2"}],
        Include=({}, {"a": "2"}),
        Exclude=({}, {"b": "2"}),
    ),
    nested(FILTER, "FilterKey", [], {"FilterKey": ["a"], "FilterRegex": ["1"]}, {"FilterKey": ["b"]}, {"a": "1"}),
    nested(FILTER, "FilterRegex", [], {"FilterKey": ["a"], "FilterRegex": ["1"]}, {"FilterRegex": ["2"]}, {"a": "1"}),
    nested(FILTER, "ConditionExp.operator", GROUP, {"ConditionExp": BOTH}, {"ConditionExp": {**BOTH, "operator": "or"}}, {"a": "1"}),
    nested(FILTER, "ConditionExp.operands", [], {"ConditionExp": BOTH}, {"ConditionExp": {**BOTH, "operands": [LEAF]}}, {"a": "1"}),
    nested(FILTER, "ConditionExp.key", "", {"ConditionExp": LEAF}, {"ConditionExp": {**LEAF, "key": "b"}}, {"a": "1"}),
    nested(FILTER, "ConditionExp.exp", "", {"ConditionExp": LEAF}, {"ConditionExp": {**LEAF, "exp": "2"}}, {"a": "1"}),
    *cases(
        "processor_filter_regex",
        {"Include": {"a": "1"}},
        [{"a": "21", "b": "2"}, {"a": "2"}],
        Include=({}, {"a": "^1"}),
        Exclude=({}, {"b": "2"}),
    ),
    *cases("processor_filter_key_regex", {"Include": ["a"]}, [{"a": "1", "b": "2"}, {"a": "3"}], Include=([], ["b"]), Exclude=([], ["b"])),
    *cases(
        "processor_timestamp_filter_native",
        {"SourceKey": "t", "LowerBound": 10},
        [{"t": "9"}, {"t": "11"}, {"t": "9999999999"}],
        SourceKey=("", "u"),
        TimestampPrecision=("second", "nanosecond", {"SourceKey": "", "LowerBound": 1, "UpperBound": 100}, [{}]),
        UpperBound=(2**63 - 1, 11),
        LowerBound=(0, 12),
    ),
    *cases("processor_rate_limit", {"Limit": "1/h"}, [{"a": "1"}, {"a": "2"}, {"a": "2"}], Fields=([], ["a"]), Limit=(REQUIRED, "2/h")),
]

FIELDS = [
    *cases("processor_add_fields", {"Fields": {"a": "new"}}, [{"a": "old"}], Fields=(REQUIRED, {"b": "new"}), IgnoreIfExist=(False, True)),
    *cases("processor_drop", {"DropKeys": ["a"]}, [{"a": "1", "b": "2"}], DropKeys=(REQUIRED, ["b"])),
    *cases(
        "processor_rename",
        {"SourceKeys": ["a"], "DestKeys": ["c"]},
        [{"a": "1"}, {"b": "2"}],
        SourceKeys=(REQUIRED, ["b"]),
        DestKeys=(REQUIRED, ["d"]),
        NoKeyError=(False, True),
    ),
    *cases("processor_pick_key", {"Include": ["a", "b"]}, [{"a": "1", "b": "2"}], Include=([], ["a"]), Exclude=([], ["b"])),
    *cases(
        "processor_drop_last_key",
        {"Include": ["a"], "DropKey": "raw"},
        [{"a": "1", "raw": "x"}],
        Include=(REQUIRED, ["z"]),
        DropKey=(REQUIRED, "a"),
    ),
    *cases(
        "processor_appender",
        {"Key": "a", "Value": "|b#$#2|a#$#1"},
        [{"a": "c#$#3"}],
        Key=(REQUIRED, "b"),
        Value=(REQUIRED, "x"),
        SortLabels=(False, True),
    ),
    *cases(
        "processor_dict_map",
        {"SourceKey": "a", "DestKey": "d", "MapDict": {"1": "one"}},
        [{"a": "1", "d": "old"}, {"b": "1"}],
        SourceKey=(REQUIRED, "b"),
        DestKey=("", "e"),
        MapDict=({}, {"1": "uno"}),
        HandleMissing=(False, True),
        Missing=("Unknown", "-", {"HandleMissing": True}),
        Mode=("overwrite", "fill"),
    ),
    *cases(
        "processor_string_replace",
        {"SourceKey": "a", "Method": "const", "Match": ".", "ReplaceString": "-"},
        [{"a": "1.2", "b": "."}],
        SourceKey=(REQUIRED, "b"),
        Method=(REQUIRED, "regex"),
        Match=("", "1"),
        ReplaceString=("", "+"),
        DestKey=("", "d"),
    ),
]

CLOUD = cases(
    "processor_cloud_meta",
    {"Platform": "mock", "Metadata": ["__cloud_zone__"]},
    [{"a": "{}"}],
    Metadata=(REQUIRED, ["__cloud_region__"]),
    RenameMetadata=({}, {"__cloud_zone__": "zone"}),
    JSONPath=("", "a"),
)
SWITCH = "processor_fields_with_condition"
EQUALS: dict[str, Any] = {"FieldConditions": {"a": "1"}}
ADD = {"type": "processor_add_fields", "Fields": {"a": "new"}}


def switch(case: dict[str, Any], *actions: dict[str, Any]) -> dict[str, Any]:
    return {"Switch": [{"Case": case, "Actions": list(actions)}]}


CONDITIONS = [
    *cases(SWITCH, switch(EQUALS, ADD), [{"a": "1"}, {"a": "2"}], DropIfNotMatchCondition=(False, True)),
    nested(
        SWITCH,
        "Switch[].Case.LogicalOperator",
        "and",
        *(switch({"LogicalOperator": how, "FieldConditions": {"a": "1", "b": "2"}}, ADD) for how in ("and", "or")),
        {"a": "1"},
    ),
    nested(
        SWITCH,
        "Switch[].Case.RelationOperator",
        "equals",
        *(switch({**EQUALS, "RelationOperator": how}, ADD) for how in ("equals", "contains")),
        {"a": "21"},
    ),
    nested(
        SWITCH, "Switch[].Case.FieldConditions", REQUIRED, switch(EQUALS, ADD), switch({"FieldConditions": {"a": "2"}}, ADD), {"a": "1"}
    ),
    nested(
        SWITCH,
        "Switch[].Actions[].type",
        REQUIRED,
        switch(EQUALS, ADD),
        switch(EQUALS, {"type": "processor_drop", "DropKeys": ["a"]}),
        {"a": "1"},
    ),
    nested(SWITCH, "Switch[].Actions[].Fields", {}, switch(EQUALS, ADD), switch(EQUALS, {**ADD, "Fields": {"b": "new"}}), {"a": "1"}),
    nested(
        SWITCH, "Switch[].Actions[].IgnoreIfExist", False, switch(EQUALS, ADD), switch(EQUALS, {**ADD, "IgnoreIfExist": True}), {"a": "1"}
    ),
    nested(
        SWITCH,
        "Switch[].Actions[].DropKeys",
        [],
        *(switch(EQUALS, {"type": "processor_drop", "DropKeys": [key]}) for key in "ab"),
        {"a": "1", "b": "2"},
    ),
]

MASKS = [
    *cases(
        "processor_desensitize_native",
        {"ReplacingString": "*", "ReplacedContentPattern": "x"},
        [{"content": "axbx", "other": "x"}],
        SourceKey=("content", "other"),
        Method=("const", "md5", {"ReplacingString": ""}),
        ReplacingString=("", "+"),
        ContentPatternBeforeReplacedString=("", "b"),
        ReplacedContentPattern=(REQUIRED, "b"),
        ReplacingAll=(True, False),
    ),
    *cases(
        "processor_desensitize",
        {"SourceKey": "a", "Method": "const", "Match": "regex", "ReplaceString": "*", "RegexBegin": "a", "RegexContent": "x"},
        [{"a": "axbx", "b": "ax"}],
        SourceKey=(REQUIRED, "b"),
        Method=(REQUIRED, "md5"),
        ReplaceString=("", "+"),
        RegexBegin=("", "b"),
        RegexContent=("", "b"),
    ),
    nested(
        "processor_desensitize",
        "Match",
        REQUIRED,
        {"SourceKey": "a", "Method": "md5", "Match": "full"},
        {"Match": "regex", "RegexBegin": "a", "RegexContent": "x"},
        {"a": "axbx"},
    ),
    *cases(
        "processor_encrypt",
        {"SourceKeys": ["a"], "EncryptionParameters": {"Key": KEY}},
        [{"a": "1", "b": "2"}],
        SourceKeys=(REQUIRED, ["b"]),
    ),
    nested(
        "processor_encrypt",
        "EncryptionParameters.Key",
        "",
        *({"SourceKeys": ["a"], "EncryptionParameters": {"Key": key}} for key in (KEY, OTHER_KEY)),
        {"a": "1"},
    ),
    nested(
        "processor_encrypt",
        "EncryptionParameters.IV",
        "0" * 32,
        *({"SourceKeys": ["a"], "EncryptionParameters": {"Key": KEY, "IV": iv}} for iv in (KEY, OTHER_KEY)),
        {"a": "1"},
    ),
    nested(
        "processor_encrypt",
        "EncryptionParameters.KeyFilePath",
        "",
        *({"SourceKeys": ["a"], "EncryptionParameters": {"Key": KEY, "KeyFilePath": path}} for path in ("", "{tmp}/key.json")),
        {"a": "1"},
    ),
    *cases(
        "processor_md5",
        {"SourceKey": "a", "MD5Key": "m"},
        [{"a": "1", "b": "2"}, {}],
        SourceKey=(REQUIRED, "b"),
        MD5Key=(REQUIRED, "n"),
        NoKeyError=(False, True),
    ),
    *cases(
        "processor_base64_encoding",
        {"SourceKey": "a"},
        [{"a": "1", "b": "2"}, {}],
        SourceKey=(REQUIRED, "b"),
        NewKey=("", "n"),
        NoKeyError=(False, True),
    ),
    *cases(
        "processor_base64_decoding",
        {"SourceKey": "a"},
        [{"a": "QQ==", "b": "Qg=="}, {}, {"a": "?"}],
        SourceKey=(REQUIRED, "b"),
        NewKey=("", "n"),
        NoKeyError=(False, True),
        DecodeError=(False, True),
    ),
]

MACHINE = -100
TIMES = [
    *cases(
        "processor_strptime",
        {"SourceKey": "a", "Format": "%Y-%m-%d", "AdjustUTCOffset": True},
        [{"a": "2026-01-02", "b": "2026-01-03"}, {"a": "never"}],
        SourceKey=(REQUIRED, "b"),
        Format=(REQUIRED, "%Y-%d-%m"),
        UTCOffset=(0, 3600),
        AlarmIfFail=(True, False),
        KeepSource=(True, False),
        EnablePreciseTimestamp=(False, True),
        PreciseTimestampKey=("precise_timestamp", "p", {"EnablePreciseTimestamp": True}),
        PreciseTimestampUnit=("ms", "ns", {"EnablePreciseTimestamp": True}),
    ),
    nested(
        "processor_strptime",
        "AdjustUTCOffset",
        False,
        {"SourceKey": "a", "Format": "%Y-%m-%d", "UTCOffset": 30},  # no zone of a machine is 30 seconds off
        {"AdjustUTCOffset": True},
        {"a": "2026-01-02"},
    ),
    *cases(
        "processor_gotime",
        {"SourceKey": "a", "SourceFormat": "seconds", "DestKey": "d", "DestFormat": "2006", "DestLocation": 0},
        [{"a": "86400", "b": "60"}, {"b": "7"}, {"a": "never"}],
        SourceKey=(REQUIRED, "b"),
        SourceFormat=(REQUIRED, "milliseconds"),
        SourceLocation=(MACHINE, 14, {"SourceFormat": "2006", "SourceLocation": 3}, [{"a": "2026"}]),
        DestKey=(REQUIRED, "e"),
        DestFormat=(REQUIRED, "15:04"),
        DestLocation=(MACHINE, 3, {"DestFormat": "15:04"}),
        SetTime=(True, False),
        KeepSource=(True, False),
        NoKeyError=(True, False),
        AlarmIfFail=(True, False),
    ),
]

PLACE = {"SourceKey": "a", "DBPath": "{tmp}/places.mmdb", "Language": "en"}
PLACES = cases(
    "processor_geoip",
    PLACE,
    [{"a": "203.0.113.7", "b": "2001:db8::1"}, {"a": "10.0.0.7"}, {}],
    SourceKey=(REQUIRED, "b"),
    DBPath=(REQUIRED, "{tmp}/none.mmdb"),
    Language=("zh-CN", "zh-CN"),
    KeepSource=(True, False),
    NoKeyError=(False, True),
    NoMatchError=(False, True),
    IPValueFlag=(False, True, {}, [{"a": "3405803783"}]),
    NoCountry=(False, True),
    NoCountryCode=(False, True),
    NoProvince=(False, True),
    NoCity=(False, True),
    NoCoordinate=(False, True),
)

CASES = [*FILTERS, *FIELDS, *CLOUD, *CONDITIONS, *MASKS, *TIMES, *PLACES]
ELSEWHERE = {
    (FILTER, "ConditionExp.type"): "has one value",
    (FILTER, "DiscardingNonUTF8"): "test_filter_regex_native: bytes that are no text cannot be written here",
    ("processor_cloud_meta", "Platform"): "test_cloud_meta: needs a cloud",
    ("processor_cloud_meta", "ReadOnce"): "test_cloud_meta: needs a cloud",
    ("processor_dict_map", "DictFilePath"): "test_dict_map: a file takes the place of `MapDict`",
    ("processor_dict_map", "MaxDictSize"): "test_dict_map: a larger dictionary is refused",
    ("processor_encrypt", "KeepSourceValueIfError"): "test_digests: needs a library that fails",
}
"""Keys whose effect is shown in another way, and where."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    write(directory / "places.mmdb")
    (directory / "key.json").write_text(json.dumps({"Key": OTHER_KEY}))
    return directory


def filled_in(options: Any, files: Path) -> Any:
    return json.loads(json.dumps(options).replace("{tmp}", str(files)))


@pytest.mark.parametrize("case", CASES, ids=[f"{case.type}-{case.key}" for case in CASES])
def test_each_key_does_something(run, files, case):
    def outcome(options: dict[str, Any]) -> Any:
        try:
            return run(case.type, filled_in(options, files), *case.events)
        except registry.ConfigError as error:
            return error.message

    assert outcome(case.base) != outcome({**case.base, **case.change})


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.default != GROUP], ids=[f"{c.type}-{c.key}" for c in CASES if c.default != GROUP]
)
def test_defaults_are_the_manuals(case):
    rows = {row["key"]: row["default"] for row in key_rows(registry.get("processor", case.type).config_model)}
    expected = case.default if case.default == REQUIRED else json.dumps(case.default)
    assert rows[case.key] == ("" if case.key == "EncryptionParameters.Key" else expected), "a secret's default is not shown"


@pytest.mark.parametrize("type_name", sorted({case.type for case in CASES}))
def test_no_key_is_left_out(type_name):
    keys = {row["key"] for row in key_rows(registry.get("processor", type_name).config_model)}
    groups = {key for key in keys if any(other.startswith((f"{key}.", f"{key}[].")) for other in keys)}
    shown = {case.key for case in CASES if case.type == type_name}
    elsewhere = {key for other, key in ELSEWHERE if other == type_name}
    assert keys - groups - elsewhere == shown - groups
