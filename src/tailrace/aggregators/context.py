"""Put the events of each source into log groups of their own, in their order, so that context queries find what stood around an event.

A range never holds more than one source here, so this is what happens without an aggregator, too; the keys set size, topic and tag.
"""

from typing import Any

from tailrace.aggregators.base import AggregatorBase, AggregatorBaseConfig
from tailrace.aggregators.grouping import HELD_BACK
from tailrace.pipeline.config import option
from tailrace.pipeline.registry import Example, aggregator


class AggregatorContextConfig(AggregatorBaseConfig):
    max_log_group_count: int = option(
        2, doc="Log groups per source that are held back at most.", unit="log groups", ge=1, ignored=HELD_BACK
    )


@aggregator("aggregator_context")
class AggregatorContext(AggregatorBase):
    """Implements `Aggregator`."""

    Config = AggregatorContextConfig

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        return Example([{"MaxLogCount": 2}], "one\ntwo\nthree\n")
