"""Messages between agents and the server that manages them: version 2 of the ConfigServer protocol, protobuf over HTTP.

Fields have the protocol's names and numbers. What a message does not have is skipped, as protobuf wants it; whatever is no message at all,
or holds more than `MAX_ITEMS` of one thing, is refused with `WireError`.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

from tailrace.wire import protobuf
from tailrace.wire.protobuf import WireError, delimited, number

MAX_ITEMS: Final = 10_000
"""Of one repeated field. An agent with more configs than that has lost its way."""
EMPTY: Final = memoryview(b"")
DELETED: Final = -1
"""The version of a config that is to go. 0 is reserved, any other number that differs is a change."""

Message = TypeVar("Message")


class ConfigStatus(enum.IntEnum):
    UNSET = 0
    APPLYING = 1
    APPLIED = 2
    FAILED = 3


class AgentCapability(enum.IntFlag):
    CONTINUOUS = 1
    INSTANCE = 2
    ONETIME = 4


class ServerCapability(enum.IntFlag):
    """What the server remembers of an agent, so that a beat may leave it out."""

    ATTRIBUTES = 1
    CONTINUOUS = 2
    INSTANCE = 4
    ONETIME = 8


class RequestFlag(enum.IntFlag):
    FULL_STATE = 1


class ResponseFlag(enum.IntFlag):
    REPORT_FULL_STATE = 1
    FETCH_CONTINUOUS = 2
    FETCH_INSTANCE = 4


@dataclass(frozen=True, slots=True)
class At:
    """The number of a field, and whether it is an int64: a negative number is no longer than any other."""

    number: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    name: Annotated[str, At(1)] = ""
    value: Annotated[str, At(2)] = ""


@dataclass(frozen=True, slots=True)
class ConfigInfo:
    """What an agent holds of one config or command, and what became of it. `version` is that of what it *runs*."""

    name: Annotated[str, At(1)] = ""
    version: Annotated[int, At(2, signed=True)] = 0
    status: Annotated[int, At(3)] = 0
    message: Annotated[str, At(4)] = ""
    extra: Annotated[Mapping[str, bytes], At(5)] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class Attributes:
    version: Annotated[bytes, At(1)] = b""
    ip: Annotated[bytes, At(2)] = b""
    hostname: Annotated[bytes, At(3)] = b""
    hostid: Annotated[bytes, At(4)] = b""
    extras: Annotated[Mapping[str, bytes], At(100)] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class HeartbeatRequest:
    """In full at first, and whenever anything changed; between that the agent's id and the next number are enough."""

    request_id: Annotated[bytes, At(1)] = b""
    sequence_num: Annotated[int, At(2)] = 0
    capabilities: Annotated[int, At(3)] = 0
    instance_id: Annotated[bytes, At(4)] = b""
    agent_type: Annotated[str, At(5)] = ""
    attributes: Annotated[Attributes, At(6)] = field(default_factory=Attributes)
    tags: Annotated[list[Tag], At(7)] = field(default_factory=list[Tag])
    running_status: Annotated[str, At(8)] = ""
    startup_time: Annotated[int, At(9, signed=True)] = 0
    continuous_pipeline_configs: Annotated[list[ConfigInfo], At(10)] = field(default_factory=list[ConfigInfo])
    instance_configs: Annotated[list[ConfigInfo], At(11)] = field(default_factory=list[ConfigInfo])
    onetime_pipeline_configs: Annotated[list[ConfigInfo], At(12)] = field(default_factory=list[ConfigInfo])
    flags: Annotated[int, At(13)] = 0
    opaque: Annotated[bytes, At(14)] = b""


@dataclass(frozen=True, slots=True)
class CommonResponse:
    """Any other status than 0 makes all else in the answer void."""

    status: Annotated[int, At(1, signed=True)] = 0
    error_message: Annotated[bytes, At(2)] = b""


@dataclass(frozen=True, slots=True)
class ConfigDetail:
    """A config that the agent is to run in this version, or, `DELETED`, is not to run any more. `detail` is its JSON."""

    name: Annotated[str, At(1)] = ""
    version: Annotated[int, At(2, signed=True)] = 0
    detail: Annotated[bytes, At(3)] = b""
    extra: Annotated[Mapping[str, bytes], At(4)] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class CommandDetail:
    """Something to do once, before `expire_time` (Unix seconds)."""

    name: Annotated[str, At(1)] = ""
    detail: Annotated[bytes, At(2)] = b""
    expire_time: Annotated[int, At(3, signed=True)] = 0
    extra: Annotated[Mapping[str, bytes], At(4)] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True)
