r"""Replace parts of a field: a text, what a pattern finds, or escapes such as `\n` and `\u00e9` by what they stand for."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from tailrace.batch import EventBatch, Pattern, PatternError
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.quoting import unquoted

_GROUP: Final = re.compile(r"\$(?:\$|([0-9]+)|\{([0-9]+)\})")
MAX_GROUP: Final = 9
"""As many groups as a replacement can name."""


class StringReplaceConfig(PluginConfig):
    source_key: str = option(doc="The field to work on.", min_length=1)
    method: Literal["const", "regex", "unquote"] = option(
        doc="How: `const` replaces a text, `regex` what a pattern finds, `unquote` takes outer quotes and escapes away."
    )
    match: str = option("", doc="The text or pattern to look for; all it finds is replaced. `unquote` has none.")
    replace_string: str = option(
        "", doc="What is put in its place. With `regex`, `$1` or `${1}` is a group, up to `$9`, and `$$` a dollar sign.", examples=["$2-$1"]
    )
    dest_key: str = option("", doc="The field that gets the result; empty writes the field itself anew.")

    def patterns(self) -> Iterator[tuple[str, str]]:
        if self.method == "regex":
            yield "Match", self.match

    def problems(self) -> Iterator[Problem]:
        given = [key for key, text in (("Match", self.match), ("ReplaceString", self.replace_string)) if text]
        if self.method == "unquote":
            yield from (Problem(key, "has no meaning with `Method: unquote`", "remove it") for key in given)
        elif not self.match:
            yield Problem("Match", "is missing", f"`Method: {self.method}` needs what to look for")
        elif self.method == "regex" and not has_reference(self.match):
            yield from self._regex_problems()

    def _regex_problems(self) -> Iterator[Problem]:
        try:
            groups = Pattern(self.match).groups
        except PatternError as error:
            yield Problem("Match", f"{error}, in `{self.match}`", "docs/reference/patterns.md lists what a pattern may hold")
            return
        for number in _group_numbers(self.replace_string):
            if number > min(groups, MAX_GROUP):
                yield Problem("ReplaceString", f"names group {number}, the pattern has {groups}, and up to {MAX_GROUP} can be named")


@processor("processor_string_replace")
class StringReplace(BatchProcessor[StringReplaceConfig]):
    Config = StringReplaceConfig

    def __init__(self, config: StringReplaceConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.target = config.dest_key.encode() or self.source
        self.match, self.replacement = config.match.encode(), config.replace_string.encode()
        self.pattern = Pattern(config.match) if config.method == "regex" else None

    def process(self, batch: EventBatch) -> None:
        column = batch.column(self.source)
        if self.pattern is not None:
            failures = batch.mask(self.source, self.pattern, template(self.config.replace_string))
            self.report_values([column[row] or b"" for row in failures.rows], "hits a limit of the engine of `Match`, and stays as it is")
            if self.target != self.source:
                replaced = batch.column(self.source)
                batch.set_column(self.source, column)
                self._set(batch, replaced)
        elif self.config.method == "const":
            self._set(batch, [None if value is None else value.replace(self.match, self.replacement) for value in column])
        else:
            plain = [None if value is None else unquoted(value) for value in column]
            self._set(batch, [value if new is None else new for new, value in zip(plain, column, strict=True)])
            wrong = [value for new, value in zip(plain, column, strict=True) if new is None and value is not None]
            self.report_values(wrong, f"`{self.config.source_key}` has an escape or a quote that cannot be")

    def _set(self, batch: EventBatch, values: list[bytes | None]) -> None:
        """Rows without the source keep what they have."""
        if self.target != self.source:
            values = [old if new is None else new for new, old in zip(values, batch.column(self.target), strict=True)]
        batch.set_column(self.target, values)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKey": "content", "Method": "const", "Match": "\t", "ReplaceString": " "}

    @classmethod
    def example(cls) -> Example:
        colours = {"SourceKey": "content", "Method": "regex", "Match": r"\x1b\[[0-9;]*m", "ReplaceString": ""}
        plain = {"SourceKey": "content", "Method": "unquote", "DestKey": "plain"}
        return Example([colours, plain], '\x1b[31merror\x1b[0m: disk full\n"caf\\u00e9\\tbar"\n')


def template(text: str) -> bytes:
    """A replacement in the kernel's form, where a group is a backslash and its number."""
    escaped = text.replace("\\", "\\\\")
    return _GROUP.sub(lambda match: "$" if match[0] == "$$" else f"\\{match[1] or match[2]}", escaped).encode()


def _group_numbers(text: str) -> list[int]:
    return [int(match[1] or match[2]) for match in _GROUP.finditer(text) if match[0] != "$$"]
