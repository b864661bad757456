"""Split a field into several by a regular expression with groups, which must match the whole field.

With the kernel, patterns run in linear time; `tailrace config check` says which engine each pattern gets.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import ParserConfig, key_problems


class ParseRegexConfig(ParserConfig):
    regex: str = option(doc="The pattern; each of its groups becomes a field.", regex=True, min_length=1, examples=[r"(\S+) (\S+) (.*)"])
    keys: list[str] = option(doc="The names of the fields, one per group.", min_length=1, examples=[["ip", "user", "request"]])

    def problems(self) -> Iterator[Problem]:
        yield from key_problems(self.regex, self.keys)


@processor("processor_parse_regex_native")
class ParseRegex(BatchProcessor[ParseRegexConfig]):
    Config = ParseRegexConfig
    alarm = "REGEX_MATCH_ALARM"

    def __init__(self, config: ParseRegexConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.pattern = Pattern(config.regex)
        self.keys = [key.encode() for key in config.keys]
        self.keep = config.keep()

    def process(self, batch: EventBatch) -> None:
        self.report(
            batch.parse_regex(self.source, self.pattern, self.keys, **self.keep), f"`{self.config.source_key}` does not match `Regex`"
        )

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Regex": r"(\S+) (.*)", "Keys": ["level", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {
            "Regex": r"(\S+) \[([^\]]+)\] (\d+) (.*)",
            "Keys": ["ip", "time", "status", "request"],
            "KeepingSourceWhenParseFail": True,
        }
        return Example([config], "10.0.0.7 [12:00:01] 200 GET /\nnot an access log\n10.0.0.9 [12:00:02] 404 GET /nothing\n")
