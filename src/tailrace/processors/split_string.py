"""Split a field at a separator of any length into named fields; there are no quotes.

An event with fewer fields than keys gets those it has. What comes after the last named field can be kept as it stands or split too.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.splitting import ExpandingConfig, Splitting


class SplitStringConfig(ExpandingConfig):
    split_keys: list[str] = option(factory=list, doc="The names of the fields, in order.", examples=[["ip", "time", "method"]])
    preserve_others: bool = option(
        False,
        doc="Keep what comes after the last named field under `_split_preserve_`, or as `ExpandOthers` says; otherwise it is dropped.",
    )
    no_match_error: bool = option(
        False,
        doc="Count events as failed that have fewer fields than keys, or more and `PreserveOthers` is off; they get the fields they have.",
    )

    def problems(self) -> Iterator[Problem]:
        if not self.split_keys and not self.preserve_others:
            yield Problem("SplitKeys", "is missing", "name the fields, or keep them all by `PreserveOthers`")
        yield from self.expanding_problems()


@processor("processor_split_string")
class SplitString(Splitting[SplitStringConfig]):
    Config = SplitStringConfig

    def process(self, batch: EventBatch) -> None:
        failures = self.split(batch)
        if self.config.no_match_error:
            self.report_count(failures)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitSep": "||", "SplitKeys": ["ip", "time", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"SplitSep": "||", "SplitKeys": ["ip", "method"], "PreserveOthers": True, "ExpandOthers": True, "ExpandKeyPrefix": "part_"}
        return Example([config], "10.0.0.7||GET||/index||200\n10.0.0.8\n")
