"""Keep or drop events by patterns that are looked for anywhere in a field. Dropped events are counted as discarded.

An event is kept when all of `Include` are found and none of `Exclude` is. An event without a field that `Include` names is dropped. The
native filter, whose patterns must match the whole field, is faster.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class FilterRegexConfig(PluginConfig):
    include: dict[str, str] = option(
        factory=dict,
        doc="Field → pattern; an event is kept when all of them are found.",
        regex=True,
        examples=[{"level": "^(WARN|ERROR)$"}],
    )
    exclude: dict[str, str] = option(
        factory=dict, doc="Field → pattern; an event is dropped when any of them is found.", regex=True, examples=[{"url": "^/health"}]
    )

    def problems(self) -> Iterator[Problem]:
        if not (self.include or self.exclude):
            yield Problem("Include", "is missing", "a filter needs `Include` or `Exclude`")


@processor("processor_filter_regex")
class FilterRegex(BatchProcessor[FilterRegexConfig]):
    Config = FilterRegexConfig

    def __init__(self, config: FilterRegexConfig) -> None:
        super().__init__(config)
        self.include = [(key.encode(), Pattern(pattern)) for key, pattern in config.include.items()]
        self.exclude = [(key.encode(), Pattern(pattern)) for key, pattern in config.exclude.items()]

    def process(self, batch: EventBatch) -> None:
        for key, pattern in self.include:
            self.keep_rows(batch, batch.matching(key, pattern, anywhere=True), "does not match `Include`")
        for key, pattern in self.exclude:
            self.keep_rows(batch, [not found for found in batch.matching(key, pattern, anywhere=True)], "matches `Exclude`")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Include": {"level": "^(WARN|ERROR)$"}}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        config = {"Include": {"ip": r"^10\.", "method": "^POST$"}, "Exclude": {"browser": "^aliyun"}}
        lines = [
            '{"ip": "10.0.0.7", "method": "POST", "browser": "aliyun-sdk-java"}',
            '{"ip": "10.0.0.7", "method": "POST", "browser": "chrome"}',
            '{"ip": "192.168.0.3", "method": "POST", "browser": "firefox"}',
        ]
        return Example([parse, config], "\n".join(lines) + "\n")
