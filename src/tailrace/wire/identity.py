"""The name of one delivered range: what makes a repeat recognisable (DESIGN §4.3; docs/specs/batch-form.md)."""

from collections.abc import Callable
from dataclasses import dataclass

from tailrace.batch import fingerprint


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


@dataclass(frozen=True, slots=True)
class StoredEnd:
    """Up to where a server has a stream, and what proves a source to be the one that it has that of."""

    end: int
    start: int = 0
    """Where the last range begins that it has."""
    fingerprint: bytes = b""
    """Of that range, `[start, end)`; empty where the server does not say: then any source that reaches so far is taken for it."""

    def is_in(self, read_at: Callable[[int, int], bytes]) -> bool:
        """Whether a source holds what is stored. `read_at` takes a size and an offset."""
        if not self.fingerprint:
            return not self.end or bool(read_at(1, self.end - 1))
        piece = read_at(self.end - self.start, self.start)
        return len(piece) == self.end - self.start and fingerprint(piece) == self.fingerprint
