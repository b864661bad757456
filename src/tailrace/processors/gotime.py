"""Take an event's time from a field by a layout of Go, and write it into another field by a second layout.

An event whose field cannot be read keeps it, and the time it had. Layouts are explained in docs/reference/go-layouts.md.
"""

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.field_times import FieldTimes, local_offset_secs, read_times
from tailrace.processors.go_layout import LayoutError, Writer, strptime_format

MACHINE: Final = -100
"""The location that stands for the zone of the agent's machine."""
UNIX: Final = {"seconds": 1_000_000_000, "milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}
"""Formats that are numbers, and how many nanoseconds their unit has."""
MAX_DIGITS: Final = 19
MAX_NS: Final = (1 << 63) - 1
CACHED_TIMES: Final = 4096
_ZONE_DOC: Final = "Its zone, in hours ahead of UTC; -100 is the zone of the agent's machine."


class GotimeConfig(PluginConfig):
    source_key: str = option(doc="The field that holds the time.", min_length=1)
    source_format: str = option(
        doc="Its layout, or `seconds`, `milliseconds`, `microseconds` or `nanoseconds` for a Unix time.",
        min_length=1,
        examples=["2006-01-02 15:04:05", "milliseconds"],
    )
    source_location: int = option(MACHINE, doc=_ZONE_DOC, unit="hours", ge=-100, le=14)
    dest_key: str = option(doc="The field that gets the time.", min_length=1)
    dest_format: str = option(doc="The layout it is written by.", min_length=1, examples=["2006/01/02 15:04:05"])
    dest_location: int = option(MACHINE, doc=_ZONE_DOC, unit="hours", ge=-100, le=14)
    set_time: bool = option(True, doc="Make it the event's time.")
    keep_source: bool = option(True, doc="Keep the field when it was read.")
    no_key_error: bool = option(True, doc="Count events without the field as failed; they stay as they are.")
    alarm_if_fail: bool = option(True, doc="Count events whose field cannot be read as failed, with an alarm.")

    def problems(self) -> Iterator[Problem]:
        for key, layout in (("SourceFormat", self.source_format), ("DestFormat", self.dest_format)):
            if has_reference(layout) or (key == "SourceFormat" and layout in UNIX):
                continue
            try:
                strptime_format(layout) if key == "SourceFormat" else Writer(layout)
            except LayoutError as error:
                yield Problem(key, str(error), "docs/reference/go-layouts.md says what a layout may hold")
        for key, hours in (("SourceLocation", self.source_location), ("DestLocation", self.dest_location)):
            if hours != MACHINE and hours < -14:
                yield Problem(key, f"{hours} hours are more than 14 from UTC")


@processor("processor_gotime")
class Gotime(BatchProcessor[GotimeConfig]):
    Config = GotimeConfig
    alarm = "PARSE_TIME_FAIL_ALARM"

    def __init__(self, config: GotimeConfig) -> None:
        super().__init__(config)
        self.source, self.target = config.source_key.encode(), config.dest_key.encode()
        self.unit = UNIX.get(config.source_format)
        self.format = "" if self.unit else strptime_format(config.source_format)
        self.writer = Writer(config.dest_format)
        self.text = lru_cache(CACHED_TIMES)(self._text)

    def process(self, batch: EventBatch) -> None:
        config, now_ns = self.config, time.time_ns()
        column = batch.column(self.source)
        read = (
            self._numbers(column)
            if self.unit
            else read_times(batch, self.source, self.format, _offset(config.source_location, now_ns), now_ns)
        )
        if config.set_time:
            read.set(batch)
        if not config.keep_source:
            batch.set_column(self.source, [value if new is None else None for value, new in zip(column, read.times, strict=True)])
        old = batch.column(self.target)
        batch.set_column(self.target, [before if new is None else self.text(new) for new, before in zip(read.times, old, strict=True)])
        if config.no_key_error:
            self.report_missing(column, config.source_key)
        if config.alarm_if_fail:
            wrong = [column[row] or b"" for row in read.failed]
            self.report_values(wrong, f"`{config.source_key}` does not hold a time in the format `{config.source_format}`")

    def _numbers(self, column: list[bytes | None]) -> FieldTimes:
        times = [None if value is None else self._number(value) for value in column]
        failed = [row for row, (value, new) in enumerate(zip(column, times, strict=True)) if value is not None and new is None]
        return FieldTimes(times, failed)

    def _number(self, value: bytes) -> int | None:
        if not value.isdigit() or len(value) > MAX_DIGITS:
            return None
        time_ns = int(value) * (self.unit or 1)
        return time_ns if time_ns <= MAX_NS else None

    def _text(self, time_ns: int) -> bytes:
        return self.writer.write(time_ns, _offset(self.config.dest_location, time_ns)).encode()

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "time", "SourceFormat": "seconds", "DestKey": "date", "DestFormat": "2006-01-02"}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_regex_native", "Regex": r"\[([^\]]+)\] (.*)", "Keys": ["time", "message"]}
        config = {
            "SourceKey": "time",
            "SourceFormat": "2006-01-02 15:04:05.000 -0700",
            "DestKey": "utc",
            "DestFormat": "Mon, 2 Jan 2006 15:04:05Z07:00",
            "DestLocation": 0,
            "KeepSource": False,
        }
        return Example([parse, config], "[2026-01-02 12:59:59.125 +0800] started\n[yesterday] lost\n")


def _offset(hours: int, at_ns: int) -> int:
    return local_offset_secs(at_ns) if hours == MACHINE else hours * 3600
