"""How the key space of a logstore is cut into shards (sls-api §2.6): what a split or a merge makes of them, and which take writes.

A shard that was split or merged is read-only: its cursors stay valid until its data has expired. The shards that take writes always cover
all keys, each key once.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from tailrace.errors import ApiError
from tailrace.server.db.records import Shard
from tailrace.server.store.port import ShardRange
from tailrace.server.store.schema import FOREVER_DAYS

MAX_WRITABLE = 256
DAY_SECS = 86_400
LAST_KEY = "f" * 32
"""The end of the last shard, which holds this key, too."""

Change: TypeAlias = tuple[Sequence[int], Sequence[tuple[str, str]]]
"""Shards that take no more writes, and the ranges of those that take over."""


def split(shards: Sequence[Shard], number: int, keys: Sequence[str]) -> Change:
    """Cut at the `keys`, each 32 hex digits. Raises ApiError 400."""
    shard = _writable(shards, number)
    cuts = sorted(set(keys))
    for key in cuts:
        if not shard.begin < key < shard.end:
            raise ApiError(400, "ParameterInvalid", f"key `{key}` is not between {shard.begin} and {shard.end}, the keys of shard {number}")
    if sum(each.status == "readwrite" for each in shards) + len(cuts) > MAX_WRITABLE:
        raise ApiError(400, "ParameterInvalid", f"a logstore has {MAX_WRITABLE} shards that take writes at most")
    bounds = [shard.begin, *cuts, shard.end]
    return [number], list(pairwise(bounds))


def even_keys(shards: Sequence[Shard], number: int, count: int) -> list[str]:
    """Where to cut a shard into `count` even parts. Raises ApiError 400."""
    shard = _writable(shards, number)
    begin, end = int(shard.begin, 16), int(shard.end, 16)
    return [f"{begin + (end - begin + 1) * part // count:032x}" for part in range(1, count)]


def merge(shards: Sequence[Shard], number: int) -> Change:
    """With the neighbour on the right. Raises ApiError 400."""
    left = _writable(shards, number)
    right = next((each for each in shards if each.status == "readwrite" and each.begin == left.end), None)
    if right is None:
        raise ApiError(400, "ParameterInvalid", f"shard {number} is the last one: it has no neighbour to be merged with")
    return [left.id, right.id], [(left.begin, right.end)]


def writable(shards: Sequence[Shard]) -> list[ShardRange]:
    """Those that take writes, by their keys."""
    found = [ShardRange(shard.id, int(shard.begin, 16)) for shard in shards if shard.status == "readwrite"]
    return sorted(found, key=lambda each: each.begin)


def readable(shards: Sequence[Shard], ttl_days: int, now: int) -> list[Shard]:
    """Without those that are read-only and whose data has expired."""
    keeps_all = ttl_days >= FOREVER_DAYS
    return [shard for shard in shards if keeps_all or shard.closed is None or now < shard.closed + (ttl_days + 1) * DAY_SECS]


def ancestors(shards: Sequence[Shard], shard: Shard) -> list[Shard]:
    """The shards that its keys belonged to before."""
    return [
        each for each in shards if each.closed is not None and each.closed <= shard.created and each.id < shard.id and _share(each, shard)
    ]


def _share(one: Shard, other: Shard) -> bool:
    return one.begin < other.end and other.begin < one.end


def _writable(shards: Sequence[Shard], number: int) -> Shard:
    shard = next((each for each in shards if each.id == number), None)
    if shard is None:
        raise ApiError(400, "ShardNotExist", f"there is no shard {number}")
    if shard.status != "readwrite":
        raise ApiError(400, "ParameterInvalid", f"shard {number} is read-only: it was split or merged before")
    return shard
