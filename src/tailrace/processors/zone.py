"""Time zones as configs write them: `GMT+08:00`."""

import re
import time
from collections.abc import Iterator
from typing import Final

from tailrace.pipeline.config import Problem, has_reference

_ZONE: Final = re.compile(r"(?:GMT|UTC)([+-])(\d{2}):([0-5]\d)")
MAX_OFFSET_SECS: Final = 14 * 3600
"""No place on Earth is further from UTC."""


def zone_problems(key: str, zone: str) -> Iterator[Problem]:
    """What is wrong with `zone`, the value of the option `key`; an empty one is right."""
    if not zone or has_reference(zone):
        return
    match = _ZONE.fullmatch(zone)
    if match is None:
        yield Problem(key, f"`{zone}` is not an offset", "write it as `GMT+08:00` or `GMT-03:30`")
    elif abs(_offset(match)) > MAX_OFFSET_SECS:
        yield Problem(key, f"`{zone}` is more than 14 hours away from GMT")


def utc_offset_secs(zone: str, at: float) -> int:
    """Seconds east of UTC, of `zone` or, when it is empty, of this machine's zone at the moment `at`."""
    match = _ZONE.fullmatch(zone)
    return _offset(match) if match else time.localtime(at).tm_gmtoff


def _offset(match: re.Match[str]) -> int:
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds
