"""Send events to shards by the values of some fields: events in which these are equal go to the same shard.

The range of hash keys is cut into `ShardCount` buckets; an event's bucket is that of the MD5 of its values, and its log group is sent to
the shard that holds the beginning of the bucket. Where a target has no shards, the events are only grouped.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from tailrace.aggregators.grouping import MAX_EVENTS, BatchAggregator, PackingConfig, brought_together, cut
from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.contract import Group
from tailrace.pipeline.registry import Example, aggregator

HASH_BITS: Final = 128
CACHED_VALUES: Final = 65_536


class AggregatorShardhashConfig(PackingConfig):
    source_keys: list[str] = option(doc="The fields whose values decide.", min_length=1, examples=[["user_id"]])
    shard_count: int = option(8, doc="Number of buckets, a power of two: as many as the logstore will have shards.", ge=1, le=512)
    connector: str = option("_", doc="What joins the values.")

    def problems(self) -> Iterator[Problem]:
        if self.shard_count & (self.shard_count - 1):
            yield Problem("ShardCount", f"{self.shard_count} is no power of two", "1, 2, 4 … 512")


@aggregator("aggregator_shardhash")
class AggregatorShardhash(BatchAggregator[AggregatorShardhashConfig]):
    """Implements `Aggregator`."""

    Config = AggregatorShardhashConfig

    def __init__(self, config: AggregatorShardhashConfig) -> None:
        super().__init__(config)
        self.shift = HASH_BITS - (config.shard_count - 1).bit_length()
        self.bucket = lru_cache(CACHED_VALUES)(self._bucket)

    def group(self, batch: EventBatch) -> list[Group]:
        config, connector = self.config, self.config.connector.encode()
        columns = self.columns(batch, config.source_keys, report_missing=config.err_if_key_not_found)
        buckets = [self.bucket(connector.join(values)) for values in zip(*columns, strict=True)]
        topic = config.topic.encode() or None
        return [
            piece
            for bucket, rows in brought_together(batch, buckets)
            for piece in cut(
                Group(rows.first, rows.count, topic=topic, hash_key=f"{bucket << self.shift:032x}", packed=config.enable_pack_id),
                MAX_EVENTS,
            )
        ]

    def _bucket(self, value: bytes) -> int:
        return int.from_bytes(hashlib.md5(value, usedforsecurity=False).digest()) >> self.shift

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKeys": ["user_id"]}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        lines = ['{"user": "ann", "n": 1}', '{"user": "bob", "n": 2}', '{"user": "ann", "n": 3}', '{"n": 4}']
        return Example([parse, {"SourceKeys": ["user"], "ShardCount": 4, "ErrIfKeyNotFound": True}], "\n".join(lines) + "\n")
