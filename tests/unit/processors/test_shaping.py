"""processor_rename, processor_drop and processor_add_fields."""

import pytest


@pytest.mark.parametrize(
    ("options", "event", "after"),
    [
        ({"SourceKeys": ["a"], "DestKeys": ["b"]}, {"x": "0", "a": "1", "y": "2"}, [("x", "0"), ("b", "1"), ("y", "2")]),
        ({"SourceKeys": ["a", "b"], "DestKeys": ["b", "c"]}, {"a": "1"}, [("c", "1")]),
        ({"SourceKeys": ["a"], "DestKeys": ["b"]}, {"a": "1", "b": "old"}, [("b", "1")]),
        ({"SourceKeys": ["a"], "DestKeys": ["b"]}, {"c": "1"}, [("c", "1")]),
    ],
)
def test_rename(run, options, event, after):
    out = run("processor_rename", options, event)
    assert (out.events, out.failures) == ([after], [])


def test_rename_can_count_events_that_lack_the_field(run):
    out = run("processor_rename", {"SourceKeys": ["a"], "DestKeys": ["b"], "NoKeyError": True}, {"a": "1"}, {"c": "2"}, {"c": "3"})
    assert out.failures == [(2, "has no field `a`", "")]
    assert out.events == [[("b", "1")], [("c", "2")], [("c", "3")]]


def test_drop(run):
    out = run("processor_drop", {"DropKeys": ["a", "z"]}, {"a": "1", "b": "2"}, {"b": "3"})
    assert out.events == [[("b", "2")], [("b", "3")]]


@pytest.mark.parametrize(("ignore", "kept"), [(False, "new"), (True, "old")])
def test_add_fields(run, ignore, kept):
    out = run("processor_add_fields", {"Fields": {"a": "new", "b": "é"}, "IgnoreIfExist": ignore}, {"a": "old"}, {"c": "1"})
    assert out.events == [[("a", kept), ("b", "é")], [("c", "1"), ("a", "new"), ("b", "é")]]


@pytest.mark.parametrize(
    ("type_name", "options", "mistake"),
    [
        (
            "processor_rename",
            {"SourceKeys": ["a"], "DestKeys": ["b", "c"]},
            "DestKeys: 2 names for 1 field of `SourceKeys` (give one name per field)",
        ),
        ("processor_drop", {"DropKeys": []}, "DropKeys: must not be empty (The fields to remove; events without them stay as they are.)"),
        ("processor_add_fields", {"Fields": {}}, "Fields: must not be empty (Field → value.)"),
        ("processor_add_fields", {"Fields": {"a": 1}}, "Fields.a: expected a string, got the number `1`"),
        ("processor_add_fields", {"Fields": ["a"]}, "Fields: expected a map of strings to strings, got a list"),
    ],
)
def test_refusals(refusals, type_name, options, mistake):
    assert refusals(type_name, options) == [mistake]
