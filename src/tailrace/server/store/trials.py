"""Which statements are worth a trial as short ones: not those that were none a moment ago, as a dashboard repeats them."""

import hashlib
import time
from collections.abc import Callable

TRIAL_SECS = 0.25
"""Beside long queries another that may be long gets so much time to end as a short one (docs/adr/0035)."""
REMEMBERED_SECS = 300.0
MOST_REMEMBERED = 1000


class Trials:
    """Of the last statements that did not end in time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[bytes, float] = {}

    def is_worth_it(self, sql: str) -> bool:
        return self._clock() - self._failed.get(_key(sql), float("-inf")) > REMEMBERED_SECS

    def failed(self, sql: str) -> None:
        self._failed.pop(_key(sql), None)
        if len(self._failed) >= MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        self._failed[_key(sql)] = self._clock()


def _key(sql: str) -> bytes:
    """Times and words of a search are bound to a statement: they do not stand in it."""
    return hashlib.blake2b(sql.encode("utf-8", "surrogateescape"), digest_size=16).digest()
