"""A processor that does on certain words what no processor should: it is a user's plugin, found by its entry point."""

import os
import threading
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import processor
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
