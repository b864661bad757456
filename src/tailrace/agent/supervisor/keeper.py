"""Handles of files that lost their name while the worker was not done with them: they outlive it here, for the next one.

The keeper holds duplicates and reads nothing. The system frees such a file when the worker has said that it is done with it, and so has
closed its own.
"""

import os
from collections.abc import Iterator
from typing import Final

MOST: Final = 1000
"""Handles; the next is refused, and the worker says so."""


class HandleKeeper:
    """By the key that the worker gave."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, key: str, handle: int) -> bool:
        """The handle is the keeper's now. False, and it is closed, when there is no room."""
        if key not in self._held and len(self._held) >= MOST:
            os.close(handle)
            return False
        self.let_go(key)
        self._held[key] = handle
        return True

    def let_go(self, key: str) -> None:
        if (handle := self._held.pop(key, None)) is not None:
            os.close(handle)

    def all(self) -> Iterator[tuple[str, int]]:
        yield from self._held.items()
