"""Whose turn it is to be read: one block of each file that is ready, fresh lines before what is far behind.

A file with no more than a block to read comes first, so that a backlog, or a thousand of them, never delays the lines that are written now.
Of those that are behind one still gets a block in at least every second round, however many fresh lines there are.
"""

from collections import deque
from collections.abc import Iterator

from tailrace.inputs.file.framing import BLOCK_SIZE
from tailrace.inputs.file.generation import Generation


class Turns:
    """The files of one input that wait to be read. One thread uses it."""

    def __init__(self) -> None:
        self._fresh: deque[Generation] = deque()
        self._behind: deque[Generation] = deque()
        self._owed = False
        """The last round ended before any of those behind had its turn."""

    def __len__(self) -> int:
        return len(self._fresh) + len(self._behind)

    def add(self, generation: Generation) -> None:
        """It waits until its turn, where it does not already, or for another one that is read before it."""
        if not generation.queued and generation.after is None:
            generation.queued = True
            (self._behind if generation.unread > BLOCK_SIZE else self._fresh).append(generation)

    def remove(self, generation: Generation) -> None:
        if generation.queued:
            generation.queued = False
            (self._behind if generation in self._behind else self._fresh).remove(generation)

    def round(self) -> Iterator[Generation]:
        """Each that waits now, once. Who stops in between owes the next block to one that is behind."""
        fresh, behind = len(self._fresh), len(self._behind)
        owed, self._owed = self._owed, bool(behind)
        if owed and behind:
            yield self._next(self._behind)
            behind -= 1
        for _ in range(fresh):
            yield self._next(self._fresh)
        for _ in range(behind):
            yield self._next(self._behind)
        self._owed = False

    def _next(self, waiting: deque[Generation]) -> Generation:
        if waiting is self._behind:
            self._owed = False
        generation = waiting.popleft()
        generation.queued = False
        return generation
