"""Every key of the aggregators does what its sentence says: which log groups come out by default, and which with another value."""

from typing import Any

import pytest

from tests.unit.aggregators.test_aggregators import batch_of, made

Groups = list[tuple[int, bytes | None, tuple[tuple[bytes, bytes], ...], bool]]
"""(events, topic, tags, whether it has a pack id)"""
EVENTS = [{"user": "ann", "stage": "a"}, {"user": "bob", "stage": "a"}, {"user": "ann", "stage": "b"}]
A, B = (b"stage", b"a"), (b"stage", b"b")
ANN, BOB = (b"user", b"ann"), (b"user", b"bob")


def plain(*sizes: int, topic: bytes | None = None, packed: bool = True) -> Groups:
    return [(size, topic, (), packed) for size in sizes]


def sized(type_name: str) -> list[tuple[str, str, dict[str, Any], Any, Groups, Groups]]:
    return [
        (type_name, "MaxLogCount", {}, 2, plain(3), plain(2, 1)),
        (type_name, "PackFlag", {}, False, plain(3), plain(3, packed=False)),
        (type_name, "Topic", {}, "shop", plain(3), plain(3, topic=b"shop")),
    ]


BY_STAGE: Groups = [(2, None, (A,), True), (1, None, (B,), True)]
CONTENT = "aggregator_content_value_group"
SHARDS = "aggregator_shardhash"
# (type, key, other options, value, groups by default, groups then)
TABLE = [
    *sized("aggregator_base"),
    *sized("aggregator_context"),
    (CONTENT, "GroupKeys", {"GroupKeys": ["stage"]}, ["user"], BY_STAGE, [(2, None, (ANN,), True), (1, None, (BOB,), True)]),
    (CONTENT, "Topic", {"GroupKeys": ["stage"]}, "t", BY_STAGE, [(2, b"t", (A,), True), (1, b"t", (B,), True)]),
    (CONTENT, "EnablePackID", {"GroupKeys": ["stage"]}, False, BY_STAGE, [(2, None, (A,), False), (1, None, (B,), False)]),
    (SHARDS, "SourceKeys", {"SourceKeys": ["user"], "ShardCount": 2}, ["none"], plain(2, 1), plain(3)),
    (SHARDS, "ShardCount", {"SourceKeys": ["user"], "ShardCount": 2}, 1, plain(2, 1), plain(3)),
    (SHARDS, "Topic", {"SourceKeys": ["user"], "ShardCount": 1}, "t", plain(3), plain(3, topic=b"t")),
    (SHARDS, "EnablePackID", {"SourceKeys": ["user"], "ShardCount": 1}, False, plain(3), plain(3, packed=False)),
    ("aggregator_metadata_group", "GroupMaxEventLength", {}, 2, plain(3), plain(2, 1)),
]


@pytest.mark.parametrize(("type_name", "key", "options", "value", "default", "then"), TABLE, ids=[f"{one[0]}-{one[1]}" for one in TABLE])
def test_a_key_does_what_it_says(type_name, key, options, value, default, then):
    def groups(more: dict[str, Any]) -> Groups:
        made_of = made(type_name, **{**options, **more}).group(batch_of(*EVENTS))
        return [(group.count, group.topic, group.tags, group.packed) for group in made_of]

    assert groups({}) == default
    assert groups({key: value}) == then
    assert default != then


@pytest.mark.parametrize(("type_name", "keys"), [(CONTENT, {"GroupKeys": ["none"]}), (SHARDS, {"SourceKeys": ["none"]})])
def test_a_missing_field_is_counted_when_it_is_asked_for(type_name, keys):
    for asked, failed in ((False, 0), (True, 3)):
        plugin = made(type_name, **keys, ErrIfKeyNotFound=asked)
        assert sum(group.count for group in plugin.group(batch_of(*EVENTS))) == 3
        assert sum(count for _, count, _ in plugin.context.failures) == failed
        assert plugin.context.alarms == (["AGGREGATOR_ADD_ALARM"] if asked else [])


def test_the_connector_decides_what_is_the_same():
    """`a_` + `b` and `a` + `_b` are one value with `_` between, two with another connector."""
    events = [{"k": "a_", "l": "b"}, {"k": "a", "l": "_b"}]

    def keys(**more: str) -> set[str]:
        return {group.hash_key for group in made(SHARDS, SourceKeys=["k", "l"], ShardCount=512, **more).group(batch_of(*events))}

    assert (len(keys()), len(keys(Connector="|"))) == (1, 2)
