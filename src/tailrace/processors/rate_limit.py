"""Let only so many events through per second, minute or hour, for each combination of some fields. The excess is counted as discarded.

A combination that was quiet may send its whole limit at once; after that it may go on as fast as the limit says. A restarted agent knows
nothing of what it let through before; of events that it had read and has to send again it lets through the same ones.
"""

import re
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

_LIMIT: Final = re.compile(r"([1-9][0-9]{0,9})/([smh])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
MAX_BUCKETS: Final = 10_000
"""Combinations that are remembered at most after a batch: those go first that have been quiet long enough, then the oldest ones."""

Values = tuple[bytes | None, ...]


class RateLimitConfig(PluginConfig):
    fields: list[str] = option(
        factory=list, doc="The fields whose values are limited together; none limits all events as one.", examples=[["ip"]]
    )
    limit: str = option(doc="How many events per second (`s`), minute (`m`) or hour (`h`).", examples=["100/s", "5000/m"])

    def problems(self) -> Iterator[Problem]:
        if not has_reference(self.limit) and not _LIMIT.fullmatch(self.limit):
            yield Problem("Limit", f"`{self.limit}` is no limit", "write it as `100/s`, `5000/m` or `20000/h`")


@dataclass(slots=True)
class Bucket:
    """How many events one combination may still send at a moment."""

    tokens: float
    filled_at: float


@processor("processor_rate_limit")
class RateLimit(BatchProcessor[RateLimitConfig]):
    Config = RateLimitConfig

    def __init__(self, config: RateLimitConfig) -> None:
        super().__init__(config)
        self.keys = [field.encode() for field in config.fields]
        match = _LIMIT.fullmatch(config.limit)
        self.most, self.per_sec = (int(match[1]), int(match[1]) / _SECONDS[match[2]]) if match else (0, 0.0)
        self.buckets: dict[Values, Bucket] = {}
        self.clock = time.monotonic

    def process(self, batch: EventBatch) -> None:
        self.decide(batch)

    def decide(self, batch: EventBatch) -> bytes:
        kept = self._kept(batch)
        self._drop(batch, kept)
        return zlib.compress(bytes(kept))

    def repeat(self, batch: EventBatch, decision: bytes) -> None:
        kept = [one > 0 for one in zlib.decompress(decision)]
        if len(kept) == len(batch):
            self._drop(batch, kept)
        else:  # another release finds other events in these bytes
            self.decide(batch)

    def _drop(self, batch: EventBatch, kept: Sequence[bool]) -> None:
        self.keep_rows(batch, kept, f"is beyond the limit of {self.config.limit}")

    def _kept(self, batch: EventBatch) -> list[bool]:
        """Whether each event is within the limit, which they count against."""
        columns = [batch.column(key) for key in self.keys]
        now = self.clock()
        rows = zip(*columns, strict=True) if columns else iter([()] * len(batch))
        kept = [self._is_allowed(values, now) for values in rows]
        if len(self.buckets) > MAX_BUCKETS:
            busy = [(values, bucket) for values, bucket in self.buckets.items() if self._filled(bucket, now) < self.most]
            busy.sort(key=lambda one: one[1].filled_at)
            self.buckets = dict(busy[-MAX_BUCKETS:])
        return kept

    def _is_allowed(self, values: Values, now: float) -> bool:
        bucket = self.buckets.get(values)
        if bucket is None:
            bucket = self.buckets[values] = Bucket(self.most, now)
        bucket.tokens, bucket.filled_at = self._filled(bucket, now), now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _filled(self, bucket: Bucket, now: float) -> float:
        return min(self.most, bucket.tokens + (now - bucket.filled_at) * self.per_sec)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Fields": ["ip"], "Limit": "100/s"}

    @classmethod
    def example(cls) -> Example:
        lines = ['{"ip": "10.0.0.7", "id": 1}', '{"ip": "10.0.0.7", "id": 2}', '{"ip": "10.0.0.9", "id": 3}']
        return Example([{"Type": "processor_parse_json_native"}, {"Fields": ["ip"], "Limit": "1/h"}], "\n".join(lines) + "\n")
