"""The name of one delivered range: what makes a repeat recognisable (DESIGN §4.3; docs/specs/batch-form.md)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """(agent, epoch, stream, sequence, part) with the range it covers; the agent is known from the key that signs the request."""

    epoch: bytes
    """16 random bytes per checkpoint database."""
    stream: str
    """16 upper-case hex digits."""
    sequence: int
    start: int
    end: int
    fingerprint: bytes
    """XXH3-128 of the raw bytes `[start, end)`, 16 bytes big-endian."""
    part: int = 0
    parts: int = 1
    acknowledged_below: int = 0
    """All sequences of this stream below it are acknowledged."""
    ended: bool = False

    @property
    def pack_id(self) -> str:
        """`<STREAM>-<sequence in hex>`, the value of the tag `__pack_id__`."""
        return f"{self.stream}-{self.sequence:X}"
