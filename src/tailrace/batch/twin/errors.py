"""The two errors of the engines' contract."""

from typing import Literal, TypeAlias

Reason: TypeAlias = Literal["malformed", "too_large", "too_many", "wrong_size"]


class PatternError(ValueError):
    """A user pattern outside the dialect, or malformed. `position` is the byte offset of the part that is wrong."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"{reason} (at byte {position})")
        self.position = position


class DecodeError(ValueError):
    """Bytes that are not what they should be, or beyond a bound."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
