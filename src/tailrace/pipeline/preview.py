"""Runs sample data through a pipeline's processors without an agent: for `tailrace parse`, reference pages and the console's preview."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from tailrace.batch import EventBatch
from tailrace.pipeline.age import KEY, SECOND, in_words, oldest_kept_ns
from tailrace.pipeline.contract import Aggregator, Group
from tailrace.pipeline.explain import counted
from tailrace.pipeline.labels import PATH, Labels, Machine
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig

TIME: Final = "__time__"
READ_TIME: Final = "(when read)"
"""Stands for the time of an event whose time no processor has set."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """Events that a processor could not handle, or dropped on purpose."""

    where: str
    """`processors[2] processor_parse_regex_native`"""
    count: int
    reason: str
    sample: bytes = b""


@dataclass(slots=True)
class Preview:
    """What came out, and what did not."""

    batch: EventBatch
    events_in: int
    read_at_ns: int
    failed: list[Mishap] = field(default_factory=list["Mishap"])
    discarded: list[Mishap] = field(default_factory=list["Mishap"])
    max_age_secs: int = 0
    groups: list[str] = field(default_factory=list[str])
    """What an aggregator makes of the events, a line for each log group."""
    zone: str = ""
    """Of times without one, where a processor reads times."""

    def rows(self) -> list[dict[str, str]]:
        """The events that came out, `__time__` first; bytes that are not UTF-8 are shown as `\\xNN`."""
        return [{TIME: self._time(time_ns), **{_text(key): _text(value) for key, value in fields}} for time_ns, fields in self.batch.rows()]

    def summary(self) -> list[str]:
        """One line for the whole, one for each kind of mishap."""
        failed, discarded = (sum(mishap.count for mishap in mishaps) for mishaps in (self.failed, self.discarded))
        lines = [f"{counted(self.events_in, 'event')} in, {len(self.batch)} out, {failed} failed, {discarded} discarded"]
        for mishap in self.failed:
            shown = f": `{_one_line(mishap.sample)}`" if mishap.sample else ""
            first = ", the first" if mishap.sample and mishap.count > 1 else ""
            lines.append(f"{mishap.where}: {counted(mishap.count, 'event')} failed: {mishap.reason}{first}{shown}")
        lines += [f"{mishap.where}: {counted(mishap.count, 'event')} discarded: {mishap.reason}" for mishap in self.discarded]
        return lines + self.groups

    def labels(self) -> list[str]:
        """Topic and tags of the batch, a line for each."""
        topic = [f"topic: `{_text(self.batch.topic)}`"] if self.batch.topic else []
        return [*topic, *(f"tag: `{_text(key)}` = `{_text(value)}`" for key, value in self.batch.tags)]

    def ages(self) -> list[str]:
        """What an agent would make of the events' times, if the lines were written just now."""
        times = [time_ns for time_ns in self.batch.times if time_ns != self.read_at_ns]
        if not times:
            return []
        lines = [f"event times: {format_time(min(times))} to {format_time(max(times))}{self.zone}"]
        oldest_kept = oldest_kept_ns(self.read_at_ns, self.max_age_secs)
        old = [time_ns for time_ns in times if oldest_kept is not None and time_ns < oldest_kept]
        if old:
            age = in_words((self.read_at_ns - max(old)) / SECOND)
            lines.append(
                f"{counted(len(old), 'event')} would be discarded: {age} (limit {self.max_age_secs} s, `global.{KEY}`), if the lines were"
                " written just now"
            )
        return lines

    def _time(self, time_ns: int) -> str:
        return READ_TIME if time_ns == self.read_at_ns else format_time(time_ns)


@dataclass(slots=True)
class _Recorder:
    """The context of one processor of the preview."""

    pipeline: str
    where: str
    preview: Preview

    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "") -> None:  # noqa: ARG002 - `where` tells more
        self.preview.failed.append(Mishap(self.where, count, reason, sample))

    def discarded(self, plugin: str, count: int, reason: str) -> None:  # noqa: ARG002
        self.preview.discarded.append(Mishap(self.where, count, reason))


def preview(config: PipelineConfig, block: bytes, *, path: str = "", machine: Machine | None = None) -> Preview:
    """`block` cut into events as the pipeline's first input does it, then through all processors.

    With the `path` of the file that it stands for, and the `machine`, the batch has the topic and the tags that it would have.
    """
    batch = _split(config.inputs[0], block)
    batch.tags = [(PATH, os.fsencode(path))] if path else []
    Labels(config.global_options, config.inputs[0].config, machine or Machine()).put(batch)
    result = Preview(batch, len(batch), max(batch.times, default=0))
    if batch.discarded:
        result.discarded.append(Mishap(f"inputs[0] {config.inputs[0].type}", batch.discarded, "belongs to no record"))
        result.events_in += batch.discarded
    result.max_age_secs = config.global_options.max_log_age_secs
    for index, plugin in enumerate(config.processors):
        processor = plugin.build()
        result.zone = _zone(plugin, result.read_at_ns) or result.zone
        processor.start(_Recorder(config.name, f"processors[{index}] {plugin.type}", result))
        processor.process(batch)
    for plugin in config.aggregators if len(batch) else ():
        aggregator: Aggregator = plugin.build()
        aggregator.start(_Recorder(config.name, f"aggregators[0] {plugin.type}", result))
        result.groups = list(map(_describe, aggregator.group(batch)))
    return result


def _describe(group: Group) -> str:
    told = [f"log group of {counted(group.count, 'event')}"]
    if group.topic is not None:
        told.append(f"topic `{_text(group.topic)}`")
    told += [f"tag `{_text(key)}` = `{_text(value)}`" for key, value in group.tags]
    if group.hash_key:
        told.append(f"hash key {group.hash_key}")
    return ", ".join(told)


def _zone(plugin: ConfiguredPlugin, at_ns: int) -> str:
    """What a processor that reads times takes for the zone of those without one: it offers `utc_offset_secs(at)`."""
    offset = cast("Callable[[float], int] | None", getattr(plugin.config, "utc_offset_secs", None))
    if offset is None:
        return ""
    minutes = offset(at_ns / SECOND) // 60
    return f"; a time without a zone is read as UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _split(plugin: ConfiguredPlugin, block: bytes) -> EventBatch:
    # An input whose events are more than lines offers `split(block, config)` in its module.
    split = cast("Callable[..., EventBatch] | None", getattr(sys.modules[plugin.entry.cls.__module__], "split", None))
    return split(block, plugin.config) if split else EventBatch.split_lines(block, time_ns=time.time_ns())


def format_time(time_ns: int) -> str:
    """ISO 8601 in UTC, with as many digits of fraction as there are: `2026-05-03T12:00:01.25Z`."""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    digits = f".{fraction:09}".rstrip("0") if fraction else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{digits}Z"


def _one_line(sample: bytes) -> str:
    return _text(sample).replace("\n", "\\n").replace("\t", "\\t")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
