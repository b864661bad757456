"""Index documents (sls-api §3.3)."""

from typing import Any

import pytest

from tailrace.errors import ApiError
from tailrace.server.db.indexing import Numbers, check_index, differ, indexes_of, left_out, line_index
from tailrace.server.store.port import FieldIndex, Indexes, LineIndex

TEXT = {"type": "text", "token": [" "], "caseSensitive": False, "doc_value": True}

JSON = {"type": "json", "token": []}


def test_a_document_becomes_what_the_store_needs() -> None:
    document: dict[str, Any] = {
        "line": {"token": [",", "\n"], "caseSensitive": True, "chn": True},
        "keys": {
            "url": {**TEXT, "alias": "address", "chn": True},
            "status": {"type": "long", "doc_value": True},
            "cost": {"type": "double", "doc_value": False},
            "detail": {"type": "json", "token": ["."], "index_all": True, "max_depth": 3, "json_keys": {"a.b": {"type": "long"}}},
        },
    }
    check_index(document)
    assert indexes_of(document, [], Numbers()) == Indexes(
        LineIndex((",", "\n"), case_sensitive=True, chinese=True),
        (
            FieldIndex("c1", "url", "text", (" ",), chinese=True, doc_value=True, alias="address"),
            FieldIndex("c2", "status", "long", doc_value=True),
            FieldIndex("c3", "cost", "double", doc_value=False),
            FieldIndex("c4", "detail", "json", (".",), doc_value=False),
            FieldIndex("c5", "detail.a.b", "long", (".",), doc_value=False, parent="detail"),
        ),
    )


def test_what_is_there_already_keeps_its_name_and_all_else_gets_a_new_one() -> None:
    first = indexes_of({"keys": {"a": TEXT, "b": TEXT}, "line": {"token": [" "]}}, [], numbers := Numbers())
    assert [index.column for index in first.fields] == ["c1", "c2"]
    assert first.line == LineIndex((" ",))
    shown = indexes_of({"keys": {"b": {**TEXT, "alias": "x"}, "a": TEXT}, "line": {"token": [" "]}}, [first], numbers)
    assert [index.column for index in shown.fields] == ["c2", "c1"]
    assert not differ(first, shown)
    cut = indexes_of({"keys": {"a": {**TEXT, "token": ["/"]}, "b": TEXT}, "line": {"token": ["/"]}}, [first], numbers)
    assert [index.column for index in cut.fields] == ["c4", "c2"]
    assert cut.line == LineIndex(("/",), column="l5")
    assert differ(first, cut)


