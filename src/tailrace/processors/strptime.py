"""Take an event's time from a field by strptime directives, and optionally put it into a field with its fraction.

Only the beginning of the field has to match the format. An event whose field cannot be read keeps it, and the time it had.
"""

import time
from collections.abc import Iterator
from typing import Any, Final, Literal

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.field_times import format_fault, local_offset_secs, read_times

UNITS: Final = {"ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds in each."""


class StrptimeConfig(PluginConfig):
    source_key: str = option(doc="The field that holds the time.", min_length=1)
    format: str = option(
        doc="The format, in strptime directives; docs/reference/time-formats.md lists them.", min_length=1, examples=["%Y/%m/%d %H:%M:%S"]
    )
    adjust_utc_offset: bool = option(
        False, key="AdjustUTCOffset", doc="Read times without a zone as `UTCOffset` says; otherwise in the zone of the agent's machine."
    )
    utc_offset: int = option(
        0,
        key="UTCOffset",
        doc="Offset of the times from UTC, 28800 for UTC+8; it counts only with `AdjustUTCOffset`.",
        unit="seconds",
        ge=-50_400,
        le=50_400,
    )
    alarm_if_fail: bool = option(True, doc="Count events whose field cannot be read as failed, with an alarm.")
    keep_source: bool = option(True, doc="Keep the field when it was read.")
    enable_precise_timestamp: bool = option(False, doc="Put the time, as a Unix time with its fraction, into `PreciseTimestampKey`.")
    precise_timestamp_key: str = option("precise_timestamp", doc="The field for the precise time.", min_length=1)
    precise_timestamp_unit: Literal["ms", "us", "ns"] = option("ms", doc="Unit of the precise time.")

    def problems(self) -> Iterator[Problem]:
        if not has_reference(self.format) and (fault := format_fault(self.format)):
            yield Problem("Format", fault, "docs/reference/time-formats.md lists the directives")


@processor("processor_strptime")
class Strptime(BatchProcessor[StrptimeConfig]):
    Config = StrptimeConfig
    alarm = "PARSE_TIME_FAIL_ALARM"

    def __init__(self, config: StrptimeConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()

    def process(self, batch: EventBatch) -> None:
        config, now_ns = self.config, time.time_ns()
        offset = config.utc_offset if config.adjust_utc_offset else local_offset_secs(now_ns)
        column = batch.column(self.source)
        read = read_times(batch, self.source, config.format, offset, now_ns)
        read.set(batch)
        if not config.keep_source:
            batch.set_column(self.source, [value if new is None else None for value, new in zip(column, read.times, strict=True)])
        if config.enable_precise_timestamp:
            self._set_precise(batch, read.times)
        if config.alarm_if_fail:
            self.report_values(
                [column[row] or b"" for row in read.failed],
                f"`{config.source_key}` does not begin with a time in the format `{config.format}`",
            )

    def _set_precise(self, batch: EventBatch, times: list[int | None]) -> None:
        key, unit = self.config.precise_timestamp_key.encode(), UNITS[self.config.precise_timestamp_unit]
        old = batch.column(key)
        batch.set_column(key, [before if new is None else b"%d" % (new // unit) for new, before in zip(times, old, strict=True)])

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "time", "Format": "%Y/%m/%d %H:%M:%S"}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_regex_native", "Regex": r"\[([^\]]+)\] (.*)", "Keys": ["time", "message"]}
        config = {
            "SourceKey": "time",
            "Format": "%Y/%m/%d %H:%M:%S",
            "AdjustUTCOffset": True,
            "UTCOffset": 25_200,
            "KeepSource": False,
            "EnablePreciseTimestamp": True,
        }
        return Example([parse, config], "[2026/01/02 12:59:59] started\n[2026/01/02 13:00:00.125] ready\n[yesterday] lost\n")
