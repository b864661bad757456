"""Grok expressions as patterns: `%{NAME}` stands for a definition, `%{NAME:field}` puts what it matches into a field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tailrace.pipeline.explain import near

_REFERENCE: Final = re.compile(r"%\{([^{}:]*)(?::([^{}:]*))?(?::(int|float|string|long|double|boolean))?\}")
_NAMED: Final = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", re.DOTALL)
_FLAGS: Final = re.compile(r"\(\?([is]+)\)")
_BACK_REFERENCE: Final = re.compile(r"\\[1-9]|\\k|\(\?P=")
MAX_LENGTH: Final = 100_000
"""Of a pattern, in characters: definitions that name each other twice over grow without end."""


class GrokError(ValueError):
    """An expression that cannot be a pattern. `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(slots=True)
class Expression:
    """`regex` has one group per entry of `fields`, in order; a field may have several."""

    regex: str = ""
    fields: list[str] = field(default_factory=list[str])


def translate(text: str, definitions: Mapping[str, str]) -> Expression:
    """The pattern of a grok expression, which matches a whole value of which the expression matches some part. Raises GrokError."""
    found = Expression()
    inner = _translated(text, definitions, found.fields, ())
    found.regex = f"(?:.*?)(?:{inner})(?:.*)"
    return found


def _translated(text: str, definitions: Mapping[str, str], fields: list[str], within: tuple[str, ...]) -> str:
    flags = _FLAGS.match(text)
    if flags:
        return f"(?{flags[1]}:{_translated(text[flags.end() :], definitions, fields, within)})"
    made: list[str] = []
    at = 0
    while at < len(text):
        piece, at = _piece(text, at, definitions, fields, within)
        made.append(piece)
    pattern = "".join(made)
    if len(pattern) > MAX_LENGTH:
        raise GrokError(f"the pattern is longer than {MAX_LENGTH} characters", "write fewer alternatives, or narrower definitions")
    return pattern


def _piece(text: str, at: int, definitions: Mapping[str, str], fields: list[str], within: tuple[str, ...]) -> tuple[str, int]:
    """What stands at `at`, translated, and where it ends."""
    if reference := _REFERENCE.match(text, at):
        return _reference(reference, definitions, fields, within), reference.end()
    if _BACK_REFERENCE.match(text, at):
        raise GrokError("back-references have no place in a grok expression", "write the part out twice")
    if text[at] == "\\":
        return text[at : at + 2], at + 2
    if character_class := _CLASS.match(text, at):
        return character_class[0], character_class.end()
    if named := _NAMED.match(text, at):
        fields.append(named[1])
        return "(", named.end()
    if text[at] == "(" and not text.startswith("(?", at):
        return "(?:", at + 1  # only what has a name is a field
    return text[at], at + 1


def _reference(match: re.Match[str], definitions: Mapping[str, str], fields: list[str], within: tuple[str, ...]) -> str:
    name, key = match[1], match[2]
    if name not in definitions:
        raise GrokError(f"`%{{{name}}}` is not defined", near(name, definitions, "names"))
    if name in within:
        raise GrokError(f"`%{{{name}}}` is defined by itself: {' → '.join([*within, name])}")
    if key:
        fields.append(key)
    return f"({'' if key else '?:'}{_translated(definitions[name], definitions, fields, (*within, name))})"
