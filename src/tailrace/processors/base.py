"""What all processors share: a config, a context, and the duty to count what they could not handle."""

from typing import ClassVar, Generic, TypeVar

from tailrace.batch import Failures
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.contract import ProcessorContext

ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class BatchProcessor(Generic[ConfigT]):
    """`process(batch)` rewrites a batch in place; subclasses add it. An instance serves one lane, so it needs no lock."""

    type_name: ClassVar[str]
    """Set by the decorator that registers the class."""

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def start(self, context: ProcessorContext) -> None:
        self.context = context

    def report(self, failures: Failures, reason: str) -> None:
        """Count failed events, if any. `reason` says of one event what was wrong with it: "does not match `Regex`"."""
        if failures.count:
            self.context.failed(self.type_name, failures.count, reason, failures.sample)
