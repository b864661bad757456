"""Text → values and lines, for YAML and JSON; and what is refused before anything is built from it."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import ConfigErrors
from tailrace.pipeline import documents
from tailrace.pipeline.documents import dotted, read


def refusal(text: str, name: str = "p.yaml") -> str:
    with pytest.raises(ConfigErrors) as caught:
        read(text, name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("012", "012"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
        ("'12'", "12"),
        ('"\\t"', "\t"),
        ("!!str 12", "12"),
        (r"^\d+ (.*)$", r"^\d+ (.*)$"),
    ],
)
def test_a_yaml_scalar_follows_the_core_schema(scalar: str, value: object) -> None:
    assert read(f"a: {scalar}", "p.yaml").value == {"a": value}


def test_every_key_and_item_has_its_line() -> None:
    document = read("a: 1\nb:\n  - x\n  - c: 2\n\n    d: 3\n", "p.yaml")
    assert document.lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 6}
    assert document.where(("b", 1, "d", "deeper", 0)) == "p.yaml:6 b[1].d.deeper[0]"
    assert document.where(("nowhere",)) == "p.yaml:1 nowhere"


def test_json_has_the_same_values_and_lines_as_yaml() -> None:
    value = {"a": [1, -2.5, 1e3, True, False, None], "b": {"c": '"\\/\t é😀'}, "empty": [{}, []]}
    text = json.dumps(value, indent=2)
    document = read(text, "p.json")
    assert document.value == value
    assert document.lines[("b", "c")] == 1 + text[: text.index('"c"')].count("\n")
    assert document.lines[("empty", 1)] == 1 + text[: text.rindex("[]")].count("\n")


def test_an_alias_gives_the_value_again() -> None:
    assert read("a: &x [1, 2]\nb: *x", "p.yaml").value == {"a": [1, 2], "b": [1, 2]}


def test_all_repeated_keys_are_named() -> None:
    assert refusal("a: 1\nb: {c: 1, c: 2}\na: 3\n") == "p.yaml:2 b.c: is given twice\np.yaml:3 a: is given twice"
    assert refusal('{"a": 1,\n "a": 2}', "p.json") == "p.json:2 a: is given twice"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: }", "p.yaml:2: is not YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: *nothing", "p.yaml:1: is not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2: is not YAML: expected a single document in the stream, but found another document"),
        ("a: &x [*x]", "p.yaml:1: has an alias that contains itself"),
        (
            "a: !!python/object/apply:os.system ['true']",
            "p.yaml:1: has a tag `tag:yaml.org,2002:python/object/apply:os.system`; only plain values are allowed",
        ),
        ("a: !secret x", "p.yaml:1: has a tag `!secret`; only plain values are allowed"),
        ("? [a]\n: 1", "p.yaml:1: has a key that is not a plain text"),
        ("a: \x00", "p.yaml:1: is not YAML: unacceptable character #x0000: control characters are not allowed"),
    ],
)
def test_yaml_that_is_refused(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.json:1: is not JSON: expected a value, found the end of the file"),
        ('{"a": 1,}', 'p.json:1: is not JSON: expected a key in `"`, found `}`'),
        ('{"a"\n 1}', "p.json:2: is not JSON: expected `:`, found `1`"),
        ("[1 2]", "p.json:1: is not JSON: expected `,` or `]`, found `2`"),
        ('{"a": 1 "b"}', 'p.json:1: is not JSON: expected `,` or `}`, found `"`'),
        ("[1] []", "p.json:1: is not JSON: expected the end of the file, found `[`"),
        ("[NaN]", "p.json:1: is not JSON: expected a value, found `N`"),
        ('["a\nb"]', "p.json:1: is not JSON: invalid control character"),
        ('["open', "p.json:1: is not JSON: unterminated string starting"),
        ('["\\ud800"]', "p.json:1: is not JSON: a text holds half of a surrogate pair"),
        ("[" + "1" * 5000 + "]", "p.json:1: is not JSON: expected a value, found `1`"),
    ],
)
def test_json_that_is_refused(text: str, message: str) -> None:
    assert refusal(text, "p.json") == message


@pytest.mark.parametrize("name", ["p.yaml", "p.json"])
def test_depth_is_bounded_before_anything_recurses(name: str) -> None:
    assert refusal("[" * 200_000, name).endswith("is nested deeper than 64 levels")


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)]
    assert refusal("\n".join(lines)) == "p.yaml:1: holds more than 100,000 values once its aliases are followed"


def test_size_is_bounded() -> None:
    assert refusal("#" * (documents.MAX_BYTES + 1)) == "p.yaml: is larger than 1,048,576 bytes"


def test_a_path_is_written_with_dots_and_brackets() -> None:
    assert dotted(("processors", 2, "Keys", 0)) == "processors[2].Keys[0]"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 2]))
def test_json_round_trips(value: object, indent: int | None) -> None:
    assert read(json.dumps(value, indent=indent), "p.json").value == value
    assert read(json.dumps(value, indent=indent, ensure_ascii=False), "p.json").value == value


@given(VALUES)
def test_yaml_round_trips(value: object) -> None:
    assert read(yaml.safe_dump(value), "p.yaml").value == value


@given(st.text(max_size=60) | st.text("[]{}:,-'\"&*!|>?#@ \n\tax1", max_size=60), st.sampled_from(["p.yaml", "p.json"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    complaints = []
    try:
        read(text, name)
    except ConfigErrors as errors:
        complaints = [str(error) for error in errors.errors]
    assert all(complaint.startswith(name) for complaint in complaints)
