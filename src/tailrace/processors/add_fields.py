"""Add fields with fixed values to every event."""

from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class AddFieldsConfig(PluginConfig):
    fields: dict[str, str] = option(doc="Field → value.", min_length=1, examples=[{"service": "shop", "stage": "prod"}])
    ignore_if_exist: bool = option(False, doc="Leave a field alone that an event already has; otherwise its value is overwritten.")


@processor("processor_add_fields")
class AddFields(BatchProcessor[AddFieldsConfig]):
    Config = AddFieldsConfig

    def __init__(self, config: AddFieldsConfig) -> None:
        super().__init__(config)
        self.fields = [(key.encode(), value.encode()) for key, value in config.fields.items()]

    def process(self, batch: EventBatch) -> None:
        for key, value in self.fields:
            batch.add(key, value, overwrite=not self.config.ignore_if_exist)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Fields": {"service": "shop"}}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        return Example(
            [parse, {"Fields": {"service": "shop", "stage": "prod"}, "IgnoreIfExist": True}], '{"id": 1}\n{"id": 2, "stage": "test"}\n'
        )
