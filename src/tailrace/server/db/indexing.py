"""An index document (sls-api §3.3): what makes it valid, and what the store gets to know of it.

The document itself is kept word for word; whatever is not named here is stored and ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tailrace.errors import ApiError
from tailrace.server.store.port import FieldIndex, LineIndex

FIELD_TYPES = ("text", "long", "double", "json")
MAX_FIELDS = 1000  # each is a column of the engine's table
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
    return LineIndex(tuple(line["token"]), case_sensitive=bool(line.get("caseSensitive", False)), chinese=bool(line.get("chn", False)))


def field_indexes(document: Mapping[str, Any], column: Callable[[str, str], str]) -> tuple[FieldIndex, ...]:
    """The fields of a valid document; `column(key, type)` names the opaque column of each."""
    fields: list[FieldIndex] = []
    for key, entry in (document.get("keys") or {}).items():
        fields.append(
            FieldIndex(
                column=column(key, entry["type"]),
                key=key,
                type=entry["type"],
                tokens=tuple(entry.get("token") or ()),
                case_sensitive=bool(entry.get("caseSensitive", False)),
                chinese=bool(entry.get("chn", False)),
                doc_value=bool(entry.get("doc_value", False)),
                alias=str(entry.get("alias") or ""),
            )
        )
    return tuple(fields)


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
    if len(keys) > MAX_FIELDS:
        raise _invalid(f"{len(keys)} fields are more than the {MAX_FIELDS} that a logstore may have")
    aliases: dict[str, str] = {}
    for key, entry in keys.items():
        _check_field(key, entry)
        alias = entry.get("alias")
        if alias and (alias in aliases or (alias in keys and alias != key)):
            raise _invalid(f"alias `{alias}` of key `{key}` is taken by `{aliases.get(alias, alias)}`")
        if alias:
            aliases[alias] = key


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
