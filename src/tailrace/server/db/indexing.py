"""An index document (sls-api §3.3): what makes it valid, and what the store gets to know of it.

The document itself is kept word for word; whatever is not named here is stored and ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.store.port import TAG_PREFIX, FieldIndex, Indexes, LineIndex

FIELD_TYPES = ("text", "long", "double", "json")
LEAST_LEFT_OUT = 4  # fewer words than it costs to leave them out, below that
MAX_FIELDS = 500  # each is a column of the engine's table
MAX_KEY_LENGTH = 1024  # as long as a key of an event may be


def check_index(document: Mapping[str, Any]) -> None:
    """Raises ApiError 400 IndexInfoInvalid with the first mistake."""
    line, keys = document.get("line"), document.get("keys")
    if line is None and keys is None:
        raise _invalid("an index needs `line` or `keys`")
    if line is not None:
        _check_line(line)
    if keys is not None:
        _check_keys(keys)


def line_index(document: Mapping[str, Any]) -> LineIndex | None:
    """The full-text part of a valid document."""
    line = document.get("line")
    if line is None:
        return None
    return LineIndex(
        tuple(line["token"]),
        case_sensitive=bool(line.get("caseSensitive", False)),
        chinese=bool(line.get("chn", False)),
        only=tuple(line.get("include_keys") or ()),
        excluded=tuple(line.get("exclude_keys") or ()),
    )


def left_out(document: Mapping[str, Any], before: LineIndex | None) -> tuple[str, ...]:
    """Keys whose values the line index need not hold, because an index of their own has the same words.

    What the line index was made with before is kept where that is possible: a change makes all of it anew.
    """
    line = line_index(document)
    if line is None or line.chinese or not line.tokens:
        return ()
    same = tuple(index.key for index in _fields(document) if line.covers(index.key) and _has_words_of(line, index))
    if before is not None and replace(before, without=(), column="") == line and set(before.without) <= set(same):
        return before.without
    return same if len(same) >= LEAST_LEFT_OUT else ()


def _has_words_of(line: LineIndex, index: FieldIndex) -> bool:
    if index.type not in ("text", "json") or index.parent or index.chinese:
        return False
    if index.key in ("__source__", "__topic__") or index.key.startswith(TAG_PREFIX):
        return False
    return set(index.tokens) == set(line.tokens) and index.case_sensitive == line.case_sensitive


@dataclass(slots=True)
class Numbers:
    """Those that a logstore's indexes have had so far: none is ever given twice."""

    made: int = 0

    def next(self) -> int:
        self.made += 1
        return self.made


def indexes_of(document: Mapping[str, Any], before: Sequence[Indexes], numbers: Numbers) -> Indexes:
    """What the engine has to hold for a valid document. What is there already, in one of `before`, is named as it is; all else is new."""
    is_first = numbers.made == 0
    fields = {_storage(index): index.column for one in before for index in one.fields}
    line = _line(document, [one.line for one in before if one.line is not None])
    found = tuple(replace(index, column=fields.get(_storage(index)) or f"c{numbers.next()}") for index in _fields(document))
    if line is not None and line not in [one.line for one in before]:
        number = numbers.next()
        line = line if is_first else replace(line, column=f"l{number}")
    return Indexes(line, found)


def differ(one: Indexes, other: Indexes) -> bool:
    """Whether the engine has to hold something else for one than for the other."""
    return one.line != other.line or {*map(_storage, one.fields)} != {*map(_storage, other.fields)}


def _line(document: Mapping[str, Any], before: Sequence[LineIndex]) -> LineIndex | None:
    """That of `before` which is the same, else one without a name."""
    line = line_index(document)
    if line is None:
        return None
    line = replace(line, without=left_out(document, before[0] if before else None))
    return next((one for one in before if replace(one, column="") == line), line)


def _storage(index: FieldIndex) -> FieldIndex:
    """All but its name, alias and `doc_value`, which are a matter of queries."""
    return replace(index, column="", alias="", doc_value=True)


def _fields(document: Mapping[str, Any]) -> Iterator[FieldIndex]:
    """Still without columns. A part of a JSON field is cut and compared as the field is."""
    for key, entry in (document.get("keys") or {}).items():
        whole = FieldIndex(
            column="",
            key=key,
            type=entry["type"],
            tokens=tuple(entry.get("token") or ()),
            case_sensitive=bool(entry.get("caseSensitive", False)),
            chinese=bool(entry.get("chn", False)),
            doc_value=bool(entry.get("doc_value", False)),
            alias=str(entry.get("alias") or ""),
        )
        yield whole
        for name, part in json_keys(entry).items():
            kind, statistics, alias = part["type"], bool(part.get("doc_value", False)), str(part.get("alias") or "")
            yield replace(whole, key=f"{key}.{name}", type=kind, doc_value=statistics, alias=alias, parent=key)


