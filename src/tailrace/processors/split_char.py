"""Split a field at a separator of one byte into named fields, with quotes where `QuoteFlag` asks for them.

A quote counts only at the very start of a field; doubled inside, it stands for itself. An event with fewer fields than keys gets those it
has.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.parsing import separator_bytes
from tailrace.processors.splitting import Quoting, Splitting, SplittingConfig


class SplitCharConfig(SplittingConfig):
    split_sep: str = option(
        doc="What stands between two fields; hidden characters are typed as `\\t`, `0x01` or `\\u0001`.",
        unit="1 byte",
        min_length=1,
        examples=["|", "\\u0001"],
    )
    quote_flag: bool = option(False, doc="Whether `Quote` encloses fields that hold the separator.")
    quote: str = option("", doc="The quote; it has an effect only with `QuoteFlag`.", unit="1 byte", examples=['"'])
    keep_source_if_parse_error: bool = option(
        True, doc="Keep the field when its quotes are broken; otherwise it goes, and the event is counted as failed."
    )
    no_match_error: bool = option(
        False, doc="Count events as failed whose quotes are broken, that have fewer fields than keys, or more and `PreserveOthers` is off."
    )

    def problems(self) -> Iterator[Problem]:
        yield from self.one_byte_problem()
        quote = separator_bytes(self.quote)
        if self.quote_flag and len(quote) != 1:
            yield Problem("Quote", f"must be one byte, has {len(quote)}", "give the quote, or leave `QuoteFlag` out")
        elif self.quote_flag and quote == separator_bytes(self.split_sep):
            yield Problem("Quote", f"is the same as `SplitSep`: `{self.quote}`")


@processor("processor_split_char")
class SplitChar(Splitting[SplitCharConfig]):
    Config = SplitCharConfig

    def __init__(self, config: SplitCharConfig) -> None:
        super().__init__(config)
        quote = separator_bytes(config.quote) if config.quote_flag else None
        self.quoting = Quoting(quote=quote, keep_on_fail=config.keep_source_if_parse_error)

    def process(self, batch: EventBatch) -> None:
        config, failures = self.config, self.split(batch, self.quoting)
        if config.no_match_error or not config.keep_source_if_parse_error:
            self.report_quotes(failures)
        if config.no_match_error:
            self.report_count(failures)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitSep": "|", "SplitKeys": ["ip", "time", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"SplitSep": ",", "SplitKeys": ["ip", "agent", "status"], "QuoteFlag": True, "Quote": '"', "NoMatchError": True}
        return Example([config], '10.0.0.7,"Mozilla, ""5.0""",200\n10.0.0.8,curl\n10.0.0.9,"curl"x,200\n')
