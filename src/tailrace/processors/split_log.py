"""What the processors share that make several events of one: the field to split, and what becomes of the others."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.processors.base import BatchProcessor

Piece: TypeAlias = tuple[int, bytes]
"""Where it begins in the value, and what it is."""


class SplitLogConfig(PluginConfig):
    split_key: str = option("content", doc="The field to split.", min_length=1)
    preserve_others: bool = option(
        False, doc="Keep the other fields, in each of the new events; otherwise they go, and so does an event without the field."
    )
    no_key_error: bool = option(False, doc="Count events without the field as failed.")


ConfigT = TypeVar("ConfigT", bound=SplitLogConfig)


class SplitLog(BatchProcessor[ConfigT], ABC):
    """The new events have the time of the old one and divide its raw bytes among them."""

    missing_alarm = "LOG_REGEX_FIND_ALARM"

    @abstractmethod
    def pieces(self, value: bytes) -> Sequence[Piece]:
        """What becomes of one value; nothing when nothing is left of it."""

    def process(self, batch: EventBatch) -> None:
        key = self.config.split_key.encode()
        values = batch.column(key)
        if self.config.no_key_error:
            self.report_missing(values, self.config.split_key)
        if not self.config.preserve_others:
            values = self._only(batch, key, values)
        rows: list[Sequence[Piece | None]] = [[(0, b"")] if value is None else self.pieces(value) for value in values]
        if empty := sum(not row for row in rows):
            self.context.discarded(self.type_name, empty, f"`{self.config.split_key}` is empty")
        made = [(piece if value is not None else None) for value, row in zip(values, rows, strict=True) for piece in row]
        batch.repeat([len(row) for row in rows], [piece[0] if piece else 0 for piece in made])
        batch.set_column(key, [piece[1] if piece else None for piece in made])

    def _only(self, batch: EventBatch, key: bytes, values: list[bytes | None]) -> list[bytes | None]:
        """Without the other fields, and without the events that lack the one."""
        self.keep_rows(batch, [value is not None for value in values], f"has no field `{self.config.split_key}`")
        batch.drop([name for name in batch.keys if name != key])
        return batch.column(key)
