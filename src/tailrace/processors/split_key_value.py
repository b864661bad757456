"""Split a field into pairs of key and value, each of which becomes a field.

Text without a separator and values without a key are kept under numbered names. Of equal keys the last wins. Nothing between two delimiters
is nothing. A `Quote` counts only around the whole value; what is inside stays as written, and a quote behind a backslash does not close it.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, separator_bytes


class SplitKeyValueConfig(SourceConfig):
    delimiter: str = option("\\t", doc="What stands between two pairs; hidden characters are typed as `\\t` or `0x01`.", min_length=1)
    separator: str = option(":", doc="What stands between a key and its value; the first one in a pair counts.", min_length=1)
    quote: str = option(
        "", doc="Encloses a value that holds the delimiter; it may have several characters. Empty for none.", examples=['"']
    )
    keep_source: bool = option(True, doc="Keep the field when it was split.")
    empty_key_prefix: str = option(
        "empty_key_", doc="Pairs with an empty key are called by this and a number, from 0.", min_length=1
    )  # fmt: skip
    no_separator_key_prefix: str = option(
        "no_separator_key_", doc="Text without a separator is called by this and a number, from 0.", min_length=1
    )  # fmt: skip
    discard_when_separator_not_found: bool = option(False, doc="Drop text without a separator.")
    err_if_source_key_not_found: bool = option(True, doc="Count events without the field as failed; they stay as they are.")
    err_if_separator_not_found: bool = option(
        True, doc="Count events that have text without a separator as failed; they are split all the same."
    )
    err_if_key_is_empty: bool = option(True, doc="Count events that have a pair with an empty key as failed; they are split all the same.")

    def problems(self) -> Iterator[Problem]:
        if separator_bytes(self.delimiter) == separator_bytes(self.separator):
            yield Problem("Separator", f"is the same as `Delimiter`: `{self.separator}`")


@processor("processor_split_key_value")
class SplitKeyValue(BatchProcessor[SplitKeyValueConfig]):
    Config = SplitKeyValueConfig

    def __init__(self, config: SplitKeyValueConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.delimiter = separator_bytes(config.delimiter)
        self.separator = separator_bytes(config.separator)
        self.quote = config.quote.encode() or None
        self.empty_key = config.empty_key_prefix.encode()
        self.no_separator_key = None if config.discard_when_separator_not_found else config.no_separator_key_prefix.encode()

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.err_if_source_key_not_found:
            self.report_absent(batch, self.source)
        failures = batch.parse_key_value(
            self.source,
            self.delimiter,
            self.separator,
            quote=self.quote,
            empty_key=self.empty_key,
            no_separator_key=self.no_separator_key,
            note_empty=config.err_if_key_is_empty,
            note_loose=config.err_if_separator_not_found,
            keep_on_success=config.keep_source,
        )
        self.report(failures, f"`{config.source_key}` holds no pair")
        self.report_partial(failures, f"`{config.source_key}` has text without `{config.separator}`, or a pair with an empty key")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        config = {"Delimiter": " ", "Separator": "=", "Quote": '"', "KeepSource": False}
        return Example([config], 'level=warn msg="disk \\"sda\\" is full" took=1.5\nlevel=info done\n=7\n')
