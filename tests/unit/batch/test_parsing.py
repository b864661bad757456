"""Regex, JSON and delimiter: what a value becomes, and what is left of one that does not parse."""

from types import ModuleType
from typing import Any

import pytest


def batch_of(engine: ModuleType, *values: bytes) -> Any:
    return engine.EventBatch.from_events([(0, [(b"c", value)]) for value in values])


def fields(batch: Any, row: int = 0) -> list[tuple[bytes, bytes]]:
    return batch.rows()[row][1]


def test_regex_groups_become_fields(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_lines(b"GET /a 200\nPOST /b\nnope\n", key=b"c")
    failures = batch.parse_regex(b"c", engine.Pattern(r"(\w+) (\S+)(?: (\d+))?"), [b"method", b"path", b"status"])
    assert fields(batch, 0) == [(b"method", b"GET"), (b"path", b"/a"), (b"status", b"200")]
    assert fields(batch, 1) == [(b"method", b"POST"), (b"path", b"/b"), (b"status", b"")], "a group that took no part is empty"
    assert fields(batch, 2) == [(b"c", b"nope")]
    assert (failures.count, failures.rows, failures.sample, failures.removed) == (1, [2], b"nope", 0)
    assert batch.spans(b"path") == [(4, 2), (16, 2), None], "values still lie in the block"


def test_regex_matches_the_whole_value(engine: ModuleType) -> None:
    batch = batch_of(engine, b"ab\n", b"ab")
    assert batch.parse_regex(b"c", engine.Pattern(r"(a)b$"), [b"x"]).rows == [0]


def test_regex_needs_a_key_for_each_group(engine: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"4.*3|3.*4"):
        batch_of(engine, b"x").parse_regex(b"c", engine.Pattern(r"(a)(b)(c)(d)"), [b"1", b"2", b"3"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            b'{"a":1,"b":"x","n":{"k":[1, 2]},"t":true,"z":null}',
            {b"a": b"1", b"b": b"x", b"n": b'{"k":[1, 2]}', b"t": b"true", b"z": b"null"},
        ),
        (b'{"a":"\\n\\u00e9\\ud83d\\ude00"}', {b"a": "\né😀".encode()}),
        (b'{"a":"\\ud83d!"}', {b"a": "\ufffd!".encode()}),
        (b'{"a":"\xff"}', {b"a": b"\xff"}),
        (b'{"a":"\x00\t"}', {b"a": b"\x00\t"}),
        (b'{"a":1,"b":2,"a":3}', {b"a": b"3", b"b": b"2"}),
        (b" {} ", {}),
        (b'{"a":1.50e+3}', {b"a": b"1.50e+3"}),
    ],
)
def test_json_members_become_fields(engine: ModuleType, value: bytes, expected: dict[bytes, bytes]) -> None:
    batch = batch_of(engine, value)
    assert batch.parse_json(b"c").count == 0
    assert fields(batch) == list(expected.items())


@pytest.mark.parametrize(
    "value", [b"", b"[]", b'{"a":1}x', b'{"a":01}', b'{"a":nul}', b'{"a":"\\x"}', b'{"a":\x01}', b'{"a":[1,]}', b'{"a"', b'"a"']
)
def test_what_is_no_json_object_fails(engine: ModuleType, value: bytes) -> None:
    batch = batch_of(engine, value)
    assert batch.parse_json(b"c").count == 1
    assert fields(batch) == [(b"c", value)]


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (b"1|2|3", {}, [b"1", b"2", b"3"]),
        (b"1|2", {}, [b"1", b"2"]),
        (b"", {}, [b""]),
        (b"1|2|3|4|5", {}, [b"1", b"2", b"3", b"4", b"5"]),
        (b"1|2|3|4|5", {"overflow": "keep"}, [b"1", b"2", b"3", b"4|5"]),
        (b"1|2|3|4|5", {"overflow": "discard"}, [b"1", b"2", b"3"]),
        (b"1|'2|x'|3", {"quote": b"'"}, [b"1", b"2|x", b"3"]),
        (b"'it''s'|''|a'b", {"quote": b"'"}, [b"it's", b"", b"a'b"]),
        (b"1|2|3|'4'|'5", {"quote": b"'", "overflow": "keep"}, [b"1", b"2", b"3", b"'4'|'5"]),
        (b"1|2|3|'4", {"quote": b"'", "overflow": "discard"}, [b"1", b"2", b"3"]),
    ],
)
def test_fields_between_separators(engine: ModuleType, value: bytes, options: dict[str, Any], expected: list[bytes]) -> None:
    batch = batch_of(engine, value)
    assert batch.parse_delimiter(b"c", b"|", [b"x", b"y", b"z"], **options).count == 0
    names = [b"x", b"y", b"z", b"__column0__", b"__column1__"]
    assert fields(batch) == list(zip(names, expected, strict=False))


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (b"1|2", {"allow_short": False}),
        (b"'1|2|3", {"quote": b"'"}),
        (b"'1'2|3|4", {"quote": b"'"}),
    ],
)
def test_badly_delimited_values_fail(engine: ModuleType, value: bytes, options: dict[str, Any]) -> None:
    assert batch_of(engine, value).parse_delimiter(b"c", b"|", [b"x", b"y", b"z"], **options).count == 1


