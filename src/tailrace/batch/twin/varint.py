"""Numbers as protobuf writes them."""


def varint(value: int) -> bytes:
    """`value`, at least 0, in base 128, lowest digits first."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
