"""What the server's journal holds. Types and layouts are a disk format: fields are only ever added at the end, with a default.

request   the new packages of one request, bodies included       → state, buffer
seal      these requests of a logstore are one block              → the block's bounds and token, for ever
inserted  the engine has these blocks                             → their requests are done with
dropped   a logstore is gone with all it had                      → its requests are done with
state     identities and cursors as they were after `applied`     → what is older than that may be cut
"""

import enum
from typing import TypeAlias, TypeVar

import msgspec

from tailrace.journal import Entry, Record
from tailrace.server.store.port import Compression


class RecordType(enum.IntEnum):
    REQUEST = 1
    SEAL = 2
    INSERTED = 3
    DROPPED = 4
    STATE = 5


class PackageRecord(msgspec.Struct, array_like=True):
    """One new package with its place in the store."""

    body: bytes
    compression: Compression
    raw_size: int
    events: int
    shard: int
    seq: int
    group_cursor: int
    agent: str = ""
    epoch: bytes = b""
    stream: int = 0
    sequence: int = 0
    part: int = 0
    parts: int = 1
    start: int = 0
    end: int = 0
    fingerprint: bytes = b""
    acknowledged_below: int = 0
    ended: bool = False
    has_identity: bool = False


class RequestRecord(msgspec.Struct, array_like=True):
    logstore: int
    recv_ms: int
    packages: list[PackageRecord]
    mark_ahead: float | None = None


class SealRecord(msgspec.Struct, array_like=True):
    """The requests `first`…`last` (journal ids, both included) of one logstore, all received on `day` (days since 1970)."""

    logstore: int
    first: int
    last: int
    token: str
    day: int


class InsertedRecord(msgspec.Struct, array_like=True):
    """`quarantined`: the block is not in the engine but set aside."""

    logstore: int
    first: int
    last: int
    token: str
    quarantined: bool = False


class DroppedRecord(msgspec.Struct, array_like=True):
    logstore: int


class SequenceState(msgspec.Struct, array_like=True):
    """One sequence above the low watermark: what it is, and which of its parts are stored (bit set)."""

    start: int
    end: int
    fingerprint: bytes
    parts: int
    stored: int = 0


class StreamState(msgspec.Struct, array_like=True):
    """`low`: every sequence below it is stored; `low_end`: where the last of them ended. `seen`: receive time of the newest, in ms.
    `low_start`, `low_fingerprint`: of the one that ended there; `recent`: digests of the last ones below, the newest last. Both are empty
    where an older release has seen them."""

    low: int = 0
    low_end: int = 0
    above: dict[int, SequenceState] = {}
    ended: bool = False
    seen_ms: int = 0
    low_start: int = 0
    low_fingerprint: bytes = b""
    recent: bytes = b""


class ShardState(msgspec.Struct, array_like=True):
    seq: int = 0
    group_cursor: int = 0


StreamKey: TypeAlias = tuple[int, str, bytes, int]
"""(logstore, agent, epoch, stream)."""
ShardKey: TypeAlias = tuple[int, int]
"""(logstore, shard)."""


class StateRecord(msgspec.Struct, array_like=True):
    applied: int
    streams: list[tuple[StreamKey, StreamState]]
    shards: list[tuple[ShardKey, ShardState]]


AnyRecord: TypeAlias = RequestRecord | SealRecord | InsertedRecord | DroppedRecord | StateRecord
T = TypeVar("T", RequestRecord, SealRecord, InsertedRecord, DroppedRecord, StateRecord)

_TYPES: dict[RecordType, type[AnyRecord]] = {
    RecordType.REQUEST: RequestRecord,
    RecordType.SEAL: SealRecord,
    RecordType.INSERTED: InsertedRecord,
    RecordType.DROPPED: DroppedRecord,
    RecordType.STATE: StateRecord,
}
_OF = {kind: number for number, kind in _TYPES.items()}
_encoder = msgspec.msgpack.Encoder()
_decoders = {number: msgspec.msgpack.Decoder(kind) for number, kind in _TYPES.items()}


def encode(record: AnyRecord) -> Entry:
    return _OF[type(record)], _encoder.encode(record)


def decode(record: Record) -> AnyRecord:
    """Raises ValueError for a type or layout that this release does not know."""
    return _decoders[RecordType(record.type)].decode(record.payload)
