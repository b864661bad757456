r"""Make several events of one: its field is cut at a fixed text, and each piece becomes an event. Empty pieces are left out."""

from collections.abc import Sequence
from typing import Any

from tailrace.pipeline.config import option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.parsing import separator_bytes
from tailrace.processors.split_log import Piece, SplitLog, SplitLogConfig


class SplitLogStringConfig(SplitLogConfig):
    split_sep: str = option(
        "\n", doc="Where to cut; hidden characters are typed as `\\t`, `0x01` or `\\u0001`. Empty is a NUL.", examples=["|", "0x01"]
    )


@processor("processor_split_log_string")
class SplitLogString(SplitLog[SplitLogStringConfig]):
    Config = SplitLogStringConfig

    def __init__(self, config: SplitLogStringConfig) -> None:
        super().__init__(config)
        self.separator = separator_bytes(config.split_sep) or b"\0"

    def pieces(self, value: bytes) -> Sequence[Piece]:
        found: list[Piece] = []
        at = 0
        for part in value.split(self.separator):
            if part:
                found.append((at, part))
            at += len(part) + len(self.separator)
        return found

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitSep": "|"}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_regex_native", "Regex": r"(\S+) (.*)", "Keys": ["host", "content"]}
        return Example([parse, {"SplitSep": ";", "PreserveOthers": True}], "web-1 started;ready\nweb-2 stopped;\n")
