"""Keep or drop events by the names of their fields. Dropped events are counted as discarded.

An event is kept when each pattern of `Include` is found in a name of one of its fields, and none of `Exclude` in any.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class FilterKeyRegexConfig(PluginConfig):
    include: list[str] = option(
        factory=list,
        doc="Patterns; an event is kept when each of them is found in the name of a field.",
        regex=True,
        examples=[["^trace_id$"]],
    )
    exclude: list[str] = option(
        factory=list,
        doc="Patterns; an event is dropped when any of them is found in the name of a field.",
        regex=True,
        examples=[["^debug_"]],
    )

    def problems(self) -> Iterator[Problem]:
        if not (self.include or self.exclude):
            yield Problem("Include", "is missing", "a filter needs `Include` or `Exclude`")


@processor("processor_filter_key_regex")
class FilterKeyRegex(BatchProcessor[FilterKeyRegexConfig]):
    Config = FilterKeyRegexConfig

    def __init__(self, config: FilterKeyRegexConfig) -> None:
        super().__init__(config)
        self.include = list(map(Pattern, config.include))
        self.exclude = list(map(Pattern, config.exclude))

    def process(self, batch: EventBatch) -> None:
        for pattern in self.include:
            self.keep_rows(batch, _having(batch, pattern), "has no field of `Include`")
        for pattern in self.exclude:
            self.keep_rows(batch, [not found for found in _having(batch, pattern)], "has a field of `Exclude`")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Include": ["^trace_id$"]}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_json_native"}
        config = {"Include": ["^key"], "Exclude": ["^debug_"]}
        return Example([parse, config], '{"key1": "a", "key2": "b"}\n{"other": "c"}\n{"key1": "d", "debug_id": "7"}\n')


def _having(batch: EventBatch, pattern: Pattern) -> list[bool]:
    """Per row whether it has a field in whose name the pattern is found."""
    found = [False] * len(batch)
    for key in batch.keys:
        if _is_found(pattern, key):
            found = [one or value is not None for one, value in zip(found, batch.column(key), strict=True)]
    return found


def _is_found(pattern: Pattern, key: bytes) -> bool:
    try:
        return pattern.search(key) is not None
    except ValueError:  # it hits a limit of the pattern's engine
        return False
