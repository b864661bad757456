"""What the processors share that split a field at a separator into named fields: their keys, and what is counted."""

from collections.abc import Iterator
from typing import ClassVar, Literal, TypeAlias, TypedDict, TypeVar

from tailrace.batch import EventBatch, Failures
from tailrace.pipeline.config import Problem, option
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, separator_bytes

Overflow: TypeAlias = Literal["extend", "keep", "discard"]


class SplittingConfig(SourceConfig):
    split_sep: str = option(
        doc="What stands between two fields; hidden characters are typed as `\\t`, `0x01` or `\\u0001`.",
        min_length=1,
        examples=["|", "||", "\\u0001"],
    )
    split_keys: list[str] = option(doc="The names of the fields, in order.", min_length=1, examples=[["ip", "time", "method"]])
    preserve_others: bool = option(
        False, doc="Keep what comes after the last named field under `_split_preserve_`; otherwise it is dropped."
    )
    keep_source: bool = option(False, doc="Keep the field when it was split.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")

    @property
    def overflow(self) -> Overflow:
        return "keep" if self.preserve_others else "discard"

    def one_byte_problem(self, hint: str = "`processor_split_string` splits at longer ones") -> Iterator[Problem]:
        if (size := len(separator_bytes(self.split_sep))) != 1:
            yield Problem("SplitSep", f"must be one byte, has {size}", hint)


class ExpandingConfig(SplittingConfig):
    """The rest behind the named fields can be split, too."""

    preserve_others: bool = option(
        False,
        doc="Keep what comes after the last named field as one field, or as `ExpandOthers` says; otherwise it is dropped.",
    )
    expand_others: bool = option(False, doc="With `PreserveOthers`: split the rest too; its fields are called by a number.")
    expand_key_prefix: str = option(
        "", doc="With `ExpandOthers`: what the number is put behind; `expand_` gives `expand_1`, `expand_2`.", examples=["expand_"]
    )

    @property
    def overflow(self) -> Overflow:
        return "extend" if self.expand_others else super().overflow

    def expanding_problems(self) -> Iterator[Problem]:
        if self.expand_others and not self.preserve_others:
            yield Problem("ExpandOthers", "has no effect without `PreserveOthers`", "add `PreserveOthers: true`")


class Quoting(TypedDict, total=False):
    """Arguments of `EventBatch.parse_delimiter` that some of them have."""

    quote: bytes | None
    trim: bool
    keep_on_fail: bool


ConfigT = TypeVar("ConfigT", bound=SplittingConfig)


class Splitting(BatchProcessor[ConfigT]):
    """Subclasses call `split` and report what they want of its failures."""

    alarm = "SPLIT_LOG_ALARM"
    missing_alarm = "SPLIT_FIND_ALARM"
    rest: ClassVar[bytes] = b"_split_preserve_"
    """The field that gets what comes after the last named one."""

    def __init__(self, config: ConfigT) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.separator = separator_bytes(config.split_sep)
        self.keys = [key.encode() for key in config.split_keys]
        self.surplus = config.expand_key_prefix.encode() if isinstance(config, ExpandingConfig) and config.expand_others else self.rest

    def split(self, batch: EventBatch, quoting: Quoting | None = None) -> Failures:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        return batch.parse_delimiter(
            self.source,
            self.separator,
            self.keys,
            overflow=config.overflow,
            surplus=self.surplus,
            keep_on_success=config.keep_source,
            **(quoting or Quoting()),
        )

    def report_quotes(self, failures: Failures) -> None:
        self.report(failures, f"`{self.config.source_key}` has text after a closing quote, or an open quote")

    def report_count(self, failures: Failures) -> None:
        self.report_partial(failures, f"`{self.config.source_key}` has not {len(self.keys)} fields")
