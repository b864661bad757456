"""Put events that share their metadata (topic, source, tags) into log groups of bounded length and size.

The events of a range share all of their metadata here. An event that is larger than the bound gets a log group of its own.
"""

from typing import Any

from tailrace.aggregators.grouping import MAX_EVENTS, BatchAggregator
from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.contract import Group
from tailrace.pipeline.registry import Example, aggregator


class AggregatorMetadataGroupConfig(PluginConfig):
    group_metadata_keys: list[str] = option(
        factory=list, doc="The metadata that must be equal in a log group.", ignored="events are never mixed that differ in any metadata"
    )
    group_max_event_length: int = option(MAX_EVENTS, doc="Events of one log group at most.", unit="events", ge=1, le=4096)
    group_max_byte_length: int = option(
        3 * 1_048_576, doc="Bytes of one log group at most, as the events stood in their source.", unit="bytes", ge=1
    )


@aggregator("aggregator_metadata_group")
class AggregatorMetadataGroup(BatchAggregator[AggregatorMetadataGroupConfig]):
    """Implements `Aggregator`."""

    Config = AggregatorMetadataGroupConfig

    def group(self, batch: EventBatch) -> list[Group]:
        config = self.config
        groups: list[Group] = []
        first = size = 0
        for row, length in enumerate(batch.raw_lengths):
            is_full = row - first >= config.group_max_event_length or size + length > config.group_max_byte_length
            if is_full and row > first:
                groups.append(Group(first, row - first))
                first, size = row, 0
            size += length
        return [*groups, Group(first, len(batch) - first)]

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def example(cls) -> Example:
        return Example([{"GroupMaxByteLength": 10}], "one\ntwo\nfour and more\nfive\n")
