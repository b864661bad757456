"""Who goes first where not all can go: pipelines with `Priority: 1` before those with 2, these before those with 3 or none.

Nobody starves: of what is scarce each class gets a share, three times that of the next one. What a class does not need, the others have.
"""

from collections.abc import Collection
from typing import Final

LAST: Final = 3
WEIGHTS: Final = {1: 9.0, 2: 3.0, LAST: 1.0}


def class_of(priority: int) -> int:
    """`Priority` of a pipeline: 0 is none."""
    return priority or LAST


class Precedence:
    """Turns of one scarce thing (stride scheduling). Belongs to the event loop."""

    def __init__(self) -> None:
        self._had = dict.fromkeys(WEIGHTS, 0.0)
        """What each class had, over its weight. One that was away is brought up to the others, so that it saves nothing up."""
        self._away = set(WEIGHTS)

    def order(self, present: Collection[int]) -> list[int]:
        """The classes that want something, the one whose turn it is first."""
        least = min((self._had[one] for one in present if one not in self._away), default=max(self._had.values()))
        for one in present:
            if one in self._away:
                self._had[one] = max(self._had[one], least)
        self._away = set(WEIGHTS) - set(present)
        first = min(present, key=lambda one: (self._had[one], one))
        return [first, *sorted(one for one in present if one != first)]

    def charge(self, one: int, amount: float) -> None:
        """A class had so much."""
        self._had[one] += amount / WEIGHTS[one]
