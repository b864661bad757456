"""Remove fields from events."""

from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class DropConfig(PluginConfig):
    drop_keys: list[str] = option(
        doc="The fields to remove; events without them stay as they are.", min_length=1, examples=[["token", "cookie"]]
    )


@processor("processor_drop")
class Drop(BatchProcessor[DropConfig]):
    Config = DropConfig

    def __init__(self, config: DropConfig) -> None:
        super().__init__(config)
        self.keys = [key.encode() for key in config.drop_keys]

    def process(self, batch: EventBatch) -> None:
        batch.drop(self.keys)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"DropKeys": ["token"]}

    @classmethod
    def example(cls) -> Example:
        return Example([{"Type": "processor_parse_json_native"}, cls.sample()], '{"user": "ann", "token": "s3cret"}\n{"user": "bob"}\n')
