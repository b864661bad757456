"""Keep only the fields that are named, or all but those. An event of which no field is left is dropped and counted as discarded."""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.presence import any_present


class PickKeyConfig(PluginConfig):
    include: list[str] = option(factory=list, doc="The fields to keep; empty keeps all.", examples=[["time", "level", "message"]])
    exclude: list[str] = option(factory=list, doc="The fields to remove, after `Include`.", examples=[["token"]])

    def problems(self) -> Iterator[Problem]:
        if not (self.include or self.exclude):
            yield Problem("Include", "is missing", "give `Include`, `Exclude` or both")


@processor("processor_pick_key")
class PickKey(BatchProcessor[PickKeyConfig]):
    Config = PickKeyConfig

    def __init__(self, config: PickKeyConfig) -> None:
        super().__init__(config)
        self.include = {key.encode() for key in config.include}
        self.exclude = {key.encode() for key in config.exclude}

    def process(self, batch: EventBatch) -> None:
        keys = batch.keys
        kept = [key for key in keys if (not self.include or key in self.include) and key not in self.exclude]
        if len(kept) < len(keys):
            batch.drop([key for key in keys if key not in kept])
        self.keep_rows(batch, any_present(batch, kept), "has none of the fields that are kept")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Include": ["content"]}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        return Example([parse, {"Include": ["user", "action"]}], '{"user": "ann", "action": "login", "token": "s3cret"}\n{"debug": 1}\n')
