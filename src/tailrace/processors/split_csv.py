"""Split a field that holds one record of CSV into named fields.

A field that begins with `"` runs to its closing quote and may hold separators and newlines; doubled inside, the quote stands for itself.
Elsewhere a quote is a character like any other. Text behind a closing quote fails: such an event keeps the field as it is.
"""

from collections.abc import Iterator
from typing import Any, Final

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, separator_bytes

_REST: Final = b"_decode_preserve_"


class SplitCsvConfig(SourceConfig):
    split_keys: list[str] = option(doc="The names of the fields, in order.", min_length=1, examples=[["time", "level", "message"]])
    split_sep: str = option(
        ",", doc="What stands between two fields; a hidden character is typed as `\\t` or `0x01`.", unit="1 byte", min_length=1
    )
    trim_leading_space: bool = option(False, doc="Leave out spaces and tabs in front of a field.")
    preserve_others: bool = option(
        False,
        doc="Keep what comes after the last named field under `_decode_preserve_`, or as `ExpandOthers` says; otherwise it is dropped.",
    )
    expand_others: bool = option(False, doc="With `PreserveOthers`: split the rest too; its fields are called by a number.")
    expand_key_prefix: str = option(
        "", doc="With `ExpandOthers`: what the number is put behind; `expand_` gives `expand_1`, `expand_2`.", examples=["expand_"]
    )
    keep_source: bool = option(False, doc="Keep the field when it was split.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")

    def problems(self) -> Iterator[Problem]:
        separator = separator_bytes(self.split_sep)
        if len(separator) != 1:
            yield Problem("SplitSep", f"must be one byte, has {len(separator)}", "`processor_split_string` splits at longer ones")
        elif separator == b'"':
            yield Problem("SplitSep", 'must not be the quote `"`')
        if self.expand_others and not self.preserve_others:
            yield Problem("ExpandOthers", "has no effect without `PreserveOthers`", "add `PreserveOthers: true`")
        elif self.expand_others and not self.expand_key_prefix:
            yield Problem("ExpandKeyPrefix", "is missing", "`ExpandOthers` needs it to name the fields")


@processor("processor_csv")
class SplitCsv(BatchProcessor[SplitCsvConfig]):
    Config = SplitCsvConfig

    def __init__(self, config: SplitCsvConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.separator = separator_bytes(config.split_sep)
        self.keys = [key.encode() for key in config.split_keys]
        self.surplus = config.expand_key_prefix.encode() if config.expand_others else _REST

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        failures = batch.parse_delimiter(
            self.source,
            self.separator,
            self.keys,
            quote=b'"',
            trim=config.trim_leading_space,
            overflow="extend" if config.expand_others else "keep" if config.preserve_others else "discard",
            surplus=self.surplus,
            keep_on_success=config.keep_source,
        )
        self.report(failures, f"`{config.source_key}` has text after a closing quote, or an open quote")
        self.report_partial(failures, f"`{config.source_key}` has not {len(self.keys)} fields")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitKeys": ["time", "level", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"SplitKeys": ["time", "level", "message"], "TrimLeadingSpace": True, "PreserveOthers": True}
        return Example([config], '12:00:01, info, "all ""well"", so far"\n12:00:02, warn, slow, 1.5 s, sda\n12:00:03, "info"?\n12:00:04\n')
