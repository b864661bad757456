"""Members put into a JSON object, somewhere in a text of which all else stays: numbers keep their digits, strings their escapes."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_VALUES: Final = json.JSONDecoder(strict=False)

Span = tuple[int, int]


def with_members(text: str, path: Sequence[str], members: Mapping[str, str]) -> str | None:
    """A JSON object in which the object at `path` has these members too, in place of those of the same names; objects on the way are made
    where they are missing. None when the text, or what stands on the way, is no object."""
    spans = _spans(text)
    if spans is None:
        return None
    if not path:
        return _put(text, spans, {name: json.dumps(value, ensure_ascii=False) for name, value in members.items()})
    head, *rest = path
    begin, end = spans.get(head, (0, 0))
    inner = with_members(text[begin:end] or "{}", rest, members)
    return None if inner is None else _put(text, spans, {head: inner})


def _spans(text: str) -> dict[str, Span] | None:
    """Where the values of an object's members stand, of a repeated name the last; None when it is no object."""
    spans: dict[str, Span] = {}
    try:
        at = _behind("{", text, 0)
        while text[at] != "}":
            name, at = _name(text, _behind(",", text, at) if spans else at)
            begin = _behind(":", text, at)
            end = _VALUES.raw_decode(text, begin)[1]
            spans[name], at = (begin, end), _skip(text, end)
    except (ValueError, IndexError, RecursionError):
        return None
    return spans if _skip(text, at + 1) == len(text) else None


def _name(text: str, at: int) -> tuple[str, int]:
    """A member's name, and where it ends."""
    if text[at] != '"':
        raise ValueError("a member has no name")
    return _VALUES.raw_decode(text, at)


def _behind(mark: str, text: str, at: int) -> int:
    """Where the text goes on behind a mark, which must stand at `at` or behind blanks there."""
    at = _skip(text, at)
    if text[at] != mark:
        raise ValueError(f"`{mark}` is missing")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _put(text: str, spans: Mapping[str, Span], values: Mapping[str, str]) -> str:
    """The object with these values: in their places where they have some, else at its end."""
    end = text.rindex("}")
    new = [f"{json.dumps(name, ensure_ascii=False)}:{value}" for name, value in values.items() if name not in spans]
    before = "," if spans and new else ""
    body = text[:end].rstrip()
    text = f"{body}{before}{','.join(new)}{text[len(body) :]}"
    for name, (begin, stop) in sorted(spans.items(), key=lambda one: one[1], reverse=True):
        if name in values:
            text = f"{text[:begin]}{values[name]}{text[stop:]}"
    return text
