"""Decode a field that holds Base64 (RFC 4648, with padding). A value that is no Base64 stays as it is."""

import base64
import binascii
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class Base64DecodingConfig(PluginConfig):
    source_key: str = option(doc="The field to decode; it stays unless it is written anew.", min_length=1)
    new_key: str = option("", doc="The field that gets the result; empty writes the field itself anew.")
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    decode_error: bool = option(False, doc="Count events whose field is no Base64 as failed; they stay as they are.")


@processor("processor_base64_decoding")
class Base64Decoding(BatchProcessor[Base64DecodingConfig]):
    Config = Base64DecodingConfig

    def process(self, batch: EventBatch) -> None:
        source, target = self.config.source_key.encode(), (self.config.new_key or self.config.source_key).encode()
        column = batch.column(source)
        decoded = [None if value is None else _decoded(value) for value in column]
        batch.set_column(target, [old if new is None else new for new, old in zip(decoded, batch.column(target), strict=True)])
        if self.config.no_key_error:
            self.report_missing(column, self.config.source_key)
        if self.config.decode_error:
            wrong = [value for value, new in zip(column, decoded, strict=True) if value is not None and new is None]
            self.report_values(wrong, f"`{self.config.source_key}` is no Base64")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "content", "NewKey": "decoded"}

    @classmethod
    def example(cls) -> Example:
        return Example([{"SourceKey": "content", "DecodeError": True}], "aGVsbG8gd29ybGQ=\nno Base64!\n")


def _decoded(value: bytes) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
