"""Which events have a field at all."""

from collections.abc import Iterable
from typing import Final

from tailrace.batch import EventBatch, Pattern

_ANYTHING: Final = Pattern("")


def present(batch: EventBatch, key: bytes) -> list[bool]:
    """Per row whether it has the field, even an empty one."""
    return batch.matching(key, _ANYTHING, anywhere=True)


def any_present(batch: EventBatch, keys: Iterable[bytes]) -> list[bool]:
    """Per row whether it has one of the fields at least."""
    found = [False] * len(batch)
    for key in keys:
        if all(found):
            break
        found = [before or here for before, here in zip(found, present(batch, key), strict=True)]
    return found
