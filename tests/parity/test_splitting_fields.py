"""Pairs, Apsara lines and expanded JSON, and rows that become several: both engines show the same on any bytes."""

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.side_by_side import BLOCKS, EVENTS, KEYS, TEXTS, examples, outcome, plain, seen
from tests.parity.test_json import EDGES, MUTILATED, OBJECTS, WRITTEN
from tests.parity.test_operations import POLICY

Engines = tuple[ModuleType, ModuleType]
FIELDS = st.sampled_from([b"c", b"c", b"c", b"a"])


def both(engines: Engines, values: list[bytes], method: str, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """What each engine makes of the values, once where they lie in the input block and once where they lie in the arena."""
    return tuple([made(engine, values, method, *arguments, **options) for engine in engines])  # type: ignore[return-value]


def made(engine: ModuleType, values: list[bytes], method: str, *arguments: Any, **options: Any) -> list[Any]:
    lines = engine.EventBatch.split_lines(b"\n".join(values), key=b"c")
    events = engine.EventBatch.from_events([(5, [(b"a", b"old"), (b"c", value), (b"z", b"z")]) for value in values])
    return [(outcome(lambda batch=batch: getattr(batch, method)(*arguments, **options)), seen(batch)) for batch in (lines, events)]


TRIPLE = b"'''"
PAIR_PIECES = st.sampled_from(
    [b"a", b"b", b"k1", b":", b":", b"=", b"\t", b"\t", b" ", b" ", b'"', b'"', b"\\", b"::", TRIPLE, b"\n", b"\xff"]
)
PAIRED = st.lists(PAIR_PIECES | st.binary(max_size=2), max_size=14).map(b"".join)
PAIR_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "quote": st.sampled_from([None, b'"', TRIPLE, b"a", b""]),
        "empty_key": st.sampled_from([b"empty_key_", b"", b"a"]),
        "no_separator_key": st.sampled_from([None, b"n_", b"a"]),
        "note_empty": st.booleans(),
        "note_loose": st.booleans(),
    },
)
SEPARATORS = st.sampled_from([b"\t", b" ", b":", b"=", b"::", b"a", b"ab", b""])


@examples(400)
@given(
    values=st.lists(PAIRED, min_size=1, max_size=4),
    between=SEPARATORS,
    within=SEPARATORS,
    options=PAIR_OPTIONS,
    policy=POLICY,
    source=FIELDS,
)
def test_pairs(
    engines: Engines, values: list[bytes], between: bytes, within: bytes, options: dict[str, Any], policy: dict[str, Any], source: bytes
) -> None:
    native, twin = both(engines, values, "parse_key_value", source, between, within, **options, **policy)
    assert native == twin


def test_a_line_of_delimiters_costs_256_fields(engines: Engines) -> None:
    values = [b"x\t" * 300, b":\t" * 300, b"x\t:\t" * 300, b"a:1\t" + b"x\t" * 256, b"x\t" * 255 + b"a:1\tb:2"]
    native, twin = both(engines, values, "parse_key_value", b"c", b"\t", b":")
    assert native == twin
    assert len(twin[0][1]["rows"][0][1]) == 256


APSARA_PIECES = st.sampled_from(
    [
        b"[2024-06-01 12:00:00.123456]",
        b"[2024-06-01 12:00:00]",
        b"[1378882630]",
        b"[1378882630123456]",
        b"[1999-02-30 00:00:00]",
        b"[INFO]",
        b"[WARN]",
        b"[17283]",
        b"[main.cpp:123]",
        b"[/a/b:1:2]",
        b"[/a]",
        b"[]",
        b"[x]",
        b"[a]b]",
        b"\t",
        b"\t",
        b"\t",
        b" ",
        b"k:v",
        b"k:",
        b":v",
        b"text",
        b"[",
        b"]",
        b"\n",
        b"\xff:\x00",
    ]
)
APSARA_HEADS = st.sampled_from([b"[2024-06-01 12:00:00.1234567891]", b"[1378882630]", b""])
APSARA = st.builds(bytes.__add__, APSARA_HEADS, st.lists(APSARA_PIECES, max_size=12).map(b"".join))


@examples(400)
@given(values=st.lists(APSARA, min_size=1, max_size=4), offset=st.integers(-50_000, 50_000), policy=POLICY, source=FIELDS)
def test_apsara(engines: Engines, values: list[bytes], offset: int, policy: dict[str, Any], source: bytes) -> None:
    native, twin = both(engines, values, "parse_apsara", source, utc_offset_secs=offset, **policy)
    assert native == twin


