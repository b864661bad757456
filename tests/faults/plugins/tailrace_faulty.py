"""A processor that does on certain words what no processor should, and an input whose thread fails: a user's plugins, found by their
entry points."""

import os
import threading
from typing import Any

from tailrace.batch import EventBatch
from tailrace.inputs.file.plugin import InputFile
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.contract import InputContext
from tailrace.pipeline.registry import input_plugin, processor
from tailrace.processors.base import BatchProcessor

kept: list[bytearray] = []


def spin() -> None:
    while True:
        pass


class FaultyConfig(PluginConfig):
    grows_by_mib: int = option(64, doc="How much memory the word `leak` costs.", ge=1)


@processor("processor_faulty")
class Faulty(BatchProcessor[FaultyConfig]):
    Config = FaultyConfig

    def process(self, batch: EventBatch) -> None:
        words = {word for text in batch.column(b"content") if text for word in text.split()[1:]}
        if b"abort" in words:
            os.abort()
        if b"hang" in words:
            spin()
        if b"spin" in words:
            threading.Thread(target=spin, daemon=True).start()
        if b"leak" in words:
            kept.append(bytearray(os.urandom(1 << 20) * self.config.grows_by_mib))

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}


@input_plugin("input_faulty")
class FaultyInput(InputFile):
    """Like `input_file`, until its thread begins."""

    def start(self, context: InputContext) -> None:
        self._thread = threading.Thread(target=fail, daemon=True)
        self._thread.start()


def fail() -> None:
    raise ValueError("nobody expected this")
