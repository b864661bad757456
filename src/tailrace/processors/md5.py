"""Put the MD5 of a field into another one, in lower-case hex."""

import hashlib
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class Md5Config(PluginConfig):
    source_key: str = option(doc="The field to hash; it stays.", min_length=1)
    md5_key: str = option(key="MD5Key", doc="The field that gets the hash; it may be the same.", min_length=1)
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")


@processor("processor_md5")
class Md5(BatchProcessor[Md5Config]):
    Config = Md5Config

    def process(self, batch: EventBatch) -> None:
        source, target = self.config.source_key.encode(), self.config.md5_key.encode()
        column = batch.column(source)
        hashed = [old if value is None else md5_hex(value) for value, old in zip(column, batch.column(target), strict=True)]
        batch.set_column(target, hashed)
        if self.config.no_key_error:
            self.report_missing(column, self.config.source_key)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "content", "MD5Key": "md5"}

    @classmethod
    def example(cls) -> Example:
        config = {"SourceKey": "user", "MD5Key": "user_md5", "NoKeyError": True}
        return Example([{"Type": "processor_parse_json_native"}, config], '{"user": "ann"}\n{"host": "a"}\n')


def md5_hex(value: bytes) -> bytes:
    """Lower case."""
    return hashlib.md5(value, usedforsecurity=False).hexdigest().encode()
