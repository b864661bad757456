"""Numbers as protobuf writes them."""

_SMALL = [bytes([value]) for value in range(128)]


def varint(value: int) -> bytes:
    """`value`, at least 0, in base 128, lowest digits first."""
    if value < 128:
        return _SMALL[value]
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
