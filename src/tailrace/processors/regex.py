"""Split a field into several by a regular expression with groups, which must match all of the field or, without `FullMatch`, a part.

`processor_parse_regex_native` does the same with the policy keys of the native parsers. What matches nothing stays as it is.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.parsing import SourceConfig, found_anywhere, key_problems


class RegexConfig(SourceConfig):
    regex: str = option(doc="The pattern; each of its groups becomes a field.", regex=True, min_length=1, examples=[r"(\S+) (\S+) (.*)"])
    keys: list[str] = option(doc="The names of the fields, one per group.", min_length=1, examples=[["ip", "user", "request"]])
    full_match: bool = option(True, doc="The pattern must match the whole field; otherwise its first match anywhere in the field counts.")
    keep_source: bool = option(False, doc="Keep the field when it was parsed.")
    keep_source_if_parse_error: bool = option(
        True, doc="Keep the field when it does not match; otherwise it goes, and the event is counted as failed."
    )
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    no_match_error: bool = option(False, doc="Count events that do not match as failed.")

    def problems(self) -> Iterator[Problem]:
        yield from key_problems(self.regex, self.keys)


@processor("processor_regex")
class Regex(BatchProcessor[RegexConfig]):
    Config = RegexConfig
    alarm = "REGEX_UNMATCHED_ALARM"
    missing_alarm = "REGEX_FIND_ALARM"

    def __init__(self, config: RegexConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.pattern = Pattern(config.regex if config.full_match else found_anywhere(config.regex))
        self.keys = [key.encode() for key in config.keys]

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        failures = batch.parse_regex(
            self.source, self.pattern, self.keys, keep_on_success=config.keep_source, keep_on_fail=config.keep_source_if_parse_error
        )
        # What loses its field is counted in any case.
        if config.no_match_error or not config.keep_source_if_parse_error:
            self.report(failures, f"`{config.source_key}` does not match `Regex`")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Regex": r"(\S+) (.*)", "Keys": ["level", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"Regex": r"user=(\w+) from=(\S+)", "Keys": ["user", "ip"], "FullMatch": False, "KeepSource": True, "NoMatchError": True}
        return Example([config], "login user=ann from=10.0.0.7 ok\nlogout\n")
