"""What all processors share: a config, a context, and the duty to count what they could not handle."""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from tailrace.batch import EventBatch, Failures
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.contract import ProcessorContext

ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class BatchProcessor(Generic[ConfigT]):
    """`process(batch)` rewrites a batch in place; subclasses add it. An instance serves one lane, so it needs no lock."""

    type_name: ClassVar[str]
    """Set by the decorator that registers the class."""
    alarm: ClassVar[str] = "PARSE_LOG_FAIL_ALARM"
    """The manual's name for what happens when its events fail, and when they lack the field that it reads."""
    missing_alarm: ClassVar[str] = "PARSE_LOG_FAIL_ALARM"

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def start(self, context: ProcessorContext) -> None:
        self.context = context

    def report(self, failures: Failures, reason: str, *, alarm: str = "") -> None:
        """Count failed events, if any. `reason` says of one event what was wrong with it: "does not match `Regex`"."""
        if failures.count:
            self.context.failed(self.type_name, failures.count, reason, failures.sample, alarm=alarm or self.alarm)

    def report_values(self, failed: Sequence[bytes], reason: str) -> None:
        """Count events whose values could not be handled, if any."""
        if failed:
            self.context.failed(self.type_name, len(failed), reason, failed[0], alarm=self.alarm)

    def report_missing(self, column: Sequence[bytes | None], key: str) -> None:
        """Count the events that lack a field as failed: what `NoKeyError` asks for."""
        if missing := column.count(None):
            self.context.failed(self.type_name, missing, f"has no field `{key}`", alarm=self.missing_alarm)

    def report_absent(self, batch: EventBatch, key: bytes) -> None:
        """The same before the field is parsed, without looking at its values."""
        if missing := batch.absent(key):
            self.context.failed(self.type_name, missing, f"has no field `{key.decode()}`", alarm=self.missing_alarm)

    def report_partial(self, failures: Failures, reason: str) -> None:
        """Count events that were parsed with something missing as failed; they stay."""
        if failures.partial:
            self.context.failed(self.type_name, failures.partial, reason, failures.partial_sample, alarm=self.alarm)

    def keep_rows(self, batch: EventBatch, kept: Sequence[bool], reason: str) -> None:
        """Drop the rows that `kept` denies, and count them as discarded."""
        if dropped := batch.keep_rows(kept):
            self.context.discarded(self.type_name, dropped, reason)
