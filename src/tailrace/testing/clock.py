"""A clock that stands still until it is moved."""

from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Seconds, in the place of `time.time` or `time.monotonic`: call it, or give it where a module's `time` is expected."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now
