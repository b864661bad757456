"""processor_parse_json_native."""

import pytest

TYPE = "processor_parse_json_native"


def test_top_level_keys_become_fields_and_the_rest_stays_text(run):
    out = run(TYPE, {}, '{"a": "x\\n\\u00e9", "b": 1.50, "c": {"d": [1, 2]}, "e": null, "f": true}')
    assert out.events == [[("a", "x\né"), ("b", "1.50"), ("c", '{"d": [1, 2]}'), ("e", "null"), ("f", "true")]]


def test_the_last_of_equal_keys_wins(run):
    assert run(TYPE, {}, '{"a": 1, "a": 2}').events == [[("a", "2")]]


@pytest.mark.parametrize("bad", ["", "[1]", '"x"', '{"a": 1', '{"a": 1} x', "{a: 1}", '{"a": 01}', '{"a": ' + "[" * 600 + "]" * 600 + "}"])
def test_what_is_no_object_fails(run, bad):
    out = run(TYPE, {"CopingRawLog": True}, bad, "{}")
    assert out.events[0] == [("__raw_log__", bad)]
    assert out.failures == [(1, "`content` is not a JSON object", bad[:1024])]


def test_a_key_that_is_the_source_itself_is_kept(run):
    assert run(TYPE, {}, '{"content": "inner"}').events == [[("content", "inner")]]


def test_a_key_of_another_processor_is_refused(refusals):
    assert refusals(TYPE, {"Keys": ["a"]})[0].startswith("Keys: unknown key")
