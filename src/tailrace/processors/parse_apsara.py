"""Read lines of Apsara (Feitian): `[time]`, level, thread and place in brackets, then pairs `key:value` between tabs.

The event gets the time of the line, and the fields `__LEVEL__`, `__THREAD__`, `__FILE__`, `__LINE__`, one per pair, and `microtime`
(microseconds since the Unix epoch). Other brackets and text without a colon are kept as `no_separator_key_0`, `no_separator_key_1`, …
"""

import time
from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import ParserConfig
from tailrace.processors.zone import utc_offset_secs, zone_problems


class ParseApsaraConfig(ParserConfig):
    timezone: str = option(
        "",
        doc="The zone of the times, as `GMT+08:00`; empty is the zone of the agent's machine.",
        examples=["GMT+08:00", "GMT-03:30"],
    )

    def problems(self) -> Iterator[Problem]:
        yield from zone_problems("Timezone", self.timezone)

    def utc_offset_secs(self, at: float) -> int:
        """Of the configured zone, or of this machine's zone at the moment `at`; a preview shows it."""
        return utc_offset_secs(self.timezone, at)


@processor("processor_parse_apsara_native")
class ParseApsara(BatchProcessor[ParseApsaraConfig]):
    Config = ParseApsaraConfig

    def __init__(self, config: ParseApsaraConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.keep = config.keep()

    def process(self, batch: EventBatch) -> None:
        offset = utc_offset_secs(self.config.timezone, time.time())
        failures = batch.parse_apsara(self.source, utc_offset_secs=offset, **self.keep)
        self.report(failures, f"`{self.config.source_key}` does not begin with a time in brackets")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Timezone": "GMT+08:00"}

    @classmethod
    def example(cls) -> Example:
        lines = [
            "[2026-06-01 12:00:00.123456]\t[INFO]\t[17283]\t[build/main.cpp:123]\tuser:ann\ttook:15ms",
            "[1780286400]\t[WARNING]\tdisk:sda\tnearly full",
            "no time",
        ]
        return Example([{"Timezone": "GMT+08:00", "CopingRawLog": True}], "\n".join(lines) + "\n")
