"""Mask parts of a field: replace what follows a pattern by a fixed text, or by its MD5 so that equal values stay recognisable.

`const` runs in the kernel; `md5` walks the events one by one and is slow.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Literal

from tailrace.batch import EventBatch, Pattern, PatternError
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor


class DesensitizeConfig(PluginConfig):
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
class Desensitize(BatchProcessor[DesensitizeConfig]):
    Config = DesensitizeConfig

    def __init__(self, config: DesensitizeConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.pattern = Pattern(config.pattern())
        # A pattern that is bound to the beginning must not match again where the search goes on.
        self.first_only = not config.replacing_all or config.content_pattern_before_replaced_string.startswith("^")
        self.replacement = rb"\1" + config.replacing_string.encode().replace(b"\\", rb"\\")

    def process(self, batch: EventBatch) -> None:
        if self.config.method == "const":
            batch.mask(self.source, self.pattern, self.replacement, all=self.config.replacing_all)
            return
        rows = batch.rows()
        for _, fields in rows:
            for index, (key, value) in enumerate(fields):
                if key == self.source:
                    fields[index] = (key, self.hashed(value))
        batch.replace(rows)

    def hashed(self, value: bytes) -> bytes:
        """`value` with an MD5 in place of each part, or of the first."""
        done, rest = b"", value
        while rest and (span := self.pattern.search(rest)):
            start, end = span
            if start == end:
                done, rest = done + rest[: end + 1], rest[end + 1 :]
                continue
            groups = self.pattern.full_match(rest[start:end])
            before = (groups[0] or b"") if groups else b""
            digest = hashlib.md5(rest[start + len(before) : end], usedforsecurity=False).hexdigest().upper()
            done, rest = done + rest[:start] + before + digest.encode(), rest[end:]
            if self.first_only:
                break
        return done + rest

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"ReplacingString": "********", "ContentPatternBeforeReplacedString": "password=", "ReplacedContentPattern": r"\S+"}

    @classmethod
    def example(cls) -> Example:
        return Example([cls.sample()], "login user=ann password=hunter2 ok\nchange password=old password=new\n")
