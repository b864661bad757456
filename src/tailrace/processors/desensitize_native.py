"""Mask parts of a field: replace what follows a pattern by a fixed text, or by its MD5 so that equal values stay recognisable.

`const` runs in the kernel; `md5` walks the events one by one and is slow.
"""

from collections.abc import Iterator
from typing import Any, Literal

from tailrace.batch import EventBatch, Pattern, PatternError
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.masking import Masking
from tailrace.processors.md5 import md5_hex


class DesensitizeNativeConfig(PluginConfig):
    source_key: str = option("content", doc="The field to mask.", min_length=1)
    method: Literal["const", "md5"] = option(
        "const", doc="What is put in: `const` puts `ReplacingString`, `md5` the upper-case MD5 of the replaced part."
    )
    replacing_string: str = option("", doc="The text that `const` puts; nothing in it is special.", examples=["********"])
    content_pattern_before_replaced_string: str = option(
        "", doc="The pattern of what stands just before the part to replace; it stays.", regex=True, examples=["password=", "'password':'"]
    )
    replaced_content_pattern: str = option(doc="The pattern of the part to replace.", regex=True, min_length=1, examples=["[^']*"])
    replacing_all: bool = option(True, doc="Replace every occurrence, not only the first.")

    def pattern(self) -> str:
        """Before and content in one; group 1 is what stays."""
        return f"({self.content_pattern_before_replaced_string})(?:{self.replaced_content_pattern})"

    def problems(self) -> Iterator[Problem]:
        if self.method == "const" and "replacing_string" not in self.model_fields_set:
            yield Problem("ReplacingString", "is missing", "`Method: const` needs the text to put; an empty text removes the part")
        if self.method == "md5" and self.replacing_string:
            yield Problem("ReplacingString", "has no meaning with `Method: md5`", "remove it, or use `Method: const`")
        if not has_reference(self.pattern()):
            try:
                Pattern(self.pattern())
            except PatternError as error:
                yield Problem("ReplacedContentPattern", f"does not go together with `ContentPatternBeforeReplacedString`: {error}")


@processor("processor_desensitize_native")
class DesensitizeNative(BatchProcessor[DesensitizeNativeConfig]):
    Config = DesensitizeNativeConfig

    def __init__(self, config: DesensitizeNativeConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.masking = Masking(
            Pattern(config.pattern()),
            config.replacing_string.encode() if config.method == "const" else None,
            lambda part: md5_hex(part).upper(),
            first_only=not config.replacing_all,
            once=config.content_pattern_before_replaced_string.startswith("^"),
        )

    def process(self, batch: EventBatch) -> None:
        self.masking.apply(batch, self.source, self.context, self.type_name)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"ReplacingString": "********", "ContentPatternBeforeReplacedString": "password=", "ReplacedContentPattern": r"\S+"}

    @classmethod
    def example(cls) -> Example:
        return Example([cls.sample()], "login user=ann password=hunter2 ok\nchange password=old password=new\n")
