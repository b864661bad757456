"""Events as JSON lines, for people and for other programs: one object per event, tags under `__tag__:NAME` as queries show them."""

import json
from collections.abc import Iterable

from tailrace.batch import EventBatch
from tailrace.pipeline.contract import Identity, Payload

NS = 1_000_000_000


def payloads(batch: EventBatch, identity: Identity, *, nanoseconds: bool = False) -> list[Payload]:
    """The one payload of a range; none for an empty batch."""
    body = b"".join(lines(batch, [*batch.tags, (b"__pack_id__", identity.pack_id.encode())], nanoseconds=nanoseconds))
    return [Payload(identity, body, len(body), "none", len(batch), batch.topic)] if body else []


def lines(batch: EventBatch, tags: Iterable[tuple[bytes, bytes]] = (), *, nanoseconds: bool = False) -> Iterable[bytes]:
    """One line per event; `nanoseconds` adds `__time_ns_part__`.

    Bytes that are not UTF-8 are replaced; of a repeated key the last value stands.
    """
    around = {f"__tag__:{_text(key)}": _text(value) for key, value in tags}
    if batch.topic:
        around["__topic__"] = _text(batch.topic)
    if batch.source:
        around["__source__"] = _text(batch.source)
    for when, fields in batch.rows():
        event: dict[str, object] = {"__time__": when // NS, **{_text(key): _text(value) for key, value in fields}, **around}
        if nanoseconds:
            event["__time_ns_part__"] = when % NS
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
