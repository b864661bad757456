"""Raw events as GetLogs gives them back."""

import base64
from collections.abc import Sequence

from tailrace.server.query.sql.values import as_text
from tailrace.server.store.port import TAG_PREFIX

CURSOR_BASE = 1_500_000_000_000_000_000
"""Clients expect cursors that look like receive times in ns (sls-api §2.5): ours are this plus the group's number."""

EVENT = "toUnixTimestamp(time), source, topic, mapKeys(tags), mapValues(tags), mapKeys(fields), mapValues(fields)"
"""The select list that `event` reads. Keys and values come apart, so that a repeated key does no harm."""

PACK = "shard, group_cursor, group_size, pack_index"


def event(row: Sequence[object]) -> dict[str, str]:
    """All values are text; of a repeated key the first counts, as in every search. Reserved names win over fields of the same name."""
    time, source, topic, tag_keys, tag_values, keys, values = row[:7]
    made: dict[str, str] = {}
    for key, value in zip(_list(keys), _list(values), strict=True):
        made.setdefault(as_text(key), as_text(value))
    for key, value in zip(_list(tag_keys), _list(tag_values), strict=True):
        made[TAG_PREFIX + as_text(key)] = as_text(value)
    return {"__time__": str(time), "__source__": as_text(source), "__topic__": as_text(topic), **_without_reserved(made)}


def pack_meta(row: Sequence[object]) -> str:
    """`<shard>|<cursor>|<logs in the group>|<index>` of a row that ends with the columns `PACK`."""
    shard, cursor, size, index = row[-4:]
    text = base64.b64encode(str(CURSOR_BASE + int(str(cursor))).encode()).decode()
    return f"{shard}|{text}|{size}|{index}"


def _without_reserved(fields: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in fields.items() if key not in ("__time__", "__source__", "__topic__")}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