@pytest.mark.parametrize("document", [{"line": {"token": []}}, {"keys": {}}, {"keys": {"a": TEXT}, "max_text_len": 2048, "whatever": 1}])
def test_either_part_may_be_absent_and_other_keys_are_kept(document: dict[str, Any]) -> None:
    check_index(document)
    assert (line_index(document) is None) == ("line" not in document)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "an index needs `line` or `keys`"),
        ({"line": []}, "`line` has to be an object"),
        ({"line": {}}, "`line` has no `token`"),
        ({"line": {"token": ["ab"]}}, "single characters"),
        ({"line": {"token": " "}}, "single characters"),
        ({"line": {"token": [], "caseSensitive": "no"}}, "`caseSensitive` of `line` has to be true or false"),
        ({"line": {"token": [], "include_keys": ["a"], "exclude_keys": ["b"]}}, "exclude each other"),
        ({"keys": ["a"]}, "`keys` has to be an object"),
        ({"keys": {"": TEXT}}, "1 to 1024 bytes"),
        ({"keys": {"__time__": TEXT}}, "reserved"),
        ({"keys": {"a": {"type": "blob"}}}, "type `blob` of key `a`"),
        ({"keys": {"a": {"type": "text"}}}, "key `a` has no `token`"),
        ({"keys": {"a": {**TEXT, "doc_value": 1}}}, "`doc_value` of key `a`"),
        ({"keys": {"a": {**TEXT, "alias": "x"}, "b": {**TEXT, "alias": "x"}}}, "alias `x` of key `b` is taken by `a`"),
        ({"keys": {"a": {**TEXT, "alias": "b"}, "b": TEXT}}, "alias `b` of key `a` is taken by `b`"),
        ({"keys": {"a": {"type": "json", "token": [], "json_keys": {"b": {"type": "json"}}}}}, "`b` in `json_keys` of key `a`"),
        (
            {"keys": {"a": {**JSON, "json_keys": {"b": {"type": "long", "alias": "c"}}}, "c": TEXT}},
            "alias `c` of key `a.b` is taken by `c`",
        ),
        ({"keys": {"a": {**JSON, "json_keys": {"b": {"type": "long"}}}, "a.b": TEXT}}, "`a.b` is a key and a part of the JSON field `a`"),
        ({"keys": {"a": {**JSON, "json_keys": {"b": {"type": "long", "doc_value": 1}}}}}, "`doc_value` of `b` in `json_keys` of key `a`"),
        ({"keys": {"a": {"type": "json", "token": [], "max_depth": "deep"}}}, "`max_depth` of key `a`"),
        ({"keys": {f"k{number}": {"type": "long"} for number in range(501)}}, "501 fields"),
    ],
)
def test_a_wrong_document_is_refused_with_its_first_mistake(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_index(document)
    assert (caught.value.status, caught.value.error_code) == (400, "IndexInfoInvalid")
    assert reason in caught.value.message


def fields_of(*keys: str, **changes: Any) -> dict[str, Any]:
    return {key: {**TEXT, **changes} for key in keys}


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (fields_of("a", "b", "c", "d"), ("a", "b", "c", "d")),
        (fields_of("a", "b", "c"), ()),
        ({**fields_of("a", "b", "c", "d"), "n": {"type": "long"}}, ("a", "b", "c", "d")),
        ({**fields_of("a", "b", "c", "d"), **fields_of("other", token=["/"])}, ("a", "b", "c", "d")),
        ({**fields_of("a", "b", "c", "d"), **fields_of("other", caseSensitive=True)}, ("a", "b", "c", "d")),
        ({**fields_of("a", "b", "c", "d"), **fields_of("other", chn=True)}, ("a", "b", "c", "d")),
        (fields_of("a", "b", "c", "__source__", "__tag__:d"), ()),
    ],
)
def test_the_line_leaves_out_fields_whose_own_index_has_the_same_words(keys: dict[str, Any], left: tuple[str, ...]) -> None:
    assert left_out({"line": {"token": [" "]}, "keys": keys}, None) == left


@pytest.mark.parametrize("line", [{"token": []}, {"token": [" "], "chn": True}, {"token": ["/"]}, None])
def test_a_line_of_other_words_leaves_nothing_out(line: dict[str, Any] | None) -> None:
    document = {"keys": fields_of("a", "b", "c", "d"), **({} if line is None else {"line": line})}
    assert left_out(document, None) == ()


@pytest.mark.parametrize(
    ("before", "keys", "left"),
    [
        (LineIndex((" ",)), "abcde", ()),
        (LineIndex((" ",), without=("a", "b")), "abcde", ("a", "b")),
        (LineIndex((" ",), without=("a", "b")), "bcde", ("b", "c", "d", "e")),
        (LineIndex((" ",), without=("a", "b")), "ac", ()),
        (LineIndex(("/",), without=("a", "b")), "abcde", ("a", "b", "c", "d", "e")),
    ],
)
def test_a_line_index_is_made_anew_only_when_it_has_to_be(before: LineIndex, keys: str, left: tuple[str, ...]) -> None:
    assert left_out({"line": {"token": [" "]}, "keys": fields_of(*keys)}, before) == left


def test_what_the_line_index_is_not_over_is_not_left_to_other_indexes() -> None:
    text = {"type": "text", "token": [" "]}
    keys = dict.fromkeys(("a", "b", "c", "d", "e"), text)
    line = {"token": [" "], "exclude_keys": ["e"]}
    made = indexes_of({"line": line, "keys": keys}, [], Numbers())
    assert made.line is not None
    assert (made.line.without, made.line.excluded) == (("a", "b", "c", "d"), ("e",))
    assert [made.line.covers(key) for key in ("a", "e", "z")] == [True, False, True]
    only = indexes_of({"line": {"token": [" "], "include_keys": ["a", "z"]}, "keys": keys}, [made], Numbers(9))
    assert only.line is not None
    assert (only.line.without, only.line.only, only.line.column) == ((), ("a", "z"), "l10")
    assert [only.line.covers(key) for key in ("a", "e", "z")] == [True, False, True]
