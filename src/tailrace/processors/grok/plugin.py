"""Split a field into several by grok expressions: patterns with names for what logs are made of, such as `%{IP:client} %{WORD:method}`.

The first expression of `Match` that is found somewhere in the field counts; `^` and `$` bind it to the ends. Parts that are empty give no
field. The expressions become ordinary patterns, run in linear time with the kernel, and all values are text: `%{NUMBER:took:float}` is
`%{NUMBER:took}`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tailrace.batch import EventBatch, Failures, Pattern, PatternError
from tailrace.errors import ConfigError
from tailrace.pipeline.config import Problem, has_reference, option
from tailrace.pipeline.contract import ProcessorContext
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor
from tailrace.processors.grok.definitions import DEFINITIONS
from tailrace.processors.grok.expression import GrokError, translate
from tailrace.processors.parsing import SourceConfig

_UNTRIED: Final = b"\0untried"
"""Holds the value while expressions are tried one after another."""
_LINEAR: Final = "patterns run in linear time or under the kernel's limits"


class GrokConfig(SourceConfig):
    match: list[str] = option(
        doc="The expressions, tried in order.", min_length=1, examples=[["%{COMBINEDAPACHELOG}", "%{IP:client} %{GREEDYDATA:rest}"]]
    )
    custom_patterns: dict[str, str] = option(
        factory=dict, doc="Further names → the expressions that they stand for.", examples=[{"ORDER": "[A-Z]{2}-%{INT}"}]
    )
    custom_pattern_dir: list[str] = option(
        factory=list,
        doc="Files with further names, or directories of them, on the agent's machine: `NAME expression`, one per line, `#` begins a "
        "comment. Read when the pipeline starts.",
        file="read",
        examples=[["/etc/tailrace/files/patterns"]],
    )
    keep_source: bool = option(True, doc="Keep the field when it was parsed.")
    ignore_parse_failure: bool = option(
        True, doc="Keep the field when no expression matches; otherwise it goes, and the event is counted as failed."
    )
    no_key_error: bool = option(False, doc="Count events without the field as failed; they stay as they are.")
    no_match_error: bool = option(True, doc="Count events that no expression matches as failed.")
    timeout_milli_seconds: int = option(0, doc="The longest time for one event.", unit="ms", ge=0, ignored=_LINEAR)
    timeout_error: bool = option(True, doc="Count events that took too long as failed.", ignored=_LINEAR)

    def problems(self) -> Iterator[Problem]:
        if self.custom_pattern_dir or any(map(has_reference, [*self.match, *self.custom_patterns.values()])):
            return  # known only on the agent
        for index, text in enumerate(self.match):
            try:
                _Attempt.of(text, {**DEFINITIONS, **self.custom_patterns})
            except GrokError as error:
                yield Problem(f"Match.{index}", str(error), error.hint)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One expression, compiled."""

    pattern: Pattern
    keys: list[bytes]

    @classmethod
    def of(cls, text: str, definitions: Mapping[str, str]) -> "_Attempt":
        """Raises GrokError."""
        expression = translate(text, definitions)
        if not expression.fields:
            raise GrokError(f"`{text}` names no field", "write `%{NAME:field}` for what is to be kept")
        try:
            return cls(Pattern(expression.regex), [key.encode() for key in expression.fields])
        except PatternError as error:
            raise GrokError(f"`{text}` makes no pattern: {error}", "docs/reference/patterns.md has the dialect") from error


@processor("processor_grok")
class Grok(BatchProcessor[GrokConfig]):
    Config = GrokConfig

    def __init__(self, config: GrokConfig) -> None:
        super().__init__(config)
        self.source = config.source_key.encode()
        self.attempts: list[_Attempt] = []

    def start(self, context: ProcessorContext) -> None:
        super().start(context)
        definitions = dict(DEFINITIONS)
        for path in self.config.custom_pattern_dir:
            definitions.update(_read(Path(path)))
        definitions.update(self.config.custom_patterns)
        try:
            self.attempts = [_Attempt.of(text, definitions) for text in self.config.match]
        except GrokError as error:
            raise ConfigError(f"`{self.type_name}`: {error}", hint=error.hint) from error

    def process(self, batch: EventBatch) -> None:
        config = self.config
        if config.no_key_error:
            self.report_absent(batch, self.source)
        failures = self._first(batch) if len(self.attempts) == 1 else self._one_after_another(batch)
        if config.no_match_error or not config.ignore_parse_failure:
            self.report(failures, f"`{config.source_key}` matches no expression of `Match`")

    def _first(self, batch: EventBatch) -> Failures:
        attempt = self.attempts[0]
        return batch.parse_regex(
            self.source,
            attempt.pattern,
            attempt.keys,
            omit_empty=True,
            keep_on_success=self.config.keep_source,
            keep_on_fail=self.config.ignore_parse_failure,
        )

    def _one_after_another(self, batch: EventBatch) -> Failures:
        """Each expression sees what the ones before it have not matched, in a field of its own: the source's name may be a result."""
        values = batch.column(self.source) if self.config.keep_source else []
        batch.rename(self.source, _UNTRIED)
        *others, last = self.attempts
        for attempt in others:
            batch.parse_regex(_UNTRIED, attempt.pattern, attempt.keys, omit_empty=True)
        failures = batch.parse_regex(_UNTRIED, last.pattern, last.keys, omit_empty=True)
        if self.config.keep_source:
            failed = set(failures.rows)
            rows = enumerate(zip(values, batch.column(self.source), strict=True))
            batch.set_column(self.source, [new if new is not None or row in failed else old for row, (old, new) in rows])
        if self.config.ignore_parse_failure:
            batch.rename(_UNTRIED, self.source)
        else:
            batch.parse_regex(_UNTRIED, last.pattern, last.keys, keep_on_fail=False)  # fails again, and now the field goes
        return failures

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"Match": ["%{IP:client} %{WORD:method} %{NOTSPACE:path}"]}

    @classmethod
    def example(cls) -> Example:
        config = {
            "CustomPatterns": {"REQUEST": "%{IP:client} %{WORD:method} %{URIPATHPARAM:request} %{NUMBER:bytes} %{NUMBER:took}"},
            "Match": ["^%{REQUEST}$", "%{WORD:word} %{NUMBER:took:float} %{WORD:last}"],
            "KeepSource": False,
        }
        return Example([config], "10.0.0.7 GET /index.html?page=2 15824 0.043\nbegin 123.456 end\nneither of them\n")


def _read(path: Path) -> dict[str, str]:
    """The definitions of a file, or of all files of a directory. Raises ConfigError."""
    definitions: dict[str, str] = {}
    try:
        files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
        for file in files:
            for line in file.read_text(encoding="utf-8").splitlines():
                name, _, expression = line.strip().partition(" ")
                if name and not name.startswith("#"):
                    definitions[name] = expression.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read patterns from `{path}`: {error}", hint="`CustomPatternDir` names files, or directories of them"
        ) from error
    return definitions
