"""Events as JSON lines, for people and for other programs: one object per event, tags under `__tag__:NAME` as queries show them."""

import json
from collections.abc import Iterator, Sequence

from tailrace.batch import EventBatch
from tailrace.pipeline.contract import Group, Identity, Payload

NS = 1_000_000_000


def payloads(batch: EventBatch, identity: Identity, groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> list[Payload]:
    """The one payload of a range, whose groups stand behind each other; none for an empty batch."""
    body = b"".join(lines(batch, identity.pack_id.encode(), groups, nanoseconds=nanoseconds))
    return [Payload(identity, body, len(body), "none", len(batch), batch.topic)] if body else []


def lines(batch: EventBatch, pack_id: bytes = b"", groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> Iterator[bytes]:
    """One line per event; `nanoseconds` adds `__time_ns_part__`.

    Bytes that are not UTF-8 are replaced; of a repeated key the last value stands.
    """
    rows = batch.rows()
    for group in groups or [Group(0, len(batch))]:
        around = _around(batch, group, pack_id)
        for when, fields in rows[group.first : group.first + group.count]:
            event: dict[str, object] = {"__time__": when // NS, **{_text(key): _text(value) for key, value in fields}, **around}
            if nanoseconds:
                event["__time_ns_part__"] = when % NS
            yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _around(batch: EventBatch, group: Group, pack_id: bytes) -> dict[str, str]:
    """What all events of a group carry."""
    packs = [(b"__pack_id__", pack_id)] if group.packed and pack_id else []
    around = {f"__tag__:{_text(key)}": _text(value) for key, value in [*batch.tags, *group.tags, *packs]}
    topic = batch.topic if group.topic is None else group.topic
    if topic:
        around["__topic__"] = _text(topic)
    if batch.source:
        around["__source__"] = _text(batch.source)
    return around


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