def json_keys(entry: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The parts of a JSON field that are indexed by name: path to entry."""
    return (entry.get("json_keys") or {}) if entry["type"] == "json" else {}


def _check_line(line: object) -> None:
    if not isinstance(line, dict):
        raise _invalid("`line` has to be an object")
    _check_tokens(line, "`line`")
    _check_flags(line, "`line`", ("caseSensitive", "chn"))
    for name in ("include_keys", "exclude_keys"):
        keys = line.get(name)
        if keys is not None and not _is_text_list(keys):
            raise _invalid(f"`{name}` of `line` has to be a list of texts")
    if line.get("include_keys") and line.get("exclude_keys"):
        raise _invalid("`include_keys` and `exclude_keys` of `line` exclude each other")


def _check_keys(keys: object) -> None:
    if not isinstance(keys, dict):
        raise _invalid("`keys` has to be an object")
    for key, entry in keys.items():
        _check_field(key, entry)
    fields = list(_fields({"keys": keys}))
    if len(fields) > MAX_FIELDS:
        raise _invalid(f"{len(fields)} fields are more than the {MAX_FIELDS} that a logstore may have")
    taken: dict[str, str] = {}
    for index in fields:
        if index.key in taken:
            raise _invalid(f"`{index.key}` is a key and a part of the JSON field `{index.parent or taken[index.key]}`")
        taken[index.key] = index.parent or index.key
    for index in fields:
        if index.alias and taken.setdefault(index.alias, index.key) not in (index.key, index.parent):
            raise _invalid(f"alias `{index.alias}` of key `{index.key}` is taken by `{taken[index.alias]}`")


def _check_field(key: str, entry: object) -> None:
    where = f"key `{key}`"
    if not key or len(key.encode("utf-8", "replace")) > MAX_KEY_LENGTH:
        raise _invalid(f"a key has to have 1 to {MAX_KEY_LENGTH} bytes")
    if key == "__time__":
        raise _invalid("`__time__` is reserved: it is always indexed")
    if not isinstance(entry, dict):
        raise _invalid(f"{where} has to be an object")
    if entry.get("type") not in FIELD_TYPES:
        raise _invalid(f"type `{entry.get('type')}` of {where} is not one of {', '.join(FIELD_TYPES)}")
    if entry["type"] in ("text", "json"):
        _check_tokens(entry, where)
    _check_flags(entry, where, ("caseSensitive", "chn", "doc_value", "index_all"))
    if not isinstance(entry.get("alias") or "", str):
        raise _invalid(f"`alias` of {where} has to be a text")
    if entry["type"] == "json":
        _check_json_field(entry, where)


def _check_json_field(entry: Mapping[str, Any], where: str) -> None:
    depth = entry.get("max_depth")
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool)):
        raise _invalid(f"`max_depth` of {where} has to be a whole number")
    json_keys = entry.get("json_keys") or {}
    if not isinstance(json_keys, dict):
        raise _invalid(f"`json_keys` of {where} has to be an object")
    for name, part in json_keys.items():
        if not isinstance(part, dict) or part.get("type") not in ("text", "long", "double"):
            raise _invalid(f"`{name}` in `json_keys` of {where} needs a type: text, long or double")
        _check_flags(part, f"`{name}` in `json_keys` of {where}", ("doc_value",))
        if not isinstance(part.get("alias") or "", str):
            raise _invalid(f"`alias` of `{name}` in `json_keys` of {where} has to be a text")


def _check_tokens(entry: Mapping[str, Any], where: str) -> None:
    tokens = entry.get("token")
    if tokens is None:
        raise _invalid(f"{where} has no `token`")
    if not _is_text_list(tokens) or any(len(token) != 1 for token in tokens):
        raise _invalid(f"`token` of {where} has to be a list of single characters")


def _check_flags(entry: Mapping[str, Any], where: str, names: tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(entry.get(name, False), bool):
            raise _invalid(f"`{name}` of {where} has to be true or false")


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _invalid(message: str) -> ApiError:
    return ApiError(400, "IndexInfoInvalid", message)
