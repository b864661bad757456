"""Do nothing: events pass as they are."""

from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class PassThroughConfig(PluginConfig):
    source_key: str = option("", doc="A field's name.", ignored="events pass as they are")


@processor("processor_default")
class PassThrough(BatchProcessor[PassThroughConfig]):
    Config = PassThroughConfig

    def process(self, batch: EventBatch) -> None:
        pass

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        return Example([{}], "one line\nanother line\n")
