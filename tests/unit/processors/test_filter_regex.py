"""processor_filter_regex."""

import pytest

TYPE = "processor_filter_regex"
EVENTS = [
    {"ip": "10.1.1.1", "method": "POST", "browser": "aliyun-sdk-java"},
    {"ip": "10.1.1.1", "method": "POST", "browser": "chrome"},
    {"ip": "192.168.1.1", "method": "POST"},
    {"method": "POST"},
]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"Include": {"ip": "^10[.]", "method": "OS"}}, [0, 1]),
        ({"Include": {"ip": "^10[.]", "method": "POST"}, "Exclude": {"browser": "aliyun.*"}}, [1]),
        ({"Exclude": {"browser": "sdk", "ip": "168"}}, [1, 3]),
        ({"Include": {"ip": "0[.]1$"}}, []),
        ({"Include": {"method": "(?i)post"}}, [0, 1, 2, 3]),
    ],
)
def test_which_events_stay(run, options, kept):
    out = run(TYPE, options, *EVENTS)
    assert out.events == [list(EVENTS[index].items()) for index in kept]
    assert sum(count for count, _ in out.discards) == len(EVENTS) - len(kept)


def test_dropped_events_are_counted_by_reason(run):
    out = run(TYPE, {"Include": {"ip": "10"}, "Exclude": {"browser": "chrome"}}, *EVENTS)
    assert out.discards == [(2, "does not match `Include`"), (1, "matches `Exclude`")]


def test_refusals(refusals):
    assert refusals(TYPE, {}) == ["Include: is missing (a filter needs `Include` or `Exclude`)"]
    assert refusals(TYPE, {"Exclude": {"a": "("}})[0].startswith("Exclude.a: ")
