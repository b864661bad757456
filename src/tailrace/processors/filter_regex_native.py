"""Keep the events whose fields match, drop those whose fields match what is excluded. Dropped events are counted as discarded.

Patterns must match the whole field. An event without a field that `Include` or `FilterKey` names is dropped. In `ConditionExp` such a field
matches nothing, so that `not` of a pattern on it holds.
"""

import codecs
from collections.abc import Iterator, Mapping
from typing import Any

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import PluginConfig, Problem, option
from tailrace.pipeline.explain import counted
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.condition import Condition, ConditionExp

BLANKS = "tailrace.blanks"
"""The name of the error handler that puts a space for each byte that is not UTF-8."""


class FilterRegexNativeConfig(PluginConfig):
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
    condition_exp: ConditionExp | None = option(None, doc="A tree of conditions; an event is kept when it holds.")
    discarding_non_utf8: bool = option(
        False,
        key="DiscardingNonUTF8",
        doc="Put a space for each byte of keys and values that is not part of UTF-8 text; the events stay.",
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
        if self.condition_exp and (keys or self.include):
            other = "FilterKey" if keys else "Include"
            yield Problem("ConditionExp", f"cannot stand beside `{other}`", "write all conditions into the tree")
        if len(set(self.filter_key)) < keys:
            yield Problem("FilterKey", "names a field twice", "join its patterns into one")
        if not (keys or patterns or self.include or self.exclude or self.condition_exp or self.discarding_non_utf8):
            yield Problem("Include", "is missing", "a filter needs `Include`, `Exclude`, `ConditionExp`, or `FilterKey` with `FilterRegex`")


@processor("processor_filter_regex_native")
class FilterRegexNative(BatchProcessor[FilterRegexNativeConfig]):
    Config = FilterRegexNativeConfig

    def __init__(self, config: FilterRegexNativeConfig) -> None:
        super().__init__(config)
        self.include = [(key.encode(), Pattern(pattern)) for key, pattern in config.conditions().items()]
        self.exclude = [(key.encode(), Pattern(pattern)) for key, pattern in config.exclude.items()]
        self.condition = Condition(config.condition_exp) if config.condition_exp else None

    def process(self, batch: EventBatch) -> None:
        if self.include:
            self._discard(batch.filter(self.include), "does not match the filter")
        if self.condition is not None:
            self.keep_rows(batch, self.condition.holds(batch), "does not fulfil `ConditionExp`")
        if self.exclude:
            self._discard(batch.filter(self.exclude, exclude=True), "matches `Exclude`")
        if self.config.discarding_non_utf8:
            blank(batch)

    def _discard(self, count: int, reason: str) -> None:
        if count:
            self.context.discarded(self.type_name, count, reason)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Include": {"level": "WARN|ERROR"}}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_delimiter_native", "Separator": " ", "Keys": ["level", "url", "message"]}
        healthy = {"operator": "not", "operands": [{"key": "message", "exp": "slow.*|fail.*"}]}
        tree = {"operator": "and", "operands": [{"key": "level", "exp": "WARN|ERROR"}, healthy]}
        config = {"ConditionExp": tree, "Exclude": {"url": "/health.*"}}
        return Example([parse, config], "INFO / fine\nERROR /health/live timeout\nWARN /login failed\nWARN /cart empty\n")


def blank(batch: EventBatch) -> None:
    """A space for each byte of `batch` that is not UTF-8. Only rows that have some are touched."""
    is_text = batch.utf8_rows()
    if all(is_text):
        return
    rows = batch.rows()
    for index, (time_ns, fields) in enumerate(rows):
        if not is_text[index]:
            rows[index] = (time_ns, [(_blanked(key), _blanked(value)) for key, value in fields])
    batch.replace(rows)


def _blanked(data: bytes) -> bytes:
    return data.decode("utf-8", BLANKS).encode()


def _spaces(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return " " * (error.end - error.start), error.end


codecs.register_error(BLANKS, _spaces)
