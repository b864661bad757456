"""The protobuf encoding, as much of it as small messages of ours need: varints, 4- and 8-byte numbers, length-delimited bytes.

Groups (wire types 3 and 4) are no part of any message that we read; they are refused.
"""

from collections.abc import Iterator
from typing import TypeAlias

from tailrace.batch.twin.varint import varint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value: TypeAlias = int | memoryview
"""A number for wire types 0, 1 and 5; a view into the message for wire type 2."""


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def number(field: int, value: int) -> bytes:
    return varint(field << 3 | VARINT) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    return varint(field << 3 | FIXED64) + value.to_bytes(8, "little")


def fixed32(field: int, value: int) -> bytes:
    return varint(field << 3 | FIXED32) + value.to_bytes(4, "little")


def prefix(field: int, size: int) -> bytes:
    """What stands before a length-delimited value of `size` bytes."""
    return varint(field << 3 | BYTES) + varint(size)


def delimited(field: int, value: bytes) -> bytes:
    return prefix(field, len(value)) + value


def read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number at `at` and where it ends. Bits beyond 64 are cut off, as protobuf does."""
    value = 0
    for index in range(10):
        if at + index >= len(message):
            raise WireError("a number runs past the end")
        digit = message[at + index]
        value |= (digit & 0x7F) << (7 * index)
        if digit < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise WireError("a number is longer than ten bytes")


def fields(message: memoryview) -> Iterator[tuple[int, int, Value]]:
    """(field number, wire type, value) of every field, in the order of the bytes. Raises WireError."""
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        field, wire_type = key >> 3, key & 7
        if field == 0 or field > 0x1FFF_FFFF:
            raise WireError("a field number is out of range")
        if wire_type == VARINT:
            value, at = read_varint(message, at)
            yield field, wire_type, value
            continue
        if wire_type == BYTES:
            size, at = read_varint(message, at)
        elif wire_type in (FIXED32, FIXED64):
            size = 4 if wire_type == FIXED32 else 8
        else:
            raise WireError(f"wire type {wire_type} is not allowed")
        if size > len(message) - at:
            raise WireError("a field runs past the end")
        raw = message[at : at + size]
        at += size
        yield field, wire_type, raw if wire_type == BYTES else int.from_bytes(raw, "little")
