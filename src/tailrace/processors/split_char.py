"""Split a field at a separator of one byte into named fields, with quotes where `QuoteFlag` asks for them.

A quote counts only at the very start of a field; doubled inside, it stands for itself. An event with fewer fields than keys gets those it
has.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, separator_bytes


class SplitCharConfig(SourceConfig):
    split_sep: str = option(
        doc="What stands between two fields; hidden characters are typed as `\\t`, `0x01` or `\\u0001`.",
        unit="1 byte",
        min_length=1,
        examples=["|", "\\u0001"],
    )
    split_keys: list[str] = option(doc="The names of the fields, in order.", min_length=1, examples=[["ip", "time", "method"]])
    quote_flag: bool = option(False, doc="Whether `Quote` encloses fields that hold the separator.")
    quote: str = option("", doc="The quote; it has an effect only with `QuoteFlag`.", unit="1 byte", examples=['"'])
    preserve_others: bool = option(
        False, doc="Keep what comes after the last named field under `_split_preserve_`; otherwise it is dropped."
    )
    keep_source: bool = option(False, doc="Keep the field when it was split.")
    keep_source_if_parse_error: bool = option(
        True, doc="Keep the field when its quotes are broken; otherwise it goes, and the event is counted as failed."
    )
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    no_match_error: bool = option(
        False, doc="Count events as failed whose quotes are broken, that have fewer fields than keys, or more and `PreserveOthers` is off."
    )

    def problems(self) -> Iterator[Problem]:
        separator, quote = separator_bytes(self.split_sep), separator_bytes(self.quote)
        if len(separator) != 1:
            yield Problem("SplitSep", f"must be one byte, has {len(separator)}", "`processor_split_string` splits at longer ones")
        if self.quote_flag and len(quote) != 1:
            yield Problem("Quote", f"must be one byte, has {len(quote)}", "give the quote, or leave `QuoteFlag` out")
        elif self.quote_flag and quote == separator:
            yield Problem("Quote", f"is the same as `SplitSep`: `{self.quote}`")


@processor("processor_split_char")
class SplitChar(BatchProcessor[SplitCharConfig]):
    Config = SplitCharConfig

    def __init__(self, config: SplitCharConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.separator = separator_bytes(config.split_sep)
        self.quote = separator_bytes(config.quote) if config.quote_flag else None
        self.keys = [key.encode() for key in config.split_keys]

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        failures = batch.parse_delimiter(
            self.source,
            self.separator,
            self.keys,
            quote=self.quote,
            overflow="keep" if config.preserve_others else "discard",
            surplus=b"_split_preserve_",
            keep_on_success=config.keep_source,
            keep_on_fail=config.keep_source_if_parse_error,
        )
        if config.no_match_error or not config.keep_source_if_parse_error:
            self.report(failures, f"`{config.source_key}` has text after a closing quote, or an open quote")
        if config.no_match_error:
            self.report_partial(failures, f"`{config.source_key}` has not {len(self.keys)} fields")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitSep": "|", "SplitKeys": ["ip", "time", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"SplitSep": ",", "SplitKeys": ["ip", "agent", "status"], "QuoteFlag": True, "Quote": '"', "NoMatchError": True}
        return Example([config], '10.0.0.7,"Mozilla, ""5.0""",200\n10.0.0.8,curl\n10.0.0.9,"curl"x,200\n')
