"""processor_filter_key_regex: events are kept by the names of their fields."""

import pytest


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"Include": ["^key"]}, ["key1", "debug"]),
        ({"Include": ["ey", "1"]}, ["key1"]),
        ({"Include": ["^key", "^debug_"]}, ["debug"]),
        ({"Exclude": ["^debug_", "^nothing$"]}, ["key1", "other"]),
        ({"Include": ["^key"], "Exclude": ["1$"]}, ["debug"]),
    ],
)
def test_each_pattern_is_looked_for_in_all_names(run, options, kept):
    events = [{"id": "key1", "key1": "a"}, {"id": "other", "o": "key1"}, {"id": "debug", "key2": "", "debug_x": "y"}]
    out = run("processor_filter_key_regex", options, *events)
    assert [dict(event)["id"] for event in out.events] == kept
    assert sum(count for count, _ in out.discards) == 3 - len(kept)


def test_a_filter_without_patterns_is_refused(refusals):
    assert refusals("processor_filter_key_regex", {}) == ["Include: is missing (a filter needs `Include` or `Exclude`)"]
