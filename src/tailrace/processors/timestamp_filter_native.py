"""Keep the events whose time lies within bounds, both included. Dropped events are counted as discarded.

The time is the event's own, or a Unix time in one of its fields. An event without that field, or with something else in it, is kept.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

NANOSECONDS: Final = {"second": 1_000_000_000, "millisecond": 1_000_000, "nanosecond": 1}
"""In one unit of each precision."""
MAX_NS: Final = (1 << 63) - 1
MAX_DIGITS: Final = 19
"""Of a time in nanoseconds; a longer number is no time."""
OUTSIDE: Final = "its time is not within `LowerBound` and `UpperBound`"


class TimestampFilterNativeConfig(PluginConfig):
    source_key: str = option("", doc="The field that holds the time, a number; empty takes the event's own time.")
    timestamp_precision: Literal["second", "millisecond", "nanosecond"] = option(
        "second", doc="The unit of the bounds and of the field. An event's own time is cut to it."
    )
    upper_bound: int = option(MAX_NS, doc="Later events are dropped; the default drops none.", unit="as `TimestampPrecision` says", ge=0)
    lower_bound: int = option(0, doc="Earlier events are dropped.", unit="as `TimestampPrecision` says", ge=0)

    def problems(self) -> Iterator[Problem]:
        if self.lower_bound > self.upper_bound:
            yield Problem("LowerBound", f"{self.lower_bound} is later than `UpperBound`, {self.upper_bound}: nothing would be kept")


@processor("processor_timestamp_filter_native")
class TimestampFilterNative(BatchProcessor[TimestampFilterNativeConfig]):
    Config = TimestampFilterNativeConfig

    def __init__(self, config: TimestampFilterNativeConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        unit = NANOSECONDS[config.timestamp_precision]
        self.lower_ns = min(config.lower_bound * unit, MAX_NS)
        self.upper_ns = min((config.upper_bound + 1) * unit - 1, MAX_NS)

    def process(self, batch: EventBatch) -> None:
        if self.source:
            self.keep_rows(batch, list(map(self._is_within, batch.column(self.source))), OUTSIDE)
        elif dropped := batch.keep_times(self.lower_ns, self.upper_ns):
            self.context.discarded(self.type_name, dropped, OUTSIDE)

    def _is_within(self, value: bytes | None) -> bool:
        if value is None or not value.isdigit() or len(value) > MAX_DIGITS:
            return True
        return self.config.lower_bound <= int(value) <= self.config.upper_bound

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"LowerBound": 1_767_225_600}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        config = {"SourceKey": "ts", "TimestampPrecision": "millisecond", "LowerBound": 1_767_225_600_000, "UpperBound": 1_767_225_660_000}
        lines = ['{"ts": "1767225599999"}', '{"ts": "1767225600000"}', '{"ts": "1767225660001"}', '{"ts": "soon"}']
        return Example([parse, config], "\n".join(lines) + "\n")
