"""One record of the spool: a range as the checkpoint knows it, its stream, and the log groups that it was encoded to.

A record's payload in the journal (docs/specs/spool.md):

    key id 4 · length u32 of the sealed head · sealed head · sealed bodies, one behind the other

The head is sealed by itself, so that the index can be built from it without deciphering megabytes of bodies.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Final

from tailrace.agent.checkpoint.rows import StreamRow
from tailrace.agent.spool.cipher import Cipher
from tailrace.errors import DamagedError, NewerFormatError
from tailrace.pipeline.contract import Identity, Payload, Range

LAYOUT: Final = 1
"""The type that records have in the journal. A newer layout has a higher one."""
_HEAD: Final = struct.Struct("<4sI")


@dataclass(frozen=True, slots=True)
class Kept:
    """A range that is in the spool, without the bodies of its payloads where only the head was read."""

    stream: StreamRow
    """As it was when the range was kept."""
    range: Range
    parts: int
    """As the checkpoint counts them."""
    payloads: Sequence[Payload]
    note: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why it is kept, where that is not obvious."""

    @property
    def epoch(self) -> bytes:
        return self.payloads[0].identity.epoch


def sealed(kept: Kept, cipher: Cipher) -> bytes:
    """The payload of a record."""
    head = cipher.seal(json.dumps(_document(kept), separators=(",", ":")).encode(), b"head")
    bodies = cipher.seal(b"".join(payload.body for payload in kept.payloads), b"bodies")
    return b"".join((_HEAD.pack(cipher.key_id, len(head)), head, bodies))


def opened(kind: int, data: bytes, cipher: Cipher, *, whole: bool) -> Kept:
    """What was sealed; with `whole` its bodies too. DamagedError when the key does not fit or the content is no range."""
    if kind > LAYOUT:
        raise NewerFormatError(
            f"a record of the spool has layout {kind}, this release knows up to {LAYOUT}", hint="start the newer release again"
        )
    try:
        key_id, size = _HEAD.unpack_from(data)
        if key_id != cipher.key_id:
            raise DamagedError("it was sealed with another key")
        middle = _HEAD.size + size
        document = json.loads(cipher.open(data[_HEAD.size : middle], b"head"))
        bodies = cipher.open(data[middle:], b"bodies") if whole else None
        return _kept(document, bodies)
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise DamagedError(f"it holds no range: {error}") from error


def _document(kept: Kept) -> dict[str, Any]:
    stream, done, first = kept.stream, kept.range, kept.payloads[0].identity
    return {
        "stream": [stream.id, stream.target, stream.input, stream.key],
        "range": [done.sequence, done.start, done.end, done.position, done.fingerprint.hex(), done.config_version, done.readable_at],
        "decisions": [one.hex() for one in done.decisions],
        "parts": kept.parts,
        "note": dict(kept.note),
        "identity": [first.epoch.hex(), first.start, first.end, first.fingerprint.hex(), first.acknowledged_below],
        "payloads": [_payload_values(payload) for payload in kept.payloads],
    }


def _payload_values(one: Payload) -> list[Any]:
    part = [one.identity.sequence, one.identity.part, one.identity.parts]
    return [*part, len(one.body), one.raw_size, one.compression, one.events, one.topic.hex(), one.digest, one.hash_key]


def _kept(document: dict[str, Any], bodies: bytes | None) -> Kept:
    id_, target, input_, key = document["stream"]
    sequence, start, end, position, fingerprint, version, readable_at = document["range"]
    decisions = tuple(bytes.fromhex(one) for one in document["decisions"])
    done = Range(id_, sequence, start, end, position, bytes.fromhex(fingerprint), version, readable_at, decisions)
    epoch, *rest = document["identity"]
    values = document["payloads"]
    ends = list(accumulate((one[3] for one in values), initial=0))
    if not values or (bodies is not None and ends[-1] != len(bodies)):
        raise DamagedError("its bodies are not as long as its head says")
    payloads: list[Payload] = []
    for one, (begin, stop) in zip(values, pairwise(ends), strict=True):
        own_sequence, part, parts, _, raw_size, compression, events, topic, digest, hash_key = one
        own = Identity(bytes.fromhex(epoch), id_, own_sequence, rest[0], rest[1], bytes.fromhex(rest[2]), part, parts, rest[3])
        body = bodies[begin:stop] if bodies is not None else b""
        payloads.append(Payload(own, body, raw_size, compression, events, bytes.fromhex(topic), digest, hash_key))
    row = StreamRow(id_, target, input_, key, position, position, sequence + 1)
    return Kept(row, done, document["parts"], payloads, document["note"])
