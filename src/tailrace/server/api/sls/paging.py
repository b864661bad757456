"""Lists: `offset`, `size` and the filters by part of a name (sls-api §3)."""

from collections.abc import Sequence
from typing import TypeVar

from tailrace.errors import ApiError
from tailrace.server.api.call import Call

Item = TypeVar("Item")
DEFAULT_SIZE, MAX_SIZE = 100, 500


def page_of(call: Call, items: Sequence[Item]) -> tuple[Sequence[Item], dict[str, int]]:
    """The asked page and `{"count": of this page, "total": of all}`."""
    offset = whole_number(call, "offset", 0, low=0)
    size = whole_number(call, "size", DEFAULT_SIZE, low=0)
    page = items[offset : offset + min(size, MAX_SIZE)]
    return page, {"count": len(page), "total": len(items)}


def whole_number(call: Call, name: str, default: int, *, low: int) -> int:
    """A query parameter; an empty one (Node) is the default. Raises ApiError 400 ParameterInvalid."""
    text = call.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.lstrip("-").isdigit() and len(text) <= 18) or int(text) < low:
        raise ApiError(400, "ParameterInvalid", f"{name} `{text}` is not a whole number from {low}")
    return int(text)


def text_in(part: str, whole: str) -> bool:
    """The list filters match any part, whatever its case."""
    return part.lower() in whole.lower()
