"""Split a field at a separator of any length into named fields; there are no quotes.

An event with fewer fields than keys gets those it has. What comes after the last named field can be kept as it stands or split too.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, separator_bytes


class SplitStringConfig(SourceConfig):
    split_sep: str = option(
        doc="What stands between two fields; hidden characters are typed as `\\t`, `0x01` or `\\u0001`.",
        min_length=1,
        examples=["||", "\\u0001\\u0002"],
    )
    split_keys: list[str] = option(factory=list, doc="The names of the fields, in order.", examples=[["ip", "time", "method"]])
    preserve_others: bool = option(
        False,
        doc="Keep what comes after the last named field under `_split_preserve_`, or as `ExpandOthers` says; otherwise it is dropped.",
    )
    expand_others: bool = option(False, doc="With `PreserveOthers`: split the rest too; its fields are called by a number.")
    expand_key_prefix: str = option(
        "", doc="With `ExpandOthers`: what the number is put behind; `expand_` gives `expand_1`, `expand_2`.", examples=["expand_"]
    )
    keep_source: bool = option(False, doc="Keep the field when it was split.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    no_match_error: bool = option(
        False,
        doc="Count events as failed that have fewer fields than keys, or more and `PreserveOthers` is off; they get the fields they have.",
    )

    def problems(self) -> Iterator[Problem]:
        if not self.split_keys and not self.preserve_others:
            yield Problem("SplitKeys", "is missing", "name the fields, or keep them all by `PreserveOthers`")
        if self.expand_others and not self.preserve_others:
            yield Problem("ExpandOthers", "has no effect without `PreserveOthers`", "add `PreserveOthers: true`")


@processor("processor_split_string")
class SplitString(BatchProcessor[SplitStringConfig]):
    Config = SplitStringConfig

    def __init__(self, config: SplitStringConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.separator = separator_bytes(config.split_sep)
        self.keys = [key.encode() for key in config.split_keys]
        self.surplus = config.expand_key_prefix.encode() if config.expand_others else b"_split_preserve_"

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        failures = batch.parse_delimiter(
            self.source,
            self.separator,
            self.keys,
            overflow="extend" if config.expand_others else "keep" if config.preserve_others else "discard",
            surplus=self.surplus,
            keep_on_success=config.keep_source,
        )
        if config.no_match_error:
            self.report_partial(failures, f"`{config.source_key}` has not {len(self.keys)} fields")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitSep": "||", "SplitKeys": ["ip", "time", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"SplitSep": "||", "SplitKeys": ["ip", "method"], "PreserveOthers": True, "ExpandOthers": True, "ExpandKeyPrefix": "part_"}
        return Example([config], "10.0.0.7||GET||/index||200\n10.0.0.8\n")
