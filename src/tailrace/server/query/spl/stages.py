"""Reads SPL: a search, and behind each `|` a stage that keeps, adds, names or takes apart fields of the events before it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from tailrace.errors import ApiError
from tailrace.server.query.sql.allowlist import is_plain_name, refuse

MAX_STAGES = 20
MAX_STEPS = 100
"""Of all stages together, each assignment of `extend` being one."""
_NAME = r'(?:"([^"]+)"|([A-Za-z_][\w.-]*))'
_ASSIGNED = re.compile(rf"\s*{_NAME}\s*=(?!=)\s*(.*)", re.DOTALL)
_NAMED = re.compile(rf"\s*{_NAME}\s*")
_PREFIX = re.compile(r"\s*-prefix\s*=\s*'([^']*)'\s+(.*)", re.DOTALL)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
KNOWN = ("where", "extend", "project", "project-away", "project-rename", "parse-json")


@dataclass(frozen=True, slots=True)
class Where:
    """Keeps the events for which it is true."""

    condition: str


@dataclass(frozen=True, slots=True)
class Extend:
    """Adds a field, or replaces it. One stage may have several: they follow each other."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Leaves these fields only: (name, name before)."""

    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Drop:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    """(name, name before)"""

    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ParseJson:
    """The members of the object that a field holds become fields, with the prefix before their names."""

    field: str
    prefix: str = ""


Stage: TypeAlias = Where | Extend | Keep | Drop | Rename | ParseJson


def read_stages(text: str) -> tuple[str, list[Stage]]:
    """The search and the stages. Raises ApiError(400, ParameterInvalid)."""
    search, *parts = divided(text, "|")
    if len(parts) > MAX_STAGES:
        raise refuse(f"`query` has {len(parts)} stages: at most {MAX_STAGES} are allowed")
    stages = list(islice((stage for part in parts for stage in _stages(part.strip())), MAX_STEPS + 1))
    if len(stages) > MAX_STEPS:
        raise refuse(f"the stages of `query` set too many fields: at most {MAX_STEPS} are allowed, other stages counted too")
    return search, stages


def divided(text: str, separator: str) -> list[str]:
    """Cut where the separator stands outside quotes and brackets; `||` is an operator."""
    parts, begin, closing, quote, index = list[str](), 0, list[str](), "", 0
    while index < len(text):
        character = text[index]
        if quote:
            index += character == "\\" and quote == '"'
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _PAIRS:
            closing.append(_PAIRS[character])
        elif closing and character == closing[-1]:
            closing.pop()
        elif separator == "|" and text.startswith("||", index):
            index += 1
        elif character == separator and (separator == "|" or not closing):
            parts.append(text[begin:index])
            begin = index + 1
        index += 1
    return [*parts, text[begin:]]


def _stages(part: str) -> Iterator[Stage]:
    word, _, rest = part.partition(" ")
    rest = rest.strip()
    match word.lower():
        case "where" if rest:
            yield Where(rest)
        case "extend" if rest:
            for item in divided(rest, ","):
                yield _extend(item)
        case "project" if rest:
            yield Keep(tuple(_renaming(item, word) for item in divided(rest, ",")))
        case "project-away" if rest:
            yield Drop(tuple(_name(item, word) for item in divided(rest, ",")))
        case "project-rename" if rest:
            yield Rename(tuple(_renaming(item, word, needed=True) for item in divided(rest, ",")))
        case "parse-json" if rest:
            yield _parse_json(rest)
        case known if known in KNOWN:
            raise refuse(f"`{known}` stands alone: expected what it is about, `{_EXAMPLES[known]}`")
        case _:
            raise refuse(f"`{word[:40]}` is no stage of a `query` of PullLogs: expected one of {', '.join(KNOWN)}")


_EXAMPLES = {
    "where": "where status = '200'",
    "extend": "extend seconds = cast(cost as double) / 1000",
    "project": "project status, path = uri",
    "project-away": "project-away secret",
    "project-rename": "project-rename path = uri",
    "parse-json": "parse-json content",
}


def _extend(item: str) -> Extend:
    found = _ASSIGNED.fullmatch(item)
    if found is None or not found[3].strip():
        raise _expected(item, "extend")
    return Extend(_checked(found[1] or found[2]), found[3])


def _parse_json(rest: str) -> ParseJson:
    prefixed = _PREFIX.fullmatch(rest)
    if prefixed is None:
        return ParseJson(_name(rest, "parse-json"))
    if prefixed[1].startswith("__"):
        raise refuse(f"`{prefixed[1][:60]}` cannot be a prefix of `parse-json`: names that begin with `__` are reserved")
    return ParseJson(_name(prefixed[2], "parse-json"), prefixed[1])


def _renaming(item: str, word: str, *, needed: bool = False) -> tuple[str, str]:
    assigned = _ASSIGNED.fullmatch(item)
    if assigned is not None:
        return _checked(assigned[1] or assigned[2]), _name(assigned[3], word)
    if needed:
        raise _expected(item, word)
    name = _name(item, word)
    return name, name


def _name(item: str, word: str) -> str:
    found = _NAMED.fullmatch(item)
    if found is None:
        raise _expected(item, word)
    return found[1] or found[2]


def _expected(item: str, word: str) -> ApiError:
    return refuse(f"cannot read `{item.strip()[:60]}` of `{word}`: expected such as `{_EXAMPLES[word.lower()]}`")


def _checked(name: str) -> str:
    """What may be given to a field of one's own: what belongs to the whole log group is not set event by event."""
    if not is_plain_name(name) or name.startswith("__"):
        raise refuse(f"`{name[:60]}` cannot be set: names that begin with `__` are reserved")
    return name
