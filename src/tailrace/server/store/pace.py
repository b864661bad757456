"""The insert budget: blocks go to the engine evenly over time, however many logstores are active (DESIGN §4.6).

An insertion costs the engine about the same however few rows it has, so their number per second is what is bounded. Blocks that are due
at the same moment would wait for each other in the engine; one after the other, each is searchable as soon as it is sealed.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """At most `per_sec` blocks a second. Times are monotonic seconds."""

    per_sec: float
    next_at: float = 0.0
    """When the next block may go."""

    def spend(self, now: float) -> None:
        """A block goes now. What was not used in quiet times is not saved up."""
        self.next_at = max(self.next_at, now) + 1 / self.per_sec

    def interval(self, active: int) -> float:
        """Seconds between two blocks of one logstore when so many are active."""
        return active / self.per_sec
