"""processor_filter_regex_native."""

import pytest

TYPE = "processor_filter_regex_native"
EVENTS = [{"level": "INFO", "url": "/"}, {"level": "WARN", "url": "/health"}, {"level": "ERROR"}, {"url": "/login"}]


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
        ({}, "Include: is missing (a filter needs `Include`, `Exclude`, or `FilterKey` with `FilterRegex`)"),
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
        ({"ConditionExp": {}, "Include": {"a": "b"}}, "ConditionExp: this release cannot do that yet (remove the key)"),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, options) == [mistake]


def test_a_bad_pattern_names_its_place(refusals):
    assert refusals(TYPE, {"Include": {"a": "("}})[0].startswith("Include.a: ")
    assert refusals(TYPE, {"FilterKey": ["a"], "FilterRegex": ["("]})[0].startswith("FilterRegex.0: ")
