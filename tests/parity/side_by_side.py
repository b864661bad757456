"""What the parity tests share: running one thing on both engines, and all that can be seen of a batch."""

import os
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tailrace.batch.twin.syntax import parse
from tailrace.batch.twin.tree import Group, Repeat, nullable, walk

FACTOR = int(os.environ.get("TAILRACE_PARITY_FACTOR", "1"))


def examples(count: int) -> settings:
    """So many random cases; `TAILRACE_PARITY_FACTOR=50` searches longer."""
    return settings(max_examples=count * FACTOR)


PIECES = st.sampled_from(
    [
        b"a",
        b"b",
        b"ab",
        b"1",
        b"42",
        b" ",
        b"|",
        b"||",
        b",",
        b'"',
        b'""',
        b"\\",
        b"\n",
        b"\r\n",
        b"\r",
        b"\x00",
        b"\xff",
        "é".encode(),
        b"2026-03-01 12:00:00,123",
        b'{"a":1,"b":"x"}',
        b'{"a":"\\u00e9","n":{"x":[1,2]}}',
        b"GET /a HTTP/1.1",
        b"a|b|c",
    ]
)
TEXTS = st.lists(PIECES | st.binary(max_size=3), max_size=8).map(b"".join)
BLOCKS = st.lists(TEXTS | st.sampled_from([b"\n", b"\n", b"\r\n"]), max_size=10).map(b"".join)
KEYS = st.sampled_from([b"content", b"a", b"b", b"c", b"raw", b"__raw_log__", b"__column0__", b"", b"\xff"])
PAIRS = st.lists(st.tuples(KEYS, TEXTS), max_size=4)
TIMES = st.integers(0, 4_000_000_000) | st.integers(0, 2**63 - 1)
EVENTS = st.lists(st.tuples(TIMES, PAIRS), max_size=5)

Outcome = tuple[str, Any]


def outcome(run: Callable[[], Any]) -> Outcome:
    """What a call gave, in a form that both engines' results share: a result, or why it was refused."""
    try:
        found = run()
    except UnicodeEncodeError:
        return "not text", None
    except ValueError as error:
        return type(error).__name__, getattr(error, "reason", None)
    return "fine", plain(found)


def plain(found: Any) -> Any:
    """Engine objects as tuples of what the contract says of them."""
    match type(found).__name__:
        case "Failures":
            return found.count, found.removed, found.sample, found.rows, found.partial, found.partial_sample
        case "Encoded":
            return found.body, found.raw_size, found.digest, found.events
        case "StoreColumns":
            return found.times, found.ends, found.key_index, found.keys, found.values, found.fields
        case "EventBatch":
            return seen(found)
        case _:
            return found


def seen(batch: Any) -> dict[str, Any]:
    """All that the contract lets one see of a batch, but what it holds in memory."""
    keys = batch.keys
    rows = batch.rows()
    columns = {key: batch.column(key) for key in keys}
    return {
        "rows": rows,
        "length": len(batch),
        "keys": keys,
        "columns": columns,
        # An empty value has no place.
        "spans": {key: [span for span, value in zip(batch.spans(key), columns[key], strict=True) if value] for key in keys},
        "times": batch.times,
        "raw": (batch.raw_offsets, batch.raw_lengths),
        "discarded": batch.discarded,
        "head": (batch.topic, batch.source, batch.tags),
        "encoded": plain(batch.encode(compression="none", digest="md5", time_ns_part=True)),
        "columns of a store": plain(batch.store_columns(fields=[*keys[::2], b"nobody's key"])),
    }


@cache
def pattern(engine: ModuleType, text: str, *, dotall: bool = True) -> Any:
    return engine.Pattern(text, dotall=dotall)


def groups_are_defined(text: str) -> bool:
    """Whether the contract says what the groups hold: not where a repeated body may match nothing."""
    nodes = walk(parse(text, dotall=True).root)
    repeats = [node for node in nodes if isinstance(node, Repeat) and node.most != 1 and nullable(node.body)]
    return not any(isinstance(part, Group) for node in repeats for part in walk(node))
