"""Encode a field in Base64 (RFC 4648, with padding)."""

import base64
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class Base64EncodingConfig(PluginConfig):
    source_key: str = option(doc="The field to encode; it stays unless it is written anew.", min_length=1)
    new_key: str = option("", doc="The field that gets the result; empty writes the field itself anew.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")


@processor("processor_base64_encoding")
class Base64Encoding(BatchProcessor[Base64EncodingConfig]):
    Config = Base64EncodingConfig

    def process(self, batch: EventBatch) -> None:
        source, target = self.config.source_key.encode(), (self.config.new_key or self.config.source_key).encode()
        column = batch.column(source)
        encoded = [old if value is None else base64.b64encode(value) for value, old in zip(column, batch.column(target), strict=True)]
        batch.set_column(target, encoded)
        if self.config.no_key_error:
            self.report_missing(column, self.config.source_key)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "content", "NewKey": "encoded"}

    @classmethod
    def example(cls) -> Example:
        return Example([cls.sample()], "hello world\nnaïve\n")
