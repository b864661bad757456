"""Bounds how often somebody may fail to join, or to log in: guessing must be hopeless, and cost the server next to nothing."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from tailrace.errors import ApiError

MOST_FAILURES: Final = 20
PER_SECS: Final = 60.0
"""A neighbourhood that has failed so often in so long is not looked at until the oldest failure is that old."""
MOST_KNOWN: Final = 4096
IPV6_PREFIX: Final = 64
"""One subscriber has so much of IPv6."""


class Attempts:
    """Failures, of the neighbourhoods that failed last. Successes are not counted: many agents may join from behind one address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, what: str = "join have failed from this address") -> None:
        self._clock = clock
        self._what = what
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def admit(self, address: str) -> None:
        """Raises ApiError 429 TooManyAttempts."""
        recent = self._recent(_neighbourhood(address))
        if len(recent) >= MOST_FAILURES:
            wait = max(1.0, recent[0] + PER_SECS - self._clock())
            raise ApiError(429, "TooManyAttempts", f"too many attempts to {self._what}", retry_after=wait)

    def failed(self, address: str) -> None:
        place = _neighbourhood(address)
        self._failures[place] = [*self._recent(place), self._clock()]
        self._failures.move_to_end(place)
        if len(self._failures) > MOST_KNOWN:
            self._failures.popitem(last=False)

    def _recent(self, place: str) -> list[float]:
        since = self._clock() - PER_SECS
        return [at for at in self._failures.get(place, []) if at > since]


def _neighbourhood(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False)) if parsed.version == 6 else str(parsed)
