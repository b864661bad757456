"""Put events into log groups by the values of some fields, and put these values on each log group as tags.

Choose fields with few values: every combination in a batch is a log group of its own.
"""

from typing import Any

from tailrace.aggregators.grouping import MAX_EVENTS, BatchAggregator, PackingConfig, brought_together, cut
from tailrace.batch import EventBatch
from tailrace.pipeline.config import option
from tailrace.pipeline.contract import Group
from tailrace.pipeline.registry import Example, aggregator


class AggregatorContentValueGroupConfig(PackingConfig):
    group_keys: list[str] = option(doc="The fields; each becomes a tag of its own name.", min_length=1, examples=[["service", "stage"]])


@aggregator("aggregator_content_value_group")
class AggregatorContentValueGroup(BatchAggregator[AggregatorContentValueGroupConfig]):
    """Implements `Aggregator`."""

    Config = AggregatorContentValueGroupConfig

    def group(self, batch: EventBatch) -> list[Group]:
        config = self.config
        columns = self.columns(batch, config.group_keys, report_missing=config.err_if_key_not_found)
        names = [key.encode() for key in config.group_keys]
        groups: list[Group] = []
        for values, rows in brought_together(batch, list(zip(*columns, strict=True))):
            tags = tuple(zip(names, values, strict=True))
            group = Group(rows.first, rows.count, config.topic.encode() or None, tags, packed=config.enable_pack_id)
            groups += cut(group, MAX_EVENTS)
        return groups

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"GroupKeys": ["service"]}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        lines = ['{"service": "cart", "n": 1}', '{"service": "login", "n": 2}', '{"service": "cart", "n": 3}', '{"n": 4}']
        return Example([parse, cls.sample()], "\n".join(lines) + "\n")
