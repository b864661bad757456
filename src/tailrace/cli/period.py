"""`--since` and `--until`: an age (`90s`, `15m`, `1h`, `7d`, `2w`), a time (`2026-11-22 10:00`), Unix seconds, or `now`."""

import re
from datetime import datetime

from tailrace.errors import UsageError

_AGE = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def moment(text: str, now: float, flag: str) -> int:
    """Unix seconds. A time without a zone is local. Raises UsageError."""
    text = text.strip()
    if text == "now":
        return int(now)
    if age := _AGE.fullmatch(text):
        return int(now) - int(age[1]) * _SECONDS[age[2]]
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        hint = "write an age (`15m`, `1h`, `7d`), a time (`2026-11-22 10:00`) or `now`"
        raise UsageError(f"`{flag} {text}` is not a time", hint=hint) from None


def seconds_of(text: str) -> int:
    """A length of time: `30m`, `24h`, `7d`. Raises UsageError."""
    if (length := _AGE.fullmatch(text)) is None:
        raise UsageError(f"`{text}` is no length of time", hint="write it like `30m`, `24h` or `7d`")
    return int(length[1]) * _SECONDS[length[2]]


def period(since: str, until: str, now: float) -> tuple[int, int]:
    """`[start, end)` in Unix seconds; "now" includes the second that is not over. Raises UsageError."""
    start, end = moment(since, now, "--since"), moment(until, now, "--until") + (1 if until.strip() == "now" else 0)
    if start >= end:
        raise UsageError(f"`--since {since}` is not before `--until {until}`")
    return max(start, 0), end
