"""JSON as bytes (RFC 8259): where the members of an object lie, and what an escaped string stands for.

Control characters and bytes that are not UTF-8 are taken as they are inside strings.
"""

import re

MAX_NESTING = 512

SPACE = re.compile(rb"[ \t\n\r]*+")
# Atomic groups: a group that is repeated possessively takes half a repetition with it in Python 3.11.2, which Debian 12 has.
STRING = re.compile(rb'"([^"\\]*+(?>(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*+)*))"')
SCALAR = re.compile(rb"-?+(?:0|[1-9][0-9]*+)(?>(?:\.[0-9]++)?)(?>(?:[eE][+-]?+[0-9]++)?)|true|false|null")
ESCAPE = re.compile(rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
PLAIN = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
LONE = "\ufffd".encode()
OPEN, CLOSE = {0x7B: 0x7D, 0x5B: 0x5D}, (0x7D, 0x5D)

Slice = tuple[int, int]


def members(text: bytes) -> list[tuple[Slice, Slice]] | None:
    """Per member the slices of its name (without quotes) and its value (as written); None when `text` is anything but one object."""
    at = _skip_space(text, 0)
    if text[at : at + 1] != b"{":
        return None
    found: list[tuple[Slice, Slice]] = []
    at = _skip_space(text, at + 1)
    closed = text[at : at + 1] == b"}"
    while not closed:
        name = STRING.match(text, at)
        if name is None:
            return None
        at = _skip_space(text, name.end())
        if text[at : at + 1] != b":":
            return None
        begin = _skip_space(text, at + 1)
        end = _skip_value(text, begin)
        if end < 0:
            return None
        found.append((name.span(1), (begin, end)))
        at = _skip_space(text, end)
        closed = text[at : at + 1] == b"}"
        if not closed:
            if text[at : at + 1] != b",":
                return None
            at = _skip_space(text, at + 1)
    return found if _skip_space(text, at + 1) == len(text) else None


def elements(text: bytes) -> list[Slice]:
    """The slices of an array's elements; `text` is a valid array, from bracket to bracket."""
    found: list[Slice] = []
    at = _skip_space(text, 1)
    while text[at : at + 1] != b"]":
        end = _skip_value(text, at)
        found.append((at, end))
        at = _skip_space(text, end)
        if text[at : at + 1] == b",":
            at = _skip_space(text, at + 1)
    return found


def unescape(inside: bytes) -> bytes:
    """What the inside of a valid JSON string stands for, in UTF-8. A surrogate without its other half is U+FFFD."""
    if inside.count(b"\\") == inside.count(b'\\"'):
        return inside.replace(b'\\"', b'"')
    return ESCAPE.sub(_unescaped, inside)


def _unescaped(match: re.Match[bytes]) -> bytes:
    high, low, unit, letter = match.groups()
    if letter is not None:
        return PLAIN.get(letter, letter)
    if high is not None:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00).encode()
    code = int(unit, 16)
    return LONE if 0xD800 <= code <= 0xDFFF else chr(code).encode()


def _skip_space(text: bytes, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at


def _skip_value(text: bytes, at: int) -> int:
    """Where the value at `at` ends, -1 when there is none. Without recursion: nesting is bounded by a number, not by the stack."""
    closers: list[int] = []
    while True:
        opened = OPEN.get(text[at]) if at < len(text) else None
        if opened is not None:
            closers.append(opened)
            at = _skip_space(text, at + 1)
            if len(closers) >= MAX_NESTING:
                return -1
            if text[at : at + 1] != bytes([opened]):
                at = _skip_name(text, at) if opened == 0x7D else at
                if at < 0:
                    return -1
                continue
        else:
            match = STRING.match(text, at) or SCALAR.match(text, at)
            if match is None:
                return -1
            at = match.end()
        at = _skip_closers(text, at, closers)
        if at < 0 or not closers:
            return at


def _skip_name(text: bytes, at: int) -> int:
    """Beyond a member's name and colon, at its value."""
    name = STRING.match(text, at)
    if name is None:
        return -1
    at = _skip_space(text, name.end())
    return _skip_space(text, at + 1) if text[at : at + 1] == b":" else -1


def _skip_closers(text: bytes, at: int, closers: list[int]) -> int:
    """After a value: beyond the brackets that end here, then beyond a comma (and name) to the next value. -1 when neither follows."""
    while closers:
        end = _skip_space(text, at)
        mark = text[end : end + 1]
        if mark == bytes(closers[-1:]):
            closers.pop()
            at = end + 1
        elif mark == b",":
            at = _skip_space(text, end + 1)
            return _skip_name(text, at) if closers[-1] == 0x7D else at
        else:
            return -1
    return at
