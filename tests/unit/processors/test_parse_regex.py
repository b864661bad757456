"""processor_parse_regex_native."""

import pytest

TYPE = "processor_parse_regex_native"
BASE = {"Regex": r"(\w+) (.*)", "Keys": ["level", "message"]}
FAILURE = "`content` does not match `Regex`"


def test_groups_become_fields_and_the_source_goes(run):
    out = run(TYPE, BASE, "INFO all is well", "WARN ")
    assert out.events == [[("level", "INFO"), ("message", "all is well")], [("level", "WARN"), ("message", "")]]
    assert out.failures == []


def test_the_whole_field_must_match(run):
    out = run(TYPE, {**BASE, "Regex": r"(\w+) (\d+)", "KeepingSourceWhenParseFail": True}, "a 1", "a 1 ", " a 1")
    assert out.events == [[("level", "a"), ("message", "1")], [("content", "a 1 ")], [("content", " a 1")]]
    assert out.failures == [(2, FAILURE, "a 1 ")]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, None),
        ({"KeepingSourceWhenParseFail": True}, [("content", "bad")]),
        ({"KeepingSourceWhenParseFail": True, "RenamedSourceKey": "line"}, [("line", "bad")]),
        ({"CopingRawLog": True}, [("__raw_log__", "bad")]),
        ({"CopyingRawLog": True}, [("__raw_log__", "bad")]),
        ({"CopingRawLog": True, "KeepingSourceWhenParseFail": True}, [("content", "bad"), ("__raw_log__", "bad")]),
    ],
)
def test_what_stays_of_an_event_that_does_not_match(run, options, left):
    out = run(TYPE, {**BASE, **options}, "bad")
    assert out.events == ([left] if left else [])
    assert out.failures == [(1, FAILURE, "bad")]


def test_other_fields_survive_a_failure(run):
    out = run(TYPE, BASE, {"content": "bad", "file": "/a"})
    assert out.events == [[("file", "/a")]]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, [("level", "a"), ("message", "b")]),
        ({"KeepingSourceWhenParseSucceed": True}, {("level", "a"), ("message", "b"), ("content", "a b")}),
        ({"KeepingSourceWhenParseSucceed": True, "RenamedSourceKey": "line"}, {("level", "a"), ("message", "b"), ("line", "a b")}),
    ],
)
def test_what_stays_of_the_source_after_success(run, options, left):
    (event,) = run(TYPE, {**BASE, **options}, "a b").events
    assert (set(event) if isinstance(left, set) else event) == left


def test_events_without_the_field_are_left_alone(run):
    out = run(TYPE, {**BASE, "SourceKey": "line"}, "INFO x")
    assert (out.events, out.failures) == ([[("content", "INFO x")]], [])


@pytest.mark.parametrize(
    ("options", "mistakes"),
    [
        (
            {"Regex": r"(a)(b)(c)(d)", "Keys": ["w", "x", "y"]},
            ["Keys: 3 names for 4 groups (the pattern has 4 capture groups; add a name or make one non-capturing: `(?:…)`)"],
        ),
        (
            {"Regex": r"(a)(b)(c)", "Keys": ["w"]},
            ["Keys: 1 name for 3 groups (the pattern has 3 capture groups; add 2 names or make one non-capturing: `(?:…)`)"],
        ),
        ({"Regex": r"(a)", "Keys": ["w", "x"]}, ["Keys: 2 names for 1 group (each name needs a capture group `(…)` in the pattern)"]),
        ({"Regex": r"(a)", "Keys": []}, ["Keys: must not be empty (The names of the fields, one per group.)"]),
        ({"Regex": r"(a)", "Keys": "x"}, ["Keys: expected a list of strings, got the string `x`"]),
        (
            {"Regexp": r"(a)"},
            [
                "Regex: is missing (The pattern; each of its groups becomes a field.)",
                "Keys: is missing (The names of the fields, one per group.)",
                "Regexp: unknown key (did you mean `Regex`?)",
            ],
        ),
    ],
)
def test_refusals(refusals, options, mistakes):
    assert refusals(TYPE, options) == mistakes


def test_a_pattern_outside_the_dialect_is_refused_with_its_text(refusals):
    (mistake,) = refusals(TYPE, {"Regex": r"(a", "Keys": ["x"]})
    assert mistake.startswith("Regex: ")
    assert mistake.endswith(", in `(a` (docs/reference/patterns.md lists what a pattern may hold)")
