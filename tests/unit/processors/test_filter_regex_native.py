"""processor_filter_regex_native."""

from typing import Any

import pytest

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.processors.filter_regex_native import blank

TYPE = "processor_filter_regex_native"
EVENTS = [{"level": "INFO", "url": "/"}, {"level": "WARN", "url": "/health"}, {"level": "ERROR"}, {"url": "/login"}]


def leaf(key: str, exp: str) -> dict[str, Any]:
    return {"key": key, "type": "regex", "exp": exp}


WARN, HEALTH = leaf("level", "WARN|ERROR"), leaf("url", "/health.*")


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"Include": {"level": "WARN|ERROR"}}, [1, 2]),
        ({"FilterKey": ["level"], "FilterRegex": ["WARN|ERROR"]}, [1, 2]),
        ({"Include": {"level": "WARN|ERROR", "url": "/.*"}}, [1]),
        ({"Include": {"level": "WAR"}}, []),
        ({"Exclude": {"level": "INFO", "url": "/login"}}, [1, 2]),
        ({"Include": {"url": ".*"}, "Exclude": {"url": "/health.*"}}, [0, 3]),
        ({"Include": {"level": r"^(?!.*(INFO|DEBUG)).*"}}, [1, 2]),
        ({"ConditionExp": WARN}, [1, 2]),
        ({"ConditionExp": {"operator": "and", "operands": [WARN, HEALTH]}}, [1]),
        ({"ConditionExp": {"operator": "or", "operands": [HEALTH, leaf("url", "/login"), leaf("url", "/zzz")]}}, [1, 3]),
        ({"ConditionExp": {"operator": "not", "operands": [HEALTH]}}, [0, 2, 3]),
        ({"ConditionExp": {"operator": "and", "operands": [WARN, {"operator": "not", "operands": [HEALTH]}]}}, [2]),
        ({"ConditionExp": leaf("level", "WAR")}, []),
        ({"ConditionExp": WARN, "Exclude": {"url": "/health.*"}}, [2]),
    ],
)
def test_which_events_stay(run, options, kept):
    out = run(TYPE, options, *EVENTS)
    assert out.events == [list(EVENTS[index].items()) for index in kept]
    assert sum(count for count, _ in out.discards) == len(EVENTS) - len(kept)
    assert out.failures == []


def test_dropped_events_are_counted_by_reason(run):
    out = run(TYPE, {"Include": {"url": ".*"}, "Exclude": {"url": "/health.*"}}, *EVENTS)
    assert out.discards == [(1, "does not match the filter"), (1, "matches `Exclude`")]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({}, "Include: is missing (a filter needs `Include`, `Exclude`, `ConditionExp`, or `FilterKey` with `FilterRegex`)"),
        (
            {"FilterKey": ["a", "b"], "FilterRegex": ["x"]},
            "FilterRegex: 1 pattern for 2 fields of `FilterKey` (give one pattern per field)",
        ),
        (
            {"FilterKey": ["a"], "FilterRegex": ["x"], "Include": {"b": "y"}},
            "Include: cannot stand beside `FilterKey` (they say the same; keep one of them)",
        ),
        ({"FilterKey": ["a", "a"], "FilterRegex": ["x", "y"]}, "FilterKey: names a field twice (join its patterns into one)"),
        ({"Include": {"a": 1}}, "Include.a: expected a string, got the number `1`"),
        (
            {"ConditionExp": {"key": "a", "exp": "b"}, "Include": {"a": "b"}},
            "ConditionExp: cannot stand beside `Include` (write all conditions into the tree)",
        ),
        ({"ConditionExp": {"key": "a"}}, "ConditionExp.exp: is missing (the pattern that the field must match)"),
        ({"ConditionExp": {"exp": "a"}}, "ConditionExp.key: is missing (a condition has `key` and `exp`, or `operator` and `operands`)"),
        ({"ConditionExp": {"operands": [leaf("a", "b")]}}, "ConditionExp.operator: is missing (it joins `operands`: `and`, `or` or `not`)"),
        ({"ConditionExp": {"operator": "and"}}, "ConditionExp.operands: is missing (`and` joins a list of conditions)"),
        (
            {"ConditionExp": {"operator": "not", "operands": [leaf("a", "b"), leaf("c", "d")]}},
            "ConditionExp.operands: holds 2 conditions; `not` takes one (join them by `and` or `or`)",
        ),
        (
            {"ConditionExp": {"operator": "not", "operands": [leaf("a", "b")], "exp": "x"}},
            "ConditionExp.exp: has no meaning beside `operator`",
        ),
        (
            {"ConditionExp": {"operator": "xor", "operands": [leaf("a", "b")]}},
            "ConditionExp.operator: expected one of `and`, `or`, `not`, got the string `xor`",
        ),
        ({"ConditionExp": leaf("a", "b") | {"type": "glob"}}, "ConditionExp.type: expected one of `regex`, got the string `glob`"),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, options) == [mistake]


def test_a_bad_pattern_names_its_place(refusals):
    assert refusals(TYPE, {"Include": {"a": "("}})[0].startswith("Include.a: ")
    assert refusals(TYPE, {"FilterKey": ["a"], "FilterRegex": ["("]})[0].startswith("FilterRegex.0: ")


def test_a_pattern_in_a_tree_is_listed_and_a_bad_one_names_its_place(refusals):
    tree = {"operator": "and", "operands": [leaf("a", "b"), leaf("a", "(")]}
    assert refusals(TYPE, {"ConditionExp": tree})[0].startswith("ConditionExp.operands.1.exp: ")
    config = registry.get("processor", TYPE).config_model.model_validate({"ConditionExp": {**tree, "operands": [WARN, HEALTH]}})
    assert {key: text for key, text in config.patterns() if text} == {
        "ConditionExp.operands[0].exp": "WARN|ERROR",
        "ConditionExp.operands[1].exp": "/health.*",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", b"plain"),
        ("é€".encode(), "é€".encode()),
        (b"a\xff\xfeb", b"a  b"),
        (b"\xe2\x82", b"  "),
        (b"\xe2\x82x\xc0\x80", b"  x  "),
    ],
)
def test_bytes_that_are_not_utf8_become_spaces(value, text):
    batch = EventBatch.from_events([(1, [(value, value), (b"k", value), (b"k", value)]), (2, [(b"x", "ü".encode())])])
    blank(batch)
    assert batch.rows() == [(1, [(text, text), (b"k", text), (b"k", text)]), (2, [(b"x", "ü".encode())])]
    assert batch.discarded == 0


def test_blanking_is_asked_for_by_its_key():
    entry = registry.get("processor", TYPE)
    for asked, value in ((True, b" "), (False, b"\xff")):
        batch = EventBatch.from_events([(1, [(b"a", b"\xff")])])
        entry.cls(entry.config_model.model_validate({"DiscardingNonUTF8": asked, "Exclude": {"b": "x"}})).process(batch)
        assert batch.column(b"a") == [value]
