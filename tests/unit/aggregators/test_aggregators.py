"""Aggregators: which log groups they make of a batch."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tailrace.pipeline.contract import Group
from tailrace.pipeline.explain import findings
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.report import remarks


class Context:
    pipeline = "p"

    def __init__(self) -> None:
        self.failures: list[Any] = []
        self.alarms: list[str] = []

    def failed(self, *counted: Any, alarm: str) -> None:
        self.failures.append(counted)
        self.alarms.append(alarm)


def made(type_name: str, **options: Any) -> Any:
    entry = registry.get("aggregator", type_name)
    plugin = entry.cls(entry.config_model.model_validate(options))
    plugin.start(Context())
    return plugin


def batch_of(*events: dict[str, str]) -> EventBatch:
    return EventBatch.from_events([(row, [(k.encode(), v.encode()) for k, v in event.items()]) for row, event in enumerate(events)])


def rows_in(batch: EventBatch, groups: list[Group]) -> list[list[int]]:
    """The rows, by their number before, of each group."""
    return [batch.times[group.first : group.first + group.count] for group in groups]


@pytest.mark.parametrize("type_name", ["aggregator_base", "aggregator_context"])
def test_events_are_cut_in_their_order(type_name):
    batch = batch_of(*[{}] * 2500)
    assert [len(rows) for rows in rows_in(batch, made(type_name).group(batch))] == [1024, 1024, 452]
    groups = made(type_name, MaxLogCount=1000, Topic="t", PackFlag=False).group(batch)
    assert [row for rows in rows_in(batch, groups) for row in rows] == list(range(2500))
    assert [(group.count, group.topic, group.packed) for group in groups] == [(1000, b"t", False)] * 2 + [(500, b"t", False)]
    assert {(group.topic, group.packed) for group in made(type_name).group(batch)} == {(None, True)}, "the defaults"


@pytest.mark.parametrize(
    ("type_name", "options", "key"),
    [
        ("aggregator_base", {"MaxLogGroupCount": 4}, "MaxLogGroupCount"),
        ("aggregator_context", {"MaxLogGroupCount": 2}, "MaxLogGroupCount"),
        ("aggregator_metadata_group", {"GroupMetadataKeys": ["a"]}, "GroupMetadataKeys"),
    ],
)
def test_keys_without_effect_are_named_when_a_config_is_checked(type_name, options, key):
    document = {
        "inputs": [registry.get("input", "input_file").sample()],
        "aggregators": [{"Type": type_name, **options}],
        "flushers": [{"Type": "flusher_stdout"}],
    }
    assert [remark.partition(" has no effect")[0] for remark in remarks(from_document(document, "p"))] == [f"aggregators[0].{key}:"]


def test_values_become_tags_and_events_keep_their_order_within_a_group():
    batch = batch_of({"s": "cart", "n": "0"}, {"s": "login"}, {"s": "cart"}, {"n": "3"}, {"s": "login"}, {"s": ""})
    plugin = made("aggregator_content_value_group", GroupKeys=["s", "n"])
    groups = plugin.group(batch)
    assert rows_in(batch, groups) == [[0], [1, 4], [2], [3], [5]]
    assert groups[0].tags == ((b"s", b"cart"), (b"n", b"0"))
    assert groups[3].tags == ((b"s", b""), (b"n", b"3"))
    assert (groups[0].topic, groups[0].packed, plugin.context.failures) == (None, True, [])


def test_keys_of_grouping_by_content():
    batch = batch_of({"s": "a"}, {}, {"s": "a"})
    plugin = made("aggregator_content_value_group", GroupKeys=["s"], Topic="t", ErrIfKeyNotFound=True, EnablePackID=False)
    assert {(group.topic, group.packed) for group in plugin.group(batch)} == {(b"t", False)}
    assert plugin.context.failures == [("aggregator_content_value_group", 1, "has no field `s`")]


def test_a_group_by_content_has_1024_events_at_most():
    batch = batch_of(*[{"s": "a"}] * 1025, {"s": "b"})
    groups = made("aggregator_content_value_group", GroupKeys=["s"]).group(batch)
    assert [(group.count, group.tags) for group in groups] == [(1024, ((b"s", b"a"),)), (1, ((b"s", b"a"),)), (1, ((b"s", b"b"),))]


def test_equal_values_go_to_one_bucket_whose_beginning_is_the_hash_key():
    batch = batch_of({"u": "ann", "d": "1"}, {"u": "bob"}, {"u": "ann", "d": "1"}, {})
    plugin = made("aggregator_shardhash", SourceKeys=["u", "d"], ShardCount=16)
    groups = plugin.group(batch)
    assert plugin.context.failures == []
    digests = {"ann_1": first_digit("ann_1"), "bob_": first_digit("bob_"), "_": first_digit("_")}
    keys = {row: group.hash_key for group, rows in zip(groups, rows_in(batch, groups), strict=True) for row in rows}
    assert keys == {row: digests[text] + "0" * 31 for row, text in enumerate(["ann_1", "bob_", "ann_1", "_"])}


def first_digit(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()[0]


@pytest.mark.parametrize(("count", "zeros"), [(1, 128), (2, 127), (8, 125), (512, 119)])
def test_buckets_are_equal_parts_of_all_hash_keys(count, zeros):
    batch = batch_of(*({"u": str(number)} for number in range(5000)))
    groups = made("aggregator_shardhash", SourceKeys=["u"], ShardCount=count).group(batch)
    keys = {int(group.hash_key, 16) for group in groups}
    assert keys == {bucket << zeros for bucket in range(count)}
    assert all(len(group.hash_key) == 32 for group in groups)
    assert len({int(g.hash_key, 16) for g in made("aggregator_shardhash", SourceKeys=["u"]).group(batch)}) == 8, "the default"


def test_keys_of_shardhash():
    batch = batch_of({"u": "a", "v": "b"}, {"u": "a"})
    plugin = made("aggregator_shardhash", SourceKeys=["u", "v"], ErrIfKeyNotFound=True, Topic="t", EnablePackID=False, ShardCount=512)
    assert {(group.topic, group.packed) for group in plugin.group(batch)} == {(b"t", False)}
    assert plugin.context.failures == [("aggregator_shardhash", 1, "has no field `v`")]
    joined = made("aggregator_shardhash", SourceKeys=["u", "v"], Connector="", ShardCount=512).group(batch_of({"u": "a", "v": "b"}))
    assert joined[0].hash_key == made("aggregator_shardhash", SourceKeys=["u"], ShardCount=512).group(batch_of({"u": "ab"}))[0].hash_key


def test_groups_bounded_in_length_and_size():
    batch = EventBatch.split_lines(b"one\ntwo\nfour and more\nfive\nsix\n")
    assert [g.count for g in made("aggregator_metadata_group", GroupMaxByteLength=8).group(batch)] == [2, 1, 1, 1]
    assert [g.count for g in made("aggregator_metadata_group", GroupMaxByteLength=9).group(batch)] == [2, 1, 2]
    assert [g.count for g in made("aggregator_metadata_group", GroupMaxEventLength=2).group(batch)] == [2, 2, 1]
    assert [g.count for g in made("aggregator_metadata_group").group(EventBatch.split_lines(b"x\n" * 1500))] == [1024, 476]
    large = EventBatch.split_lines((b"x" * 1_048_575 + b"\n") * 4)
    assert [g.count for g in made("aggregator_metadata_group").group(large)] == [3, 1], "3 MiB are the default"


@pytest.mark.parametrize(
    ("type_name", "options", "mistake"),
    [
        ("aggregator_shardhash", {"SourceKeys": ["u"], "ShardCount": 6}, "ShardCount: 6 is no power of two (1, 2, 4 … 512)"),
        ("aggregator_shardhash", {"SourceKeys": ["u"], "ShardCount": 1024}, "ShardCount: must be at most 512, got 1024"),
        ("aggregator_shardhash", {}, "SourceKeys: is missing (The fields whose values decide.)"),
        (
            "aggregator_content_value_group",
            {"GroupKeys": []},
            "GroupKeys: must not be empty (The fields; each becomes a tag of its own name.)",
        ),
        ("aggregator_base", {"MaxLogCount": 5000}, "MaxLogCount: must be at most 4096, got 5000"),
    ],
)
def test_refusals(type_name, options, mistake):
    model = registry.get("aggregator", type_name).config_model
    with pytest.raises(ValidationError) as caught:
        model.model_validate(options)
    found = [
        f"{'.'.join(map(str, path))}: {message}" + (f" ({hint})" if hint else "") for path, message, hint in findings(caught.value, model)
    ]
    assert found == [mistake]


AGGREGATORS = [
    ("aggregator_base", {"MaxLogCount": 3}),
    ("aggregator_context", {}),
    ("aggregator_shardhash", {"SourceKeys": ["a", "b"], "ShardCount": 4}),
    ("aggregator_content_value_group", {"GroupKeys": ["a"]}),
    ("aggregator_metadata_group", {"GroupMaxEventLength": 2}),
]
EVENTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "é"]), max_size=3), min_size=1, max_size=12)


@pytest.mark.parametrize(("type_name", "options"), AGGREGATORS)
@given(events=EVENTS)
def test_groups_hold_each_event_once_and_come_the_same_again(type_name, options, events):
    batch, again = batch_of(*events), batch_of(*events)
    plugin = made(type_name, **options)
    groups = plugin.group(batch)
    assert sorted(row for rows in rows_in(batch, groups) for row in rows) == list(range(len(events)))
    assert [group.first for group in groups] == [sum(g.count for g in groups[:index]) for index in range(len(groups))]
    assert all(rows == sorted(rows) for rows in rows_in(batch, groups))
    # a restarted agent has a new instance, which has seen nothing before
    other = made(type_name, **options)
    assert other.group(again) == groups
    assert again.rows() == batch.rows()
