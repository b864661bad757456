"""The part of a logstore that a request is about: its rows between two times, of one topic, as conditions of the engine."""

from dataclasses import dataclass, replace

from tailrace.errors import ApiError
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import TRUE, Binder, Predicates
from tailrace.server.store.port import TableSpec

NS = 1_000_000_000
_LAST_NS = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Window:
    """Half open: `[start, end)` in ns since 1970. `topic` is "" for all topics."""

    start: int
    end: int
    topic: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ApiError(400, "InvalidTimeRange", f"the range from {self.start / NS:.9g} to {self.end / NS:.9g} is empty or negative")

    def earlier(self, seconds: int) -> "Window":
        """Raises ApiError(400, InvalidTimeRange) where all of it is before 1970."""
        return replace(self, start=max(0, self.start - seconds * NS), end=self.end - seconds * NS)

    def conditions(self, table: TableSpec, search: str, binder: Binder) -> list[str]:
        """For the WHERE of every statement. Raises ApiError(400, ParameterInvalid) for a search that cannot be read."""
        found = [
            f"time >= fromUnixTimestamp64Nano({binder.bind(min(self.start, _LAST_NS), 'Int64')}, 'UTC')",
            f"time < fromUnixTimestamp64Nano({binder.bind(min(self.end, _LAST_NS), 'Int64')}, 'UTC')",
        ]
        if self.topic:
            found.append(f"topic = {binder.bind(self.topic)}")
        condition = Predicates(table, binder).write(parse_search(search))
        return found if condition == TRUE else [*found, condition]


ALL_TIME = Window(0, _LAST_NS)
