"""The messages of the ConfigServer protocol, version 2: what stands on the wire, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.control import (
    MAX_ITEMS,
    Attributes,
    CommandDetail,
    CommonResponse,
    ConfigDetail,
    ConfigInfo,
    HeartbeatRequest,
    HeartbeatResponse,
    Tag,
    decode,
    encode,
)
from tailrace.wire.protobuf import WireError, delimited, number

texts, blobs, numbers = st.text(max_size=8), st.binary(max_size=8), st.integers(0, 2**64 - 1)
signed = st.integers(-(2**63), 2**63 - 1)
extras = st.dictionaries(texts, blobs, max_size=3)
infos = st.lists(st.builds(ConfigInfo, texts, signed, st.integers(0, 3), texts, extras), max_size=3)
beats = st.builds(
    HeartbeatRequest,
    request_id=blobs,
    sequence_num=numbers,
    capabilities=numbers,
    instance_id=blobs,
    agent_type=texts,
    attributes=st.builds(Attributes, blobs, blobs, blobs, blobs, extras),
    tags=st.lists(st.builds(Tag, texts, texts), max_size=3),
    running_status=texts,
    startup_time=signed,
    continuous_pipeline_configs=infos,
    instance_configs=infos,
    onetime_pipeline_configs=infos,
    flags=numbers,
    opaque=blobs,
)


@given(beats)
def test_a_message_comes_back_as_it_was(beat: HeartbeatRequest) -> None:
    assert decode(HeartbeatRequest, encode(beat)) == beat


def test_the_bytes_are_those_of_the_protocol() -> None:
    """Written out by hand from the protocol's field numbers."""
    beat = HeartbeatRequest(sequence_num=300, instance_id=b"a1", attributes=Attributes(ip=b"10.0.0.1", extras={"os": b"linux"}))
    attributes = b"\x12\x0810.0.0.1" + b"\xa2\x06\x0b" + b"\x0a\x02os\x12\x05linux"
    assert encode(beat) == b"\x10\xac\x02" + b"\x22\x02a1" + b"\x32" + bytes([len(attributes)]) + attributes
    assert encode(ConfigDetail("web@app", -1)) == b"\x0a\x07web@app\x10" + b"\xff" * 9 + b"\x01"
    assert encode(CommandDetail("restart", expire_time=5)) == b"\x0a\x07restart\x18\x05"
    assert encode(HeartbeatResponse(common_response=CommonResponse(400, b"no"), flags=1)) == b"\x12\x07\x08\x90\x03\x12\x02no\x38\x01"


def test_what_is_at_its_default_takes_no_bytes() -> None:
    assert encode(HeartbeatRequest()) == b""
    assert decode(HeartbeatRequest, b"") == HeartbeatRequest()


def test_fields_of_a_later_protocol_are_passed_over() -> None:
    assert decode(ConfigInfo, delimited(1, b"app") + number(99, 7) + delimited(98, b"new")) == ConfigInfo("app")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (number(1, 5), "`name` has the wrong wire type"),
        (delimited(2, b"x"), "`version` has the wrong wire type"),
        (delimited(1, b"\xff"), "a text is not UTF-8"),
        (delimited(1, b"abc")[:-1], "runs past the end"),
        (
            b"".join(delimited(5, delimited(1, str(index).encode())) for index in range(MAX_ITEMS + 1)),
            "`extra` holds more than 10,000 items",
        ),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode(ConfigInfo, data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        message = decode(HeartbeatRequest, data)
    except WireError:
        return
    assert decode(HeartbeatRequest, encode(message)) == message