def test_many_brackets_and_much_loose_text(engines: Engines) -> None:
    time = b"[2024-06-01 12:00:00]"
    values = [time + b"\t[x]" * 12 + b"\tk:v", time + b"\tx" * 300, time + b"[x]" * 5 + b"\tx" * 300 + b"\tk:v"]
    native, twin = both(engines, values, "parse_apsara", b"c", utc_offset_secs=0)
    assert native == twin


DEEP = st.builds(
    lambda inner, name: json.dumps({name: inner, "n": {"n": inner, "l": [inner, [inner], {}, []]}}).encode(), OBJECTS, st.text(max_size=3)
)
EXPANSION = st.fixed_dictionaries(
    {},
    optional={
        "root": st.sampled_from([b"", b"p_", b"c"]),
        "connector": st.sampled_from([b"_", b"", b"."]),
        "depth": st.integers(0, 4),
        "arrays": st.booleans(),
    },
)


@examples(400)
@given(values=st.lists(WRITTEN | MUTILATED | DEEP, min_size=1, max_size=3), options=EXPANSION, policy=POLICY, source=FIELDS)
def test_expanded_json(engines: Engines, values: list[bytes], options: dict[str, Any], policy: dict[str, Any], source: bytes) -> None:
    native, twin = both(engines, values, "expand_json", source, **options, **policy)
    assert native == twin


MORE_EDGES = [
    b'{"a":{"b":1,"b":2},"a":{"b":3,"c":4}}',
    b'{"a":{"b":1},"a_b":2}',
    b'{"a" : [ { "b" : [ 1 ] } , 2 ] }',
    b'{"a":{ }, "b":[ ], "c":[{}]}',
    b'{"a":{]}',
    b'{"a":[}',
]


@pytest.mark.parametrize("value", [*EDGES, *MORE_EDGES])
@pytest.mark.parametrize("arrays", [False, True])
def test_edges_of_json(engines: Engines, value: bytes, arrays: bool) -> None:
    native, twin = both(engines, [value], "expand_json", b"c", arrays=arrays)
    assert native == twin


@pytest.mark.parametrize("depth", [510, 511, 512, 513, 3000])
@pytest.mark.parametrize("options", [{}, {"arrays": True}, {"depth": 300}])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"k":', b"}"), (b'[{"k":', b"}]")])
def test_nesting_is_bounded_at_the_same_depth(
    engines: Engines, depth: int, options: dict[str, Any], opening: bytes, closing: bytes
) -> None:
    levels = depth // (opening.count(b"[") + opening.count(b"{"))
    native, twin = both(engines, [b'{"a":' + opening * levels + b"1" + closing * levels + b"}"], "expand_json", b"c", **options)
    assert native == twin


def test_long_keys_above_many_leaves_fail(engines: Engines) -> None:
    leaves = b",".join(b'"%d":0' % index for index in range(3000))
    values = [b'{"' + b"k" * size + b'":{' + leaves + b"}}" for size in (10, 100, 500, 2000)]
    native, twin = both(engines, values, "expand_json", b"c")
    assert native == twin
    assert 0 < twin[0][0][1][0] < len(values), "some pass, some fail"


@examples(300)
@given(block=BLOCKS, offset=st.integers(0, 2**50), data=st.data())
def test_rows_become_several(engines: Engines, block: bytes, offset: int, data: st.DataObject) -> None:
    batches = [engine.EventBatch.split_lines(block, offset=offset) for engine in engines]
    rows = len(batches[0])
    counts = data.draw(st.lists(st.integers(0, 3), min_size=max(0, rows - 1), max_size=rows))
    total = sum(counts)
    starts = data.draw(st.none() | st.lists(st.integers(0, 12), min_size=total, max_size=total + data.draw(st.integers(0, 9)) // 9))
    native, twin = (outcome(lambda batch=batch: batch.repeat(counts, starts)) for batch in batches)
    assert native == twin
    assert seen(batches[0]) == seen(batches[1])
    if native[0] == "fine" and starts is not None and 0 not in counts:
        ends = [at + size for at, size in zip(batches[1].raw_offsets, batches[1].raw_lengths, strict=True)]
        assert batches[1].raw_offsets[1:] == ends[:-1], "the new rows partition the raw bytes"


@given(events=EVENTS, key=KEYS, value=TEXTS)
def test_absent(engines: Engines, events: list[Any], key: bytes, value: bytes) -> None:
    native, twin = (engine.EventBatch.from_events([*events, (0, [(key, value)])]).absent(key) for engine in engines)
    assert native == twin == sum(key not in dict(fields) for _, fields in events)


def test_a_batch_says_what_it_saw(engines: Engines) -> None:
    """`plain` compares the partial rows too."""
    for engine in engines:
        found = engine.EventBatch.split_lines(b"a:1\nb").parse_key_value(b"content", b"\t", b":")
        assert plain(found) == (0, 0, b"", [], 1, b"b")
