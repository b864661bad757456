"""The insert budget: blocks go to the engine evenly over time, however many logstores are active (DESIGN §4.6).

An insertion costs the engine about the same however few rows it has, so their number per second is what is bounded. Blocks that are due
at the same moment would wait for each other in the engine; one after the other, each is searchable as soon as it is sealed.

How many a machine takes shows in how long it takes for one: while they are quick there may be more of them (docs/adr/0016).
"""

from dataclasses import dataclass

WEIGHT = 1 / 16
"""Of the newest insertion in the average."""


@dataclass(slots=True)
class Pace:
    """From `least` to `most` blocks a second: so many that about `at_once` are with the engine. Times are monotonic seconds."""

    least: float
    most: float
    at_once: int
    next_at: float = 0.0
    """When the next block may go."""
    seconds: float = 0.0
    """What one insertion takes, on the average of the last ones."""

    def took(self, seconds: float) -> None:
        """An insertion is over."""
        self.seconds += (seconds - self.seconds) * WEIGHT

    def spend(self, now: float) -> None:
        """A block goes now. What was not used in quiet times is not saved up."""
        self.next_at = max(self.next_at, now) + self._gap()

    def interval(self, active: int) -> float:
        """Seconds between two blocks of one logstore when so many are active."""
        return active * self._gap()

    def _gap(self) -> float:
        return min(max(self.seconds / self.at_once, 1 / self.most), 1 / self.least)