def test_long_separators_and_bad_ones(engine: ModuleType) -> None:
    batch = batch_of(engine, b"a||b|c||d")
    batch.parse_delimiter(b"c", b"||", [b"x", b"y", b"z"])
    assert [value for _, value in fields(batch)] == [b"a", b"b|c", b"d"]
    for separator, quote in [(b"", None), (b"||", b"'"), (b"|", b"''")]:
        with pytest.raises(ValueError, match=r"separator|quote"):
            batch_of(engine).parse_delimiter(b"c", separator, [b"x"], quote=quote)


ROW = [(0, [(b"a", b"0"), (b"c", b'{"a":1,"b":2}'), (b"d", b"3")])]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [(b"a", b"1"), (b"d", b"3"), (b"b", b"2")]),
        ({"keep_on_success": True}, [(b"a", b"1"), (b"c", b'{"a":1,"b":2}'), (b"d", b"3"), (b"b", b"2")]),
        ({"keep_on_success": True, "renamed": b"raw"}, [(b"a", b"1"), (b"raw", b'{"a":1,"b":2}'), (b"d", b"3"), (b"b", b"2")]),
        ({"keep_on_success": True, "renamed": b"d"}, [(b"a", b"1"), (b"d", b'{"a":1,"b":2}'), (b"b", b"2")]),
        ({"renamed": b"raw"}, [(b"a", b"1"), (b"d", b"3"), (b"b", b"2")]),
    ],
)
def test_the_source_after_success(engine: ModuleType, policy: dict[str, Any], expected: list[tuple[bytes, bytes]]) -> None:
    """A parsed key that the row has already is overwritten in place."""
    batch = engine.EventBatch.from_events(ROW)
    batch.parse_json(b"c", **policy)
    assert fields(batch) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [(b"c", b"1"), (b"b", b"2")]),
        ({"keep_on_success": True}, [(b"c", b"1"), (b"b", b"2")]),
        ({"keep_on_success": True, "renamed": b"raw"}, [(b"c", b"1"), (b"b", b"2"), (b"raw", b'{"b":2,"c":1}')]),
    ],
)
def test_a_parsed_field_of_the_sources_name_stays(engine: ModuleType, policy: dict[str, Any], expected: list[tuple[bytes, bytes]]) -> None:
    batch = batch_of(engine, b'{"b":2,"c":1}')
    batch.parse_json(b"c", **policy)
    assert fields(batch) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [(b"c", b"no"), (b"d", b"1")]),
        ({"renamed": b"raw"}, [(b"raw", b"no"), (b"d", b"1")]),
        ({"copy_raw": True}, [(b"c", b"no"), (b"d", b"1"), (b"__raw_log__", b"no")]),
        ({"keep_on_fail": False}, [(b"d", b"1")]),
        ({"keep_on_fail": False, "copy_raw": True}, [(b"d", b"1"), (b"__raw_log__", b"no")]),
    ],
)
def test_the_source_after_failure(engine: ModuleType, policy: dict[str, Any], expected: list[tuple[bytes, bytes]]) -> None:
    batch = engine.EventBatch.from_events([(0, [(b"c", b"no"), (b"d", b"1")])])
    batch.parse_json(b"c", **policy)
    assert fields(batch) == expected


def test_a_failed_row_of_which_nothing_is_kept_is_removed_and_counted(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_lines(b'{"a":1}\nno\n{"a":2}\n', key=b"c")
    failures = batch.parse_json(b"c", keep_on_fail=False)
    assert (failures.count, failures.removed, failures.rows, batch.discarded) == (1, 1, [1], 0)
    assert (batch.column(b"a"), batch.raw_offsets) == ([b"1", b"2"], [0, 11])


def test_rows_without_the_field_are_no_failures(engine: ModuleType) -> None:
    batch = engine.EventBatch.from_events([(0, [(b"other", b"x")]), (0, [])])
    assert batch.parse_json(b"c", keep_on_fail=False).count == 0
    assert batch.rows() == [(0, [(b"other", b"x")]), (0, [])]


def test_the_sample_is_cut(engine: ModuleType) -> None:
    assert batch_of(engine, b"x" * 5000, b"y").parse_json(b"c").sample == b"x" * 1024
