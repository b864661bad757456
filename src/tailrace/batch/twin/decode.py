"""LogGroup bytes to rows, bounded: nothing is kept beyond the bounds, nothing is read twice.

Unknown fields are skipped. A known field with a foreign wire type is unknown. Groups (wire types 3 and 4) are malformed.
"""

from dataclasses import dataclass, field

from tailrace.batch.twin.errors import DecodeError
from tailrace.batch.twin.table import Event

SECOND_NS = 1_000_000_000
MASK_32 = 0xFFFF_FFFF
Pair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Bounds:
    max_events: int
    max_fields: int
    max_key: int
    max_value: int
    max_tags: int


@dataclass(slots=True)
class LogGroup:
    events: list[Event] = field(default_factory=list[Event])
    tags: list[Pair] = field(default_factory=list[Pair])
    topic: bytes = b""
    source: bytes = b""


def decode_group(body: bytes, bounds: Bounds) -> LogGroup:
    """Raises DecodeError."""
    return _Decoder(body, bounds).group()


class _Decoder:
    def __init__(self, body: bytes, bounds: Bounds) -> None:
        self._body = body
        self._bounds = bounds
        self._fields = 0

    def group(self) -> LogGroup:
        found = LogGroup()
        at, end = 0, len(self._body)
        while at < end:
            tag, at = self._varint(at, end)
            if tag & 7 != 2:
                at = self._skip(tag, at, end)
                continue
            begin, at = self._delimited(at, end)
            match tag >> 3:
                case 1:
                    if len(found.events) == self._bounds.max_events:
                        raise DecodeError("too_many", f"a log group may hold {self._bounds.max_events} logs, this one has more")
                    found.events.append(self._log(begin, at))
                case 3:
                    found.topic = self._body[begin:at]
                case 4:
                    found.source = self._body[begin:at]
                case 6:
                    if len(found.tags) == self._bounds.max_tags:
                        raise DecodeError("too_many", f"a log group may hold {self._bounds.max_tags} tags, this one has more")
                    found.tags.append(self._pair(begin, at))
                case number:
                    _check_number(number)
        return found

    def _log(self, at: int, end: int) -> Event:
        seconds = nanoseconds = 0
        fields: list[Pair] = []
        body = self._body
        room = self._bounds.max_fields - self._fields
        while at < end:
            tag = body[at]
            at += 1
            if tag >= 0x80:
                tag, at = self._varint(at - 1, end)
            if tag == 0x12:
                begin, at = self._delimited(at, end)
                if len(fields) == room:
                    raise DecodeError("too_many", f"a log group may hold {self._bounds.max_fields} fields, this one has more")
                fields.append(self._usual_pair(begin, at) or self._pair(begin, at))
            elif tag == 0x08:
                seconds, at = self._varint(at, end)
            elif tag == 0x25:
                if at + 4 > end:
                    raise _malformed("a number runs past its end")
                nanoseconds = int.from_bytes(body[at : at + 4], "little")
                at += 4
            else:
                at = self._skip(tag, at, end)
        self._fields += len(fields)
        return (seconds & MASK_32) * SECOND_NS + nanoseconds, fields

    def _usual_pair(self, at: int, end: int) -> Pair | None:
        """A short key, then a value, as everybody writes them; None sends anything else through `_pair`."""
        body = self._body
        if end - at < 4 or body[at] != 0x0A:
            return None
        key_end = at + 2 + body[at + 1]
        if key_end + 2 > end or body[at + 1] > min(0x7F, self._bounds.max_key) or body[key_end] != 0x12:
            return None
        size, begin = body[key_end + 1], key_end + 2
        if size >= 0x80:
            size, begin = self._varint(key_end + 1, end)
        if begin + size != end or size > self._bounds.max_value:
            return None
        return body[at + 2 : key_end], body[begin:end]

    def _pair(self, at: int, end: int) -> Pair:
        key = value = b""
        body = self._body
        while at < end:
            tag, at = self._varint(at, end)
            if tag == 0x0A:
                begin, at = self._delimited(at, end)
                if at - begin > self._bounds.max_key:
                    raise DecodeError("too_large", f"a key may have {self._bounds.max_key} bytes, this one has {at - begin}")
                key = body[begin:at]
            elif tag == 0x12:
                begin, at = self._delimited(at, end)
                if at - begin > self._bounds.max_value:
                    raise DecodeError("too_large", f"a value may have {self._bounds.max_value} bytes, this one has {at - begin}")
                value = body[begin:at]
            else:
                at = self._skip(tag, at, end)
        return key, value

    def _delimited(self, at: int, end: int) -> tuple[int, int]:
        """Where the bytes of a field begin and end."""
        if at < end and (size := self._body[at]) < 0x80:
            at += 1
        else:
            size, at = self._varint(at, end)
        if size > end - at:
            raise _malformed("a field runs past its end")
        return at, at + size

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            digit = self._body[at]
            at += 1
            value |= (digit & 0x7F) << shift
            if digit < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at
            shift += 7
        raise _malformed("a number runs past its end")

    def _skip(self, tag: int, at: int, end: int) -> int:
        """Beyond an unknown field."""
        _check_number(tag >> 3)
        match tag & 7:
            case 0:
                return self._varint(at, end)[1]
            case 2:
                return self._delimited(at, end)[1]
            case 1 | 5 as wire_type:
                at += 8 if wire_type == 1 else 4
                if at > end:
                    raise _malformed("a number runs past its end")
                return at
            case wire_type:
                raise _malformed(f"the wire type {wire_type} is not allowed")


def _check_number(number: int) -> None:
    if not 0 < number < 1 << 29:
        raise _malformed("a field number is out of range")


def _malformed(reason: str) -> DecodeError:
    return DecodeError("malformed", f"the log group is malformed: {reason}")
