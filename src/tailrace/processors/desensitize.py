"""Mask a field, or what follows a pattern in it: by a fixed text, or by its MD5 so that equal values stay recognisable.

`RegexContent` is looked for behind each match of `RegexBegin`; what stands between the two stays. The native processor has more options.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

from tailrace.batch import EventBatch, Pattern, PatternError
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.masking import Masking
from tailrace.processors.md5 import md5_hex

ONLY_REGEX: Final = "has a meaning only with `Match: regex`"


class DesensitizeConfig(PluginConfig):
    source_key: str = option(doc="The field to mask.", min_length=1)
    method: Literal["const", "md5"] = option(
        doc="What is put in: `const` puts `ReplaceString`, `md5` the lower-case MD5 of what is replaced."
    )
    match: Literal["full", "regex"] = option(doc="What is replaced: the `full` field, or what the patterns (`regex`) find, each time.")
    replace_string: str = option("", doc="The text that `const` puts; nothing in it is special.", examples=["********"])
    regex_begin: str = option(
        "", doc="The pattern of what stands before the part to replace; it stays.", regex=True, examples=["'password':'"]
    )
    regex_content: str = option("", doc="The pattern of the part to replace.", regex=True, examples=["[^']*"])

    def pattern(self) -> str:
        """Group 1 is what stays, the rest what goes."""
        return f"((?:{self.regex_begin})(?s:.*?))(?:{self.regex_content})"

    def problems(self) -> Iterator[Problem]:
        if self.method == "const" and not self.replace_string:
            yield Problem("ReplaceString", "is missing", "`Method: const` needs the text to put")
        for key, text in (("RegexBegin", self.regex_begin), ("RegexContent", self.regex_content)):
            if self.match == "regex" and not text:
                yield Problem(key, "is missing", "`Match: regex` needs `RegexBegin` and `RegexContent`")
            elif self.match == "full" and text:
                yield Problem(key, ONLY_REGEX, "remove it")
        if self.regex_begin and self.regex_content and not has_reference(self.pattern()):
            try:
                Pattern(self.pattern())
            except PatternError as error:
                yield Problem("RegexContent", f"does not go together with `RegexBegin`: {error}")


@processor("processor_desensitize")
class Desensitize(BatchProcessor[DesensitizeConfig]):
    Config = DesensitizeConfig

    def __init__(self, config: DesensitizeConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.constant = config.replace_string.encode() if config.method == "const" else None
        self.masking = Masking(Pattern(config.pattern()), self.constant, md5_hex) if config.match == "regex" else None

    def process(self, batch: EventBatch) -> None:
        if self.masking is not None:
            self.masking.apply(batch, self.source, self.context, self.type_name)
            return
        column = batch.column(self.source)
        batch.set_column(self.source, [None if value is None else self.constant or md5_hex(value) for value in column])

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "token", "Method": "const", "Match": "full", "ReplaceString": "********"}

    @classmethod
    def example(cls) -> Example:
        config = {"SourceKey": "content", "Method": "md5", "Match": "regex", "RegexBegin": "'password':'", "RegexContent": "[^']*"}
        return Example([config], "[{'account':'1812','password':'04a23f38'}, {'account':'1813','password':'123a'}]\n")
