"""Take an event's time from one of its fields. Without it, an event has the time at which it was read.

Only the beginning of the field has to match the format. An event whose time cannot be read keeps its field and the time it had.
"""

import time
from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.zone import utc_offset_secs, zone_problems


class ParseTimestampConfig(PluginConfig):
    source_key: str = option(doc="The field that holds the time; it is kept.", min_length=1)
    source_format: str = option(
        doc="The format, in strptime directives; docs/reference/time-formats.md lists them.", min_length=1, examples=["%Y-%m-%d %H:%M:%S"]
    )
    source_timezone: str = option(
        "",
        doc="The zone of times without one, as `GMT+08:00`; empty is the zone of the agent's machine.",
        examples=["GMT+08:00", "GMT-03:30"],
    )
    source_year: int = option(
        -1, doc="The year of times without one; 0 or -1 takes the year that brings the time nearest to now.", unit="year", ge=-1, le=9999
    )

    def problems(self) -> Iterator[Problem]:
        yield from zone_problems("SourceTimezone", self.source_timezone)

    def utc_offset_secs(self, at: float) -> int:
        """Of the configured zone, or of this machine's zone at the moment `at`; a preview shows it."""
        return utc_offset_secs(self.source_timezone, at)


@processor("processor_parse_timestamp_native")
class ParseTimestamp(BatchProcessor[ParseTimestampConfig]):
    Config = ParseTimestampConfig
    alarm = "PARSE_TIME_FAIL_ALARM"

    def __init__(self, config: ParseTimestampConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.year = config.source_year if config.source_year > 0 else None

    def process(self, batch: EventBatch) -> None:
        now_ns = time.time_ns()
        offset = utc_offset_secs(self.config.source_timezone, now_ns / 1e9)
        failures = batch.parse_time(self.source, self.config.source_format, utc_offset_secs=offset, year=self.year, now_ns=now_ns)
        self.report(failures, f"`{self.config.source_key}` does not begin with a time in the format `{self.config.source_format}`")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "time", "SourceFormat": "%Y-%m-%d %H:%M:%S"}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_regex_native", "Regex": r"\[([^\]]+)\] (.*)", "Keys": ["time", "message"]}
        stamp = {"SourceKey": "time", "SourceFormat": "%d/%b/%Y:%H:%M:%S", "SourceTimezone": "GMT+08:00"}
        return Example([parse, stamp], "[03/May/2026:12:00:01] started\n[03/May/2026:12:00:01.250] ready\n[yesterday] lost\n")
