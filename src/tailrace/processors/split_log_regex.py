"""Make several events of one: its field is cut before each line that matches a pattern, as multi-line records are.

The pattern must match the whole line. Lines before the first match are an event of their own. The newline at a record's end does not belong
to it. Where the field comes from a file, the input's `Multiline` does the same faster, and across blocks.
"""

from collections.abc import Sequence
from typing import Any

from tailrace.batch import Pattern
from tailrace.pipeline.config import option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.split_log import Piece, SplitLog, SplitLogConfig


class SplitLogRegexConfig(SplitLogConfig):
    split_regex: str = option(
        ".*",
        doc="The pattern of a record's first line; the default makes every line an event.",
        regex=True,
        min_length=1,
        examples=[r"\[\d+.*"],
    )


@processor("processor_split_log_regex")
class SplitLogRegex(SplitLog[SplitLogRegexConfig]):
    Config = SplitLogRegexConfig

    def __init__(self, config: SplitLogRegexConfig) -> None:
        super().__init__(config)
        self.pattern = Pattern(config.split_regex)

    def pieces(self, value: bytes) -> Sequence[Piece]:
        begins: list[int] = []
        at = 0
        for line in value.split(b"\n"):
            is_line = at < len(value)
            if is_line and (not begins or self.pattern.full_match(line.removesuffix(b"\r")) is not None):
                begins.append(at)
            at += len(line) + 1
        ends = [*begins[1:], len(value)] if begins else []
        return [(begin, value[begin:end].removesuffix(b"\n").removesuffix(b"\r")) for begin, end in zip(begins, ends, strict=True)]

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitRegex": r"\[\d+-\d+-\d+ .*"}

    @classmethod
    def example(cls) -> Example:
        unpack = {"Type": "processor_parse_json_native"}
        config = {"SplitKey": "log", "SplitRegex": r"\[\d+:\d+\] .*", "PreserveOthers": True}
        return Example([unpack, config], r'{"host": "web-1", "log": "[12:00] failed\n[12:01] failed again\n"}' + "\n")
