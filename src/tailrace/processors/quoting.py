r"""Texts as they stand in the source of Go or C: quotes around, backslash escapes inside.

The escapes are those of Go: `\a \b \f \n \r \t \v \\ \"`, `\xHH` and `\NNN` (octal) for one byte, `\uHHHH` and `\UHHHHHHHH` for a
character.
"""

import re
from typing import Final

_ESCAPE: Final = re.compile(rb'\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))')
_SINGLE: Final = dict(zip(b'abfnrtv\\"', b'\a\b\f\n\r\t\v\\"', strict=True))


def unquoted(value: bytes) -> bytes | None:
    """`value` without the quotes around it, if it has them, and with its escapes replaced.

    None when an escape is unknown, a line break stands in it, or inside of outer quotes a quote without a backslash.
    """
    has_quotes = value.startswith(b'"') and value.endswith(b'"')
    inner = value[1:-1] if has_quotes else value
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(inner):
        pieces.append(inner[at : match.start()])
        character = _meant(match)
        if character is None:
            return None
        pieces.append(character)
        at = match.end()
    rest = b"".join([*pieces[::2], inner[at:]])
    if value == b'"' or b"\\" in rest or b"\n" in rest or (has_quotes and b'"' in rest):
        return None
    return b"".join([*pieces, inner[at:]])


def _meant(match: re.Match[bytes]) -> bytes | None:
    single, hexadecimal, octal, short, long = match.groups()
    if single:
        return bytes([_SINGLE[single[0]]])
    if hexadecimal or octal:
        number = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        return bytes([number]) if number < 256 else None
    code = int(short or long, 16)
    return None if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code).encode()
