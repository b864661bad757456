"""Keep the events whose fields match, drop those whose fields match what is excluded. Dropped events are counted as discarded.

Patterns must match the whole field. An event without a field that `Include` or `FilterKey` names is dropped.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.explain import counted
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class FilterRegexConfig(PluginConfig):
    not_yet = frozenset({"ConditionExp", "DiscardingNonUTF8"})

    filter_key: list[str] = option(
        factory=list, doc="The fields that must all match; the other half of `FilterRegex`.", examples=[["status"]]
    )
    filter_regex: list[str] = option(factory=list, doc="The pattern of each field of `FilterKey`.", regex=True, examples=[["5.."]])
    include: dict[str, str] = option(
        factory=dict, doc="Field → pattern; an event is kept when all of them match.", regex=True, examples=[{"level": "WARN|ERROR"}]
    )
    exclude: dict[str, str] = option(
        factory=dict, doc="Field → pattern; an event is dropped when any of them matches.", regex=True, examples=[{"url": "/health.*"}]
    )

    def conditions(self) -> Mapping[str, str]:
        """What must match, from whichever of the two spellings is used."""
        return dict(zip(self.filter_key, self.filter_regex, strict=True)) or self.include

    def problems(self) -> Iterator[Problem]:
        keys, patterns = len(self.filter_key), len(self.filter_regex)
        if keys != patterns:
            yield Problem(
                "FilterRegex", f"{counted(patterns, 'pattern')} for {counted(keys, 'field')} of `FilterKey`", "give one pattern per field"
            )
        elif keys and self.include:
            yield Problem("Include", "cannot stand beside `FilterKey`", "they say the same; keep one of them")
        if len(set(self.filter_key)) < keys:
            yield Problem("FilterKey", "names a field twice", "join its patterns into one")
        if not (keys or patterns or self.include or self.exclude):
            yield Problem("Include", "is missing", "a filter needs `Include`, `Exclude`, or `FilterKey` with `FilterRegex`")


@processor("processor_filter_regex_native")
class FilterRegex(BatchProcessor[FilterRegexConfig]):
    Config = FilterRegexConfig

    def __init__(self, config: FilterRegexConfig) -> None:
        super().__init__(config)
        self.include = [(key.encode(), Pattern(pattern)) for key, pattern in config.conditions().items()]
        self.exclude = [(key.encode(), Pattern(pattern)) for key, pattern in config.exclude.items()]

    def process(self, batch: EventBatch) -> None:
        if self.include:
            self._discard(batch.filter(self.include), "does not match the filter")
        if self.exclude:
            self._discard(batch.filter(self.exclude, exclude=True), "matches `Exclude`")

    def _discard(self, count: int, reason: str) -> None:
        if count:
            self.context.discarded(self.type_name, count, reason)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Include": {"level": "WARN|ERROR"}}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_delimiter_native", "Separator": " ", "Keys": ["level", "url", "message"]}
        config = {"Include": {"level": "WARN|ERROR"}, "Exclude": {"url": "/health.*"}}
        return Example([parse, config], "INFO / ok\nERROR /health/live timeout\nWARN /login slow\n")