class HeartbeatResponse:
    request_id: Annotated[bytes, At(1)] = b""
    common_response: Annotated[CommonResponse, At(2)] = field(default_factory=CommonResponse)
    capabilities: Annotated[int, At(3)] = 0
    continuous_pipeline_config_updates: Annotated[list[ConfigDetail], At(4)] = field(default_factory=list[ConfigDetail])
    instance_config_updates: Annotated[list[ConfigDetail], At(5)] = field(default_factory=list[ConfigDetail])
    onetime_pipeline_config_updates: Annotated[list[CommandDetail], At(6)] = field(default_factory=list[CommandDetail])
    flags: Annotated[int, At(7)] = 0
    opaque: Annotated[bytes, At(8)] = b""


@dataclass(frozen=True, slots=True)
class FetchConfigRequest:
    """For details that were too large to come with a heartbeat's answer."""

    request_id: Annotated[bytes, At(1)] = b""
    instance_id: Annotated[bytes, At(2)] = b""
    continuous_pipeline_configs: Annotated[list[ConfigInfo], At(3)] = field(default_factory=list[ConfigInfo])
    instance_configs: Annotated[list[ConfigInfo], At(4)] = field(default_factory=list[ConfigInfo])
    onetime_pipeline_configs: Annotated[list[ConfigInfo], At(5)] = field(default_factory=list[ConfigInfo])


@dataclass(frozen=True, slots=True)
class FetchConfigResponse:
    request_id: Annotated[bytes, At(1)] = b""
    common_response: Annotated[CommonResponse, At(2)] = field(default_factory=CommonResponse)
    continuous_pipeline_config_updates: Annotated[list[ConfigDetail], At(3)] = field(default_factory=list[ConfigDetail])
    instance_config_updates: Annotated[list[ConfigDetail], At(4)] = field(default_factory=list[ConfigDetail])
    onetime_pipeline_config_updates: Annotated[list[CommandDetail], At(5)] = field(default_factory=list[CommandDetail])


def encode(message: object) -> bytes:
    """A message of this module as protobuf; fields at their defaults are left out."""
    return b"".join(_encoded(at, value) for at, (name, _, _) in _plan(type(message)).items() if (value := getattr(message, name)))


def decode(kind: type[Message], data: bytes | memoryview) -> Message:
    """The message of that class in `data`. Raises WireError."""
    plan = _plan(kind)
    values: dict[str, Any] = {}
    for at, wire_type, value in protobuf.fields(memoryview(data)):
        if at not in plan:
            continue
        name, expected, signed = plan[at]
        if wire_type != (protobuf.VARINT if expected is int else protobuf.BYTES):
            raise WireError(f"`{name}` has the wrong wire type")
        if isinstance(value, int):
            values[name] = value - (1 << 64) if signed and value >> 63 else value
        else:
            _take(values, name, expected, value)
    return kind(**values)


@cache
def _plan(kind: type) -> dict[int, tuple[str, Any, bool]]:
    """Number of a field → its name, its type, whether it is signed."""
    hints = get_type_hints(kind, include_extras=True)
    return {at.number: (name, inner, at.signed) for name, hint in hints.items() for inner, at in (get_args(hint),)}


def _encoded(at: int, value: Any) -> bytes:
    match value:
        case int():
            return number(at, value & 0xFFFF_FFFF_FFFF_FFFF)
        case str():
            return delimited(at, value.encode("utf-8", "replace"))
        case bytes():
            return delimited(at, value)
        case Mapping():
            pairs = cast("Mapping[str, bytes]", value)
            return b"".join(
                delimited(at, delimited(1, key.encode("utf-8", "replace")) + delimited(2, inner)) for key, inner in pairs.items()
            )
        case list():
            return b"".join(delimited(at, encode(item)) for item in cast("list[object]", value))
        case _:
            return delimited(at, inner) if (inner := encode(value)) else b""


def _take(values: dict[str, Any], name: str, expected: Any, value: memoryview) -> None:
    """One value of length-delimited bytes; of a repeated field and a map one item."""
    item = get_origin(expected)
    if item is None:
        values[name] = _text(value) if expected is str else bytes(value) if expected is bytes else decode(expected, value)
        return
    into: Any = values.setdefault(name, [] if item is list else {})
    if len(into) >= MAX_ITEMS:
        raise WireError(f"`{name}` holds more than {MAX_ITEMS:,} items")
    if item is list:
        into.append(decode(get_args(expected)[0], value))
        return
    pair = {at: inner for at, _, inner in protobuf.fields(value) if isinstance(inner, memoryview)}
    into[_text(pair.get(1, EMPTY))] = bytes(pair.get(2, EMPTY))


def _text(value: memoryview) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("a text is not UTF-8") from error
