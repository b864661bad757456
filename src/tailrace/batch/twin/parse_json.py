"""Fields from the members of a JSON object.

The common case goes through msgspec, which is stricter; what it refuses (control characters, names that are not UTF-8, lone surrogates) is
read once more by `json_text`, whose word counts.
"""

import msgspec

from tailrace.batch.twin.json_text import MAX_NESTING, members, unescape
from tailrace.batch.twin.policy import Parsed
from tailrace.batch.twin.table import Keys, Spans, Values

DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
QUOTE = 0x22
BACKSLASH = b"\\"
MAX_SHAPES = 1024


class JsonParser:
    partial = ()

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], Keys] = {}

    def parse(self, values: list[bytes]) -> Parsed:
        keys: list[Keys] = []
        found: list[Values | None] = []
        for value in values:
            names, fields = self._parse(value)
            keys.append(names)
            found.append(fields)
        return keys, found

    def spans(self, value: bytes) -> Spans:
        last = {_name(value[slice(*name)]): at for name, at in members(value) or ()}
        return tuple(_value_span(value, *at) for at in last.values())

    def _parse(self, value: bytes) -> tuple[Keys, Values | None]:
        if value.count(b"{") + value.count(b"[") > MAX_NESTING:
            return _parse_slowly(value)
        try:
            found = DECODER.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _parse_slowly(value)
        shape = tuple(found)
        keys = self._shapes.get(shape)
        if keys is None:
            keys = tuple(name.encode() for name in shape)
            if len(self._shapes) < MAX_SHAPES:
                self._shapes[shape] = keys
        texts = map(bytes, found.values())
        return keys, tuple([text if text[0] != QUOTE else text[1:-1] if BACKSLASH not in text else unescape(text[1:-1]) for text in texts])


def _parse_slowly(value: bytes) -> tuple[Keys, Values | None]:
    found = members(value)
    if found is None:
        return (), None
    fields = {_name(value[slice(*name)]): _field(value[slice(*at)]) for name, at in found}
    return tuple(fields), tuple(fields.values())


def _field(written: bytes) -> bytes:
    """A string's content; any other value as it is written."""
    return _name(written[1:-1]) if written[0] == QUOTE else written


def _name(inside: bytes) -> bytes:
    return unescape(inside) if b"\\" in inside else inside


def _value_span(text: bytes, begin: int, end: int) -> tuple[int, int] | None:
    if text[begin] != QUOTE:
        return begin, end - begin
    return None if text.find(b"\\", begin, end) >= 0 else (begin + 1, end - begin - 2)
