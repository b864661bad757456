"""What happened lately, as the status tells it: how often what the agent runs has changed, and how often the network failed."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MINUTES: Final = (1, 5, 15)
"""Failures of the network are told for so many."""


@dataclass(slots=True)
class Lately:
    """Fed by the sampler's looks; another thread may read."""

    updates: int = 0
    """Looks that found other pipelines, or other versions of them, than the one before; the first that found any is one of them."""
    items: int = 0
    """Pipelines that were new, changed or gone then."""
    updated_at: float = 0.0
    """Wall clock of the last of these looks; 0: there was none."""
    _running: Mapping[str, str] = field(default_factory=dict[str, str])
    _failures: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def runs(self, pipelines: Mapping[str, str], now: float) -> None:
        """Name to version of what runs."""
        before, self._running = self._running, pipelines
        changed = {name for name in before.keys() | pipelines.keys() if before.get(name) != pipelines.get(name)}
        if changed:
            self.updates, self.items, self.updated_at = self.updates + 1, self.items + len(changed), now

    def failed(self, requests: int, now: float) -> None:
        """So many requests got no answer, or one that is no answer to data, since the look before."""
        if requests:
            self._failures.append((now, requests))
        while self._failures and self._failures[0][0] <= now - MINUTES[-1] * 60:
            self._failures.popleft()

    def failures(self, now: float) -> Sequence[int]:
        """Of the last minutes, by MINUTES."""
        known = list(self._failures)
        return [sum(count for at, count in known if at > now - minutes * 60) for minutes in MINUTES]
