"""Log groups against readers that are not ours: Google's protobuf runtime, and the message class of the official SDK."""

import importlib
from types import ModuleType
from typing import Any

import pytest
from aliyun.log.log_logs_raw_pb2 import LogGroupRaw
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import native_kernel

FIELD = descriptor_pb2.FieldDescriptorProto
OPTIONAL, REQUIRED, REPEATED = 1, 2, 3
MESSAGES: dict[str, list[tuple[str, int, Any, int]]] = {
    "Content": [("Key", 1, FIELD.TYPE_BYTES, REQUIRED), ("Value", 2, FIELD.TYPE_BYTES, REQUIRED)],
    "Log": [
        ("Time", 1, FIELD.TYPE_UINT32, REQUIRED),
        ("Contents", 2, "Content", REPEATED),
        ("Time_ns", 4, FIELD.TYPE_FIXED32, OPTIONAL),
    ],
    "LogTag": [("Key", 1, FIELD.TYPE_BYTES, REQUIRED), ("Value", 2, FIELD.TYPE_BYTES, REQUIRED)],
    "LogGroup": [
        ("Logs", 1, "Log", REPEATED),
        ("Reserved", 2, FIELD.TYPE_BYTES, OPTIONAL),
        ("Topic", 3, FIELD.TYPE_BYTES, OPTIONAL),
        ("Source", 4, FIELD.TYPE_BYTES, OPTIONAL),
        ("MachineUUID", 5, FIELD.TYPE_BYTES, OPTIONAL),
        ("LogTags", 6, "LogTag", REPEATED),
    ],
}


def log_group_class() -> Any:
    """The message of the API's description, built at run time. Text fields are bytes, for logs hold any bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="oracle.proto", package="oracle", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label in fields:
            if isinstance(kind, str):
                message.field.add(name=field, number=number, label=label, type=FIELD.TYPE_MESSAGE, type_name=f".oracle.{kind}")
            else:
                message.field.add(name=field, number=number, label=label, type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("oracle.LogGroup"))


LOG_GROUP = log_group_class()
PAIRS = st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=200)), max_size=4)
EVENTS = st.lists(st.tuples(st.integers(0, 4_294_967_295_999_999_999), PAIRS), max_size=5)
TEXT_PAIRS = st.lists(st.tuples(st.text(max_size=6).map(str.encode), st.binary(max_size=20)), max_size=4)


@pytest.fixture(scope="module", params=["tailrace.batch.reference", "tailrace_kernel"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "tailrace_kernel":
        return native_kernel()
    return importlib.import_module(request.param)


def group_of(engine: ModuleType, events: list[Any], topic: bytes, tags: list[Any], *, time_ns_part: bool) -> bytes:
    batch = engine.EventBatch.from_events(events)
    batch.topic, batch.source, batch.tags = topic, topic[::-1], tags
    return batch.encode(compression="none", digest="none", time_ns_part=time_ns_part).body


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, topic=st.binary(max_size=5), tags=PAIRS, with_ns=st.booleans())
def test_googles_protobuf_reads_what_we_write(engine: ModuleType, events: list[Any], topic: bytes, tags: list[Any], with_ns: bool) -> None:
    found = LOG_GROUP.FromString(group_of(engine, events, topic, tags, time_ns_part=with_ns))
    assert [(log.Time, [(pair.Key, pair.Value) for pair in log.Contents]) for log in found.Logs] == [
        (time // 10**9, pairs) for time, pairs in events
    ]
    assert [log.Time_ns for log in found.Logs] == [time % 10**9 if with_ns else 0 for time, _ in events]
    assert all(log.HasField("Time_ns") == with_ns for log in found.Logs)
    assert (found.HasField("Topic"), found.Topic, found.Source) == (bool(topic), topic, topic[::-1])
    assert [(tag.Key, tag.Value) for tag in found.LogTags] == tags


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, topic=st.binary(max_size=5), tags=PAIRS)
def test_we_write_the_bytes_that_googles_protobuf_writes(engine: ModuleType, events: list[Any], topic: bytes, tags: list[Any]) -> None:
    ours = group_of(engine, events, topic, tags, time_ns_part=True)
    theirs = LOG_GROUP.FromString(ours).SerializeToString()
    assert theirs == ours


@settings(max_examples=150, deadline=None)
@given(events=EVENTS, topic=st.binary(max_size=5), tags=PAIRS, with_ns=st.booleans())
def test_we_read_what_googles_protobuf_writes(engine: ModuleType, events: list[Any], topic: bytes, tags: list[Any], with_ns: bool) -> None:
    group = LOG_GROUP(Topic=topic, Source=b"s", MachineUUID=b"skipped", Reserved=b"skipped")
    for time, pairs in events:
        log = group.Logs.add(Time=time // 10**9)
        for key, value in pairs:
            log.Contents.add(Key=key, Value=value)
        if with_ns:
            log.Time_ns = time % 10**9
    for key, value in tags:
        group.LogTags.add(Key=key, Value=value)
    batch = engine.EventBatch.decode(group.SerializeToString())
    assert batch.rows() == [(time if with_ns else time // 10**9 * 10**9, pairs) for time, pairs in events]
    assert (batch.topic, batch.source, batch.tags) == (topic, b"s", tags)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.tuples(st.integers(0, 4_294_967_295_999_999_999), TEXT_PAIRS), max_size=4))
def test_the_official_sdks_message_agrees(engine: ModuleType, events: list[Any]) -> None:
    """`PutLogs` of the SDK fills this class; its values are bytes, its keys text."""
    group = LogGroupRaw()
    group.Topic = "topic"
    for time, pairs in events:
        log = group.Logs.add()
        log.Time = time // 10**9
        log.Time_ns = time % 10**9
        for key, value in pairs:
            content = log.Contents.add()
            content.Key, content.Value = key.decode(), value
    assert engine.EventBatch.decode(group.SerializeToString()).rows() == events
    again = LogGroupRaw()
    again.ParseFromString(group_of(engine, events, b"topic", [], time_ns_part=True))
    assert [(log.Time, log.Time_ns, [(pair.Key.encode(), pair.Value) for pair in log.Contents]) for log in again.Logs] == [
        (time // 10**9, time % 10**9, pairs) for time, pairs in events
    ]


def test_fields_in_any_order_unknown_fields_and_a_log_without_time(engine: ModuleType) -> None:
    content = b"\x12\x01v\x0a\x01k\x18\x05"  # value, key, an unknown number
    log = b"\x12" + bytes([len(content)]) + content + b"\x3d\x01\x02\x03\x04"  # contents, an unknown fixed32, no Time
    body = b"\x32\x06\x12\x01b\x0a\x01a" + b"\x0a" + bytes([len(log)]) + log + b"\x1a\x01t"
    batch = engine.EventBatch.decode(body)
    assert (batch.rows(), batch.topic, batch.tags) == ([(0, [(b"k", b"v")])], b"t", [(b"a", b"b")])
