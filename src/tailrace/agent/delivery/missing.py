"""Since when targets do not exist, by the wall clock and over restarts: what waits for one for a day is worth another alarm.

The checkpoint keeps it: an agent that is restarted every night must not begin to wait anew each time.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final

PARKED_SECS: Final = 86_400.0
MOST: Final = 1000
"""Targets that are remembered; the one that is missing for longest goes first, and its clock begins anew should it be asked again."""


class Missing:
    """Of one agent; it belongs to the event loop. `keep` makes what it is given durable, before long."""

    def __init__(self, known: Mapping[str, float], keep: Callable[[Mapping[str, float]], None]) -> None:
        """`known`: name of the target → Unix seconds."""
        self._since = dict(known)
        self._keep = keep

    def is_parked(self, target: str) -> bool:
        """The target said once more that it does not exist: whether it has done so for a day."""
        now = time.time()
        since = self._since.get(target)
        if since is None or since > now:  # the clock was turned back: it has waited for as long as that, at least
            self._since[target] = since = now
            while len(self._since) > MOST:
                del self._since[min(self._since, key=lambda one: self._since[one])]
            self._keep(self._since)
        return now - since > PARKED_SECS

    def is_there(self, target: str) -> None:
        if self._since.pop(target, None) is not None:
            self._keep(self._since)
