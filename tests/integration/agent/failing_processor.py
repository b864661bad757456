"""A processor with a bug, as a plugin of somebody else may have one. Run as a program it is the agent with it registered."""

import sys

from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import processor
from tailrace.processors.base import BatchProcessor


class FailingConfig(PluginConfig):
    """What it cannot bear."""

    on: str = option(doc="The content it fails on.")


@processor("processor_failing")
class Failing(BatchProcessor[FailingConfig]):
    Config = FailingConfig

    def process(self, batch):
        if self.config.on.encode() in batch.column(b"content"):
            raise RuntimeError("a bug")

    @classmethod
    def sample(cls):
        return {"On": "x"}


if __name__ == "__main__":
    from tailrace.cli.main import main

    sys.exit(main())
