"""Turn a field that holds one JSON object into one field per top-level key; nested values stay JSON text.

Anything but an object fails, as does JSON outside RFC 8259 or nested deeper than 512. Of equal keys in one object the last wins.
"""

from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import ParserConfig


class ParseJsonConfig(ParserConfig):
    pass


@processor("processor_parse_json_native")
class ParseJson(BatchProcessor[ParseJsonConfig]):
    Config = ParseJsonConfig

    def __init__(self, config: ParseJsonConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.keep = config.keep()

    def process(self, batch: EventBatch) -> None:
        self.report(batch.parse_json(self.source, **self.keep), f"`{self.config.source_key}` is not a JSON object")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        nested = '{"level": "info", "user": {"id": 7}, "took": 1.50}'
        escaped = r'{"level": "error", "message": "disk \"sda\" is full"}'
        return Example([{"CopingRawLog": True}], f'{nested}\n{escaped}\n["no", "object"]\n')
