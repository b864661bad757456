"""processor_pick_key, processor_drop_last_key and processor_appender."""

import socket

import pytest

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.processors.appender import sorted_labels


@pytest.mark.parametrize(
    ("options", "event", "after"),
    [
        ({"Include": ["a", "c"]}, {"a": "1", "b": "2", "c": ""}, [("a", "1"), ("c", "")]),
        ({"Exclude": ["b"]}, {"a": "1", "b": "2"}, [("a", "1")]),
        ({"Include": ["a", "b"], "Exclude": ["b"]}, {"a": "1", "b": "2", "c": "3"}, [("a", "1")]),
        ({"Include": ["a"]}, {"a": ""}, [("a", "")]),
    ],
)
def test_pick_key(run, options, event, after):
    out = run("processor_pick_key", options, event)
    assert (out.events, out.discards) == ([after], [])


@pytest.mark.parametrize("options", [{"Include": ["a"]}, {"Exclude": ["b"]}])
def test_an_event_of_which_nothing_is_left_is_discarded(run, options):
    out = run("processor_pick_key", options, {"a": "1"}, {"b": "2"})
    assert out.events == [[("a", "1")]]
    assert out.discards == [(1, "has none of the fields that are kept")]


@pytest.mark.parametrize(
    ("event", "after"),
    [
        ({"raw": "x", "a": "1"}, [("a", "1")]),
        ({"b": "", "raw": "x"}, [("b", "")]),
        ({"raw": "x"}, [("raw", "x")]),
        ({"a": "1"}, [("a", "1")]),
    ],
)
def test_drop_last_key(run, event, after):
    options = {"Include": ["a", "b"], "DropKey": "raw"}
    assert run("processor_drop_last_key", options, event).events == [after]
    assert run("processor_drop_last_key", options, event, {"raw": "y"}).events == [after, [("raw", "y")]]


def test_appender_fills_in_what_the_agent_knows(monkeypatch):
    monkeypatch.setenv("POD_NAME", "web-1")
    entry = registry.get("processor", "processor_appender")
    value = "|{{__host__}}|{{__ip__}}|{{$POD_NAME}}|{{$NOT_SET_HERE}}|{x}"
    plugin = entry.cls(entry.config_model.model_validate({"Key": "k", "Value": value}))
    plugin.start(None)
    batch = EventBatch.from_events([(1, [(b"k", b"old")]), (2, [])])
    batch.source = b"10.0.0.7"
    plugin.process(batch)
    text = f"|{socket.gethostname()}|10.0.0.7|web-1||{{x}}".encode()
    assert batch.column(b"k") == [b"old" + text, text]


def test_appender_can_sort_labels(run):
    options = {"Key": "k", "Value": "|b#$#2|rubbish|a#$#1#$#x"}
    assert run("processor_appender", options, {"k": "c#$#3"}).events == [[("k", "c#$#3|b#$#2|rubbish|a#$#1#$#x")]]
    assert run("processor_appender", options | {"SortLabels": True}, {"k": "c#$#3"}).events == [[("k", "a#$#1#$#x|b#$#2|c#$#3")]]
    assert sorted_labels(b"no labels|at all") == b"no labels|at all"


@pytest.mark.parametrize(
    ("type_name", "options", "mistake"),
    [
        ("processor_pick_key", {}, "Include: is missing (give `Include`, `Exclude` or both)"),
        ("processor_drop_last_key", {"Include": ["a"]}, "DropKey: is missing (The field that is removed then.)"),
        (
            "processor_drop_last_key",
            {"Include": [], "DropKey": "raw"},
            "Include: must not be empty (The fields of which one at least shows that parsing succeeded.)",
        ),
        (
            "processor_appender",
            {"Key": "k", "Value": "{{__ecs_zone_id__}}"},
            "Value: `{{__ecs_zone_id__}}` is unknown (known are `{{__ip__}}`, `{{__host__}}` and `{{$NAME}}`)",
        ),
    ],
)
def test_refusals(refusals, type_name, options, mistake):
    assert refusals(type_name, options) == [mistake]
