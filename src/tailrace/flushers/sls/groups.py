"""How a batch's groups become log groups of the SLS API: within its bounds, and each with its shard."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from tailrace.batch import EventBatch
from tailrace.pipeline.contract import Group, Payload

NS: Final = 1_000_000_000
MAX_EVENTS: Final = 4096
"""Events of one log group (the manual's bound)."""


def whole(batch: EventBatch, *, farewell: bool) -> list[Group]:
    """All rows as one group; of an empty batch none, unless it says farewell for its stream."""
    return [Group(0, len(batch))] if len(batch) or farewell else []


def bounded(group: Group) -> Iterator[Group]:
    """The group, in as few pieces of about one size as the bound allows."""
    parts = -(-group.count // MAX_EVENTS) or 1
    if parts == 1:
        yield group
        return
    for part in range(parts):
        first, stop = group.count * part // parts, group.count * (part + 1) // parts
        yield replace(group, first=group.first + first, count=stop - first)


def halves(payload: Payload) -> list[Payload]:
    """Two log groups with the events of one. DecodeError, a ValueError, when the body does not hold it."""
    compression = cast("Any", payload.compression)  # one that `encode` was given
    batch = EventBatch.decode(payload.body, compression=compression, raw_size=payload.raw_size)
    fractions = any(when % NS for when, _ in batch.rows())
    found: list[Payload] = []
    for first, stop in ((0, len(batch) // 2), (len(batch) // 2, len(batch))):
        digest = "sha256" if payload.digest else "none"
        half = batch.encode(compression=compression, digest=digest, first=first, count=stop - first, time_ns_part=fractions)
        found.append(replace(payload, body=half.body, raw_size=half.raw_size, events=half.events, digest=half.digest))
    return found


def hash_key(values: Sequence[bytes]) -> str:
    """The MD5 of some values, joined by `_`: a place in the range of all hash keys."""
    return hashlib.md5(b"_".join(values), usedforsecurity=False).hexdigest()
