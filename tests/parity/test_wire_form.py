"""The wire: what one engine writes the other reads, and damaged bodies give the same rows or the same reason."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.parity.side_by_side import EVENTS, PAIRS, TEXTS, examples, outcome

Engines = tuple[ModuleType, ModuleType]
COMPRESSIONS = ["none", "lz4", "zstd", "deflate"]


def body_of(engine: ModuleType, events: list[Any], topic: bytes, tags: list[Any], compression: str = "none") -> Any:
    batch = engine.EventBatch.from_events(events)
    batch.topic, batch.source, batch.tags = topic, b"s", tags
    return batch.encode(compression=compression, digest="none", time_ns_part=True)


def decoded(engine: ModuleType, body: bytes, **options: Any) -> Any:
    return outcome(lambda: engine.EventBatch.decode(body, **options))


@examples(150)
@given(events=EVENTS, topic=TEXTS, tags=PAIRS, compression=st.sampled_from(COMPRESSIONS))
def test_each_reads_the_other(engines: Engines, events: list[Any], topic: bytes, tags: list[Any], compression: str) -> None:
    bodies = [body_of(engine, events, topic, tags, compression) for engine in engines]
    assert bodies[0].raw_size == bodies[1].raw_size
    found = [decoded(engine, body.body, compression=compression, raw_size=body.raw_size) for engine in engines for body in bodies]
    assert found[0][0] == "fine"
    assert all(other == found[0] for other in found)


MUTATIONS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.binary(max_size=3)), min_size=1, max_size=3)
BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "max_raw_size": st.integers(0, 80),
        "max_events": st.integers(0, 3),
        "max_fields": st.integers(0, 4),
        "max_key": st.integers(0, 8),
        "max_value": st.integers(0, 8),
        "max_tags": st.integers(0, 2),
    },
)


@examples(400)
@given(events=EVENTS, tags=PAIRS, mutations=MUTATIONS)
def test_damaged_bodies(engines: Engines, events: list[Any], tags: list[Any], mutations: list[tuple[int, int, bytes]]) -> None:
    body = body_of(engines[1], events, b"topic", tags).body
    for at, cut, put in mutations:
        body = body[:at] + put + body[at + cut :]
    native, twin = (decoded(engine, body) for engine in engines)
    assert native == twin


@examples(300)
@given(body=st.binary(max_size=40))
def test_any_bytes(engines: Engines, body: bytes) -> None:
    native, twin = (decoded(engine, body) for engine in engines)
    assert native == twin


@examples(300)
@given(events=EVENTS, tags=PAIRS, bounds=BOUNDS)
def test_bounds(engines: Engines, events: list[Any], tags: list[Any], bounds: dict[str, int]) -> None:
    body = body_of(engines[1], events, b"", tags).body
    native, twin = (decoded(engine, body, **bounds) for engine in engines)
    assert native == twin


@examples(400)
@given(
    data=st.binary(max_size=60) | st.builds(lambda size: b"x" * size, st.integers(0, 5000)),
    compression=st.sampled_from(COMPRESSIONS),
    lie=st.sampled_from([None, 0, 1, -1, 7, 4000]),
    max_size=st.integers(0, 6000),
    cut=st.none() | st.integers(0, 20),
    tail=st.sampled_from([b"", b"", b"x", b"\x00\x00"]),
)
def test_decompression_is_bounded_and_exact(
    engines: Engines, data: bytes, compression: str, lie: int | None, max_size: int, cut: int | None, tail: bytes
) -> None:
    packed = engines[1].compress(data, compression)
    packed = (packed if cut is None else packed[:cut]) + tail
    raw_size = None if lie is None else max(len(data) + lie, 0)
    native, twin = (
        outcome(lambda engine=engine: engine.decompress(packed, compression, max_size=max_size, raw_size=raw_size)) for engine in engines
    )
    if cut is None and not tail:
        assert native == twin
    else:
        # Bytes that are damaged and too many besides may be refused for either reason.
        assert native[0] == twin[0]
        assert native[0] == "DecodeError" or native == twin


def test_a_bomb_is_refused_by_both(engines: Engines) -> None:
    for compression in ("zstd", "deflate"):
        bomb = engines[1].compress(bytes(50_000_000), compression)
        for engine in engines:
            assert decoded(engine, bomb, compression=compression) == ("DecodeError", "too_large")
            assert decoded(engine, bomb, compression=compression, raw_size=1000) == ("DecodeError", "wrong_size")


@given(data=st.binary(max_size=2000))
def test_fingerprints(engines: Engines, data: bytes) -> None:
    native, twin = (engine.fingerprint(data) for engine in engines)
    assert native == twin
    assert len(native) == 16


def test_the_fingerprint_is_the_published_hash(engines: Engines) -> None:
    """XXH3-128 of nothing, from the specification's own test values."""
    for engine in engines:
        assert engine.fingerprint(b"").hex() == "99aa06d3014798d86001c324468d497f"


@pytest.mark.parametrize("compression", ["gzip", "", "LZ4"])
def test_unknown_names_are_refused(engines: Engines, compression: str) -> None:
    for engine in engines:
        assert outcome(lambda engine=engine: engine.compress(b"", compression))[0] == "ValueError"
        assert outcome(lambda engine=engine: engine.EventBatch.from_events([]).encode(digest="sha1"))[0] == "ValueError"
