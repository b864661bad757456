"""Plugins with bugs, as those of somebody else may have them. Run as a program it is the agent with them registered."""

import errno
import sys
import time
from pathlib import Path

from tailrace.agent.lanes import lane
from tailrace.errors import ConfigError
from tailrace.flushers.file import FileFlusherConfig, FlusherFile
from tailrace.inputs.file import FileConfig, InputFile
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import flusher, input_plugin, processor
from tailrace.processors.base import BatchProcessor


class FailingConfig(PluginConfig):
    """What it cannot bear."""

    on: str = option("", doc="The content it fails on.")
    refuses: bool = option(False, doc="It does not start.")
    burns: str = option("", doc="The content for which it takes a tenth of a second of CPU.")
    starts_with: str = option("", doc="A file without which it does not start, as if the system were short of something.")


@processor("processor_failing")
class Failing(BatchProcessor[FailingConfig]):
    Config = FailingConfig

    def start(self, context):
        super().start(context)
        if self.config.refuses:
            raise ConfigError("it is not in the mood")
        if self.config.starts_with and not Path(self.config.starts_with).exists():
            raise OSError(errno.EMFILE, "Too many open files")

    def process(self, batch):
        if self.config.on and self.config.on.encode() in batch.column(b"content"):
            raise RuntimeError("a bug")
        if self.config.burns and self.config.burns.encode() in batch.column(b"content"):
            until = time.thread_time() + 0.1
            while time.thread_time() < until:
                pass

    @classmethod
    def sample(cls):
        return {"On": "x"}


def fail_at(place, config):
    if config.fails_at == place and Path(config.as_long_as).exists():
        raise RuntimeError(f"a bug in {place}")


class FailingInputConfig(FileConfig):
    fails_at: str = option("", doc="What it fails at: its `key`, `replay` or `stop`.")
    as_long_as: str = option("/", doc="A file without which it does not fail.")


@input_plugin("input_failing")
class FailingInput(InputFile):
    Config = FailingInputConfig

    @property
    def key(self):
        fail_at("key", self.config)
        return "input_failing"

    def replay(self, context, stream, done):
        fail_at("replay", self.config)
        return super().replay(context, stream, done)

    def stop(self, deadline):
        super().stop(deadline)
        fail_at("stop", self.config)


class FailingFlusherConfig(FileFlusherConfig):
    fails_at: str = option("", doc="What it fails at: `open` or `close`.")
    as_long_as: str = option("/", doc="A file without which it does not fail.")


@flusher("flusher_failing")
class FailingFlusher(FlusherFile):
    Config = FailingFlusherConfig

    async def open(self):
        fail_at("open", self.config)

    async def close(self):
        await super().close()
        fail_at("close", self.config)


if __name__ == "__main__":
    from tailrace.cli.main import main

    lane.SLOW_SECS = 0.1
    sys.exit(main())
