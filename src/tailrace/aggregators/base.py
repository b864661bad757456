"""Put the events of a range into log groups of a certain size, in their order.

Without an aggregator a log group has up to 4096 events.
"""

from typing import Any

from tailrace.aggregators.grouping import HELD_BACK, MAX_EVENTS, BatchAggregator, cut
from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.contract import Group
from tailrace.pipeline.registry import Example, aggregator


class AggregatorBaseConfig(PluginConfig):
    max_log_group_count: int = option(4, doc="Log groups that are held back at most.", unit="log groups", ge=1, ignored=HELD_BACK)
    max_log_count: int = option(MAX_EVENTS, doc="Events of one log group at most.", unit="events", ge=1, le=4096)
    pack_flag: bool = option(True, doc="Put the tag `__pack_id__` on the log groups; context queries need it.")
    topic: str = option("", doc="Topic of the log groups; empty leaves the topic that the events have.")


@aggregator("aggregator_base")
class AggregatorBase(BatchAggregator[AggregatorBaseConfig]):
    """Implements `Aggregator`."""

    Config = AggregatorBaseConfig

    def group(self, batch: EventBatch) -> list[Group]:
        config = self.config
        everything = Group(0, len(batch), topic=config.topic.encode() or None, packed=config.pack_flag)
        return list(cut(everything, config.max_log_count))

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        return Example([{"MaxLogCount": 2, "Topic": "shop"}], "one\ntwo\nthree\n")
