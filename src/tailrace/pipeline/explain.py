"""Puts what pydantic found wrong into sentences: what was expected, what was there, which key may have been meant."""

import difflib
import re
import types
from collections.abc import Iterable, Sequence, Sized
from typing import Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tailrace.pipeline.config import OptionGroup, ProblemsError, Secret, public_key
from tailrace.pipeline.documents import Path

Finding = tuple[Path, str, str]
"""(path inside the group, message, hint)."""

_NAMES: Final[dict[object, tuple[str, str]]] = {
    str: ("a string", "strings"),
    Secret: ("a string", "strings"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "booleans"),
    type(None): ("nothing", "nothings"),
}
_BOUNDS: Final[dict[str, tuple[str, str]]] = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_LENGTHS: Final[dict[str, tuple[str, str]]] = {
    "too_short": ("min_length", "at least"),
    "too_long": ("max_length", "at most"),
    "string_too_short": ("min_length", "at least"),
    "string_too_long": ("max_length", "at most"),
}


def findings(error: ValidationError, model: type[OptionGroup]) -> list[Finding]:
    """Every mistake of `error`, which came from validating `model`, in the order of the model's keys."""
    return [finding for detail in error.errors(include_url=False) for finding in _explain(detail, model)]


def near(word: str, known: Iterable[str], noun: str = "keys") -> str:
    """A hint that names what was probably meant, or what there is."""
    choices = list(known)
    match = nearest(word, choices)
    if match:
        return f"did you mean `{match}`?"
    return f"known {noun}: {', '.join(f'`{choice}`' for choice in choices)}" if choices else f"there are no {noun}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is the beginning of or is most like, whatever the case; None when none is like it."""
    folded = {choice.lower(): choice for choice in reversed(list(known))}
    longer = sorted((choice for choice in folded if choice.startswith(word.lower())), key=len)
    match = longer or difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[match[0]] if match else None


def counted(count: int, noun: str) -> str:
    """`1 name`, `2 names`."""
    return f"{grouped(count)} {noun}" if count == 1 else f"{grouped(count)} {noun}s"


def grouped(number: float) -> str:
    """A number with its thousands apart, from five digits on."""
    return f"{number:,}" if abs(number) >= 10_000 else f"{number}"


def describe_value(value: object) -> str:
    """What stands in the file, short enough for one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number `{value}`"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else f"{value[:57]}…"
        return f"the string `{shown}`"
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, list) else f"`{value}`"


def describe_type(annotation: Any, *, plural: bool = False) -> str:
    """A type in words: `list[str]` → `a list of strings`."""
    if annotation in _NAMES:
        return _NAMES[annotation][plural]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        parts = [describe_type(part, plural=plural) for part in arguments if part is not type(None)]
        return " or ".join(dict.fromkeys(parts))
    if origin is Literal:
        return f"one of {', '.join(f'`{choice}`' for choice in arguments)}"
    if origin in (list, tuple, Sequence):
        return f"{'lists' if plural else 'a list'} of {describe_type(arguments[0], plural=True)}"
    if origin is dict:
        return (
            f"{'maps' if plural else 'a map'} of {describe_type(arguments[0], plural=True)} to {describe_type(arguments[1], plural=True)}"
        )
    return "maps" if plural else "a map"


def _explain(detail: ErrorDetails, model: type[OptionGroup]) -> list[Finding]:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ProblemsError):
        return [((*path, *_parts(problem.key)), problem.message, problem.hint) for problem in cause.problems]
    message, hint = _sentence(detail, path, model)
    return [(path, message, hint)]


def _sentence(detail: ErrorDetails, path: Path, model: type[OptionGroup]) -> tuple[str, str]:
    kind, value, context = detail["type"], cast("object", detail["input"]), detail.get("ctx", {})
    if kind == "extra_forbidden":
        group = group_in(_field_at(model, path[:-1])[1])
        return "unknown key", near(str(path[-1]), group.spellings() if group else ())
    field, annotation = _field_at(model, path)
    doc = field.description or "" if field else ""
    if kind == "missing":
        return "is missing", doc
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {grouped(context[name])}, got {value}", ""
    if kind in _LENGTHS:
        return _length(kind, context, value), doc
    got = "something else" if annotation is Secret else describe_value(value)
    return f"expected {describe_type(annotation)}, got {got}", ""


def _length(kind: str, context: dict[str, Any], value: object) -> str:
    name, words = _LENGTHS[kind]
    if context[name] == 1 and name == "min_length":
        return "must not be empty"
    unit = "characters" if kind.startswith("string") else "entries"
    return f"must have {words} {context[name]} {unit}, has {len(cast('Sized', value))}"


def _parts(key: str) -> Path:
    """`Include.level` and `FilterRegex[1]` as path parts; a problem names its place the way a file would."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", key) if part)


def _field_at(model: type[OptionGroup], path: Path) -> tuple[FieldInfo | None, Any]:
    """The key that `path` ends on or in, and the type of exactly the part that it points to."""
    found: FieldInfo | None = None
    annotation: Any = model
    for part in path:
        group = group_in(annotation)
        match = next((field for name, field in group.model_fields.items() if public_key(name, field) == part), None) if group else None
        found, annotation = (match, match.annotation) if match else (found, _item(annotation))
    return found, annotation


def group_in(annotation: Any) -> type[OptionGroup] | None:
    """The option group that a key of this type holds, alone or in a list, if it holds one."""
    if get_origin(annotation) in (Union, types.UnionType, list):
        return next((group for choice in get_args(annotation) if (group := group_in(choice))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, OptionGroup) else None


def _item(annotation: Any) -> Any:
    arguments = get_args(annotation)
    return arguments[-1] if arguments else annotation
