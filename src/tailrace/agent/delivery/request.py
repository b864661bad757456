"""What is sent at once, and what waits for that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tailrace.agent.delivery.precedence import LAST
from tailrace.agent.lanes.streams import Entry
from tailrace.pipeline.contract import Payload


@dataclass(frozen=True, slots=True)
class Item:
    """One payload that waits. `arrived` is monotonic seconds."""

    entry: Entry
    payload: Payload
    arrived: float


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What is sent, acknowledged or refused as a whole."""

    items: Sequence[Item]
    farewells: Sequence[Payload] = ()
    """They say that streams have ended (docs/specs/batch-form.md)."""

    @property
    def payloads(self) -> list[Payload]:
        return [*(item.payload for item in self.items), *self.farewells]

    @property
    def entries(self) -> list[Entry]:
        """The ranges it has parts of, each once, in order."""
        return list(dict.fromkeys(item.entry for item in self.items))

    @property
    def precedence(self) -> int:
        """Class of the first among its pipelines."""
        return min((item.entry.stream.precedence for item in self.items), default=LAST)

    @property
    def size(self) -> int:
        """Encoded bytes."""
        return sum(len(item.payload.body) for item in self.items)


Requests: TypeAlias = dict[Request, float]
"""Those under way, and when the target was last asked about each (monotonic; 0: it was not, or it has answered)."""
