"""Answers bounded by bytes: how many rows fit into one shows when they are asked for.

Rows are asked for by number, and the engine refuses what would weigh more than a portion; then fewer are asked for, down to a single one,
which is given whatever it weighs. So a page of events of 200 bytes costs one question, and one of 8 MB each never fills the memory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from tailrace.errors import TooLargeError
from tailrace.server.store.port import Limits, Rows

PORTION_BYTES = 32 << 20
"""As the engine holds it: as Python's objects some three times as much."""
_LESS, _MORE = 4, 4


@dataclass
class Portion:
    """Of a question that is asked again and again: `count` is how many rows the next one asks for, `most` at most."""

    most: int
    limits: Limits
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.count = self.most

    async def ask(self, question: Callable[[int, Limits], Awaitable[Rows]]) -> tuple[Rows, int]:
        """The answer of `question`, which is told how many rows it may ask for and under which limits, and how many those were.
        Raises what it raises; TooLargeError for a single row only."""
        while True:
            asked = self.count
            try:
                found = await question(asked, replace(self.limits, bytes=PORTION_BYTES if asked > 1 else 0))
            except TooLargeError:
                if asked <= 1:
                    raise
                self.count = max(1, asked // _LESS)
                continue
            self.count = self._next(asked, found)
            return found, asked

    def _next(self, asked: int, found: Rows) -> int:
        """As many as weigh half a portion, when they are like these."""
        if not found.size or not found.rows:
            return asked
        fitting = PORTION_BYTES // 2 * len(found.rows) // found.size
        return max(1, min(self.most, fitting, asked * _MORE))
