"""How long a target is left alone after a failure: doubling, with jitter, so that many agents do not come back at once."""

import random

FIRST_SECS = 0.2
CEILING_SECS = 30.0
LATER = 0.2
"""As much more than it was told a target is left alone at the most."""


class Backoff:
    """Seconds to wait before the next try."""

    def __init__(self, first: float = FIRST_SECS, ceiling: float = CEILING_SECS) -> None:
        self._first = first
        self._ceiling = ceiling
        self._failures = 0

    @property
    def failing(self) -> bool:
        return self._failures > 0

    def failed(self, at_least: float | None = None) -> float:
        """Count a failure. The answer lies between half of the doubled time and the whole of it, and not below `at_least` (Retry-After),
        which many agents are told at once."""
        wait = min(self._ceiling, self._first * 2 ** min(self._failures, 16))
        self._failures += 1
        jitter = random.random()  # noqa: S311 - no secret
        return max(wait * (1 + jitter) / 2, (at_least or 0.0) * (1 + jitter * LATER))

    def succeeded(self) -> None:
        self._failures = 0
