"""JSON: valid, nearly valid and mutilated objects give the same fields, or fail in both engines."""

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.side_by_side import examples, plain, seen

Engines = tuple[ModuleType, ModuleType]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)
WRITTEN = st.builds(
    lambda value, ascii_only, indent: json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass"),
    OBJECTS,
    st.booleans(),
    st.sampled_from([None, None, 1]),
)
SCRAPS = st.sampled_from(
    [b"", b'"', b"\\", b"\\u", b"\\ud800", b"{", b"}", b"]", b",", b":", b"0", b"-", b"1e", b"\x00", b"\xff", b"null", b" "]
)
MUTILATED = st.builds(
    lambda text, at, cut, scrap: text[:at] + scrap + text[at + cut :], WRITTEN, st.integers(0, 40), st.integers(0, 2), SCRAPS
)


def parsed(engine: ModuleType, values: list[bytes]) -> tuple[Any, Any]:
    """Newlines may stand in a value: it comes as an event and not as a line."""
    batch = engine.EventBatch.from_events([(0, [(b"c", value)]) for value in values])
    return plain(batch.parse_json(b"c", copy_raw=True)), seen(batch)


@examples(400)
@given(values=st.lists(WRITTEN | MUTILATED, min_size=1, max_size=3))
def test_any_object(engines: Engines, values: list[bytes]) -> None:
    native, twin = (parsed(engine, values) for engine in engines)
    assert native == twin


EDGES = [
    b'{"a":"\\ud83d\\ude00","b":"\\ud83d","c":"\\ude00\\ud83d","d":"\\ud83d\\ud83d\\ude00","e":"\\ud83dx"}',
    b'{"a\\ud800":1,"a\\udbff":2}',
    b'{"a":1,"\\u0061":2,"b":3}',
    b'{"\xff":1,"a":"\xc3"}',
    b'{"a":"\x00\x01\n\t"}',
    b'{"a":01}',
    b'{"a":-0.0e+1}',
    b'{"a":1.}',
    b'{"a":.1}',
    b'{"a":1e}',
    b'{"a":+1}',
    b'{"a":NaN}',
    b'{"a":"\\x"}',
    b'{"a":{"b":"\\x"}}',
    b'{"a":{"b":"\\u12g4"}}',
    b'{"a":[1,]}',
    b'{"a":[,1]}',
    b'{"a":[1}',
    b'{"a":{"b"}}',
    b'{"a":{"b":1,}}',
    b'{"a":1,}',
    b'{,"a":1}',
    b'{"a" 1}',
    b'{"a":1}x',
    b' \t\r\n{ "a" : [ 1 , { } , [ ] ] , "b" : { "c" : null } } \n',
    b"{}",
    b"{} {}",
    b"[]",
    b'"a"',
    b"",
    b"\xef\xbb\xbf{}",
    b'{"a":{"\\u0000":true},"b":tru}',
    b'{"c":1,"c":2}',
    b'{"x":1,"c":2,"y":3}',
]


@pytest.mark.parametrize("value", EDGES)
def test_edges(engines: Engines, value: bytes) -> None:
    native, twin = (parsed(engine, [value]) for engine in engines)
    assert native == twin


@pytest.mark.parametrize("depth", [510, 511, 512, 513, 3000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"k":', b"}")])
def test_nesting_is_bounded_at_the_same_depth(engines: Engines, depth: int, opening: bytes, closing: bytes) -> None:
    value = b'{"a":' + opening * depth + b"1" + closing * depth + b"}"
    native, twin = (parsed(engine, [value]) for engine in engines)
    assert native == twin
    assert twin[0][0] == (0 if depth < 512 else 1), "the top-level object counts as one"
