"""Split a field at a separator into named fields, with the quoting of CSV where the separator is one byte.

A quote counts only at the very start of a field; doubled inside, it stands for itself.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import ParserConfig, separator_bytes

MAX_SEPARATOR: Final = 4
"""In bytes, as the ecosystem has it."""


class ParseDelimiterConfig(ParserConfig):
    separator: str = option(
        doc="What stands between two fields; hidden characters are typed as `\\t`, `0x01` or `\\u0001`.",
        unit="1 to 4 bytes",
        min_length=1,
        examples=[",", "||", "\\t", "0x01"],
    )
    quote: str = option('"', doc="Encloses a field that holds the separator; empty for none. A separator of several bytes knows no quotes.")
    keys: list[str] = option(doc="The names of the fields, in order.", min_length=1, examples=[["time", "ip", "url"]])
    allowing_shortened_fields: bool = option(True, doc="Accept events with fewer fields than keys; otherwise they fail.")
    overflowed_fields_treatment: Literal["extend", "keep", "discard"] = option(
        "extend",
        doc="What becomes of fields beyond the keys: `extend` names each of them `__column<i>__`, `keep` puts the rest as it stands under "
        "`__column0__`, `discard` drops them.",
    )

    def separator_bytes(self) -> bytes:
        return separator_bytes(self.separator)

    def quote_bytes(self) -> bytes | None:
        return separator_bytes(self.quote) or None if len(self.separator_bytes()) == 1 else None

    def problems(self) -> Iterator[Problem]:
        separator = self.separator_bytes()
        if len(separator) > MAX_SEPARATOR:
            yield Problem("Separator", f"must have 1 to {MAX_SEPARATOR} bytes, has {len(separator)}")
        quote = separator_bytes(self.quote)
        if len(quote) > 1:
            yield Problem("Quote", f"must be one byte or empty, has {len(quote)}")
        elif len(separator) > 1 and self.quote and "quote" in self.model_fields_set:
            yield Problem("Quote", "works only with a separator of one byte", "leave `Quote` out, or set it to an empty text")
        elif self.quote_bytes() == separator:
            yield Problem("Quote", f"is the same as `Separator`: `{self.quote}`")


@processor("processor_parse_delimiter_native")
class ParseDelimiter(BatchProcessor[ParseDelimiterConfig]):
    Config = ParseDelimiterConfig

    def __init__(self, config: ParseDelimiterConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.separator = config.separator_bytes()
        self.quote = config.quote_bytes()
        self.keys = [key.encode() for key in config.keys]
        self.keep = config.keep()

    def process(self, batch: EventBatch) -> None:
        failures = batch.parse_delimiter(
            self.source,
            self.separator,
            self.keys,
            quote=self.quote,
            allow_short=self.config.allowing_shortened_fields,
            overflow=self.config.overflowed_fields_treatment,
            **self.keep,
        )
        self.report(failures, f"`{self.config.source_key}` has {self._what_fails()}")

    def _what_fails(self) -> str:
        too_few = f"fewer than {len(self.keys)} fields"
        bad_quote = "text after a closing quote, or an open quote"
        if self.config.allowing_shortened_fields:
            return bad_quote
        return f"{too_few}, {bad_quote}" if self.quote else too_few

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Separator": ",", "Keys": ["time", "level", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"Separator": ",", "Keys": ["ip", "agent", "status"], "KeepingSourceWhenParseFail": True}
        return Example([config], '10.0.0.7,"Mozilla, ""5.0""",200\n10.0.0.8,curl,404,0.004\n10.0.0.9,"curl"x,200\n')
