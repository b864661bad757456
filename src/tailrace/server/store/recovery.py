"""From the journal back to where the store stood: identities, cursors, and what the engine may not have yet."""

import secrets
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from tailrace.errors import DamagedError
from tailrace.journal import Journal, Record
from tailrace.server.store import records
from tailrace.server.store.buffers import Block, Pending
from tailrace.server.store.cursors import Cursors
from tailrace.server.store.identities import Identities
from tailrace.server.store.records import RecordType


@dataclass(slots=True)
class Recovered:
    """`applied`: id of the newest request in the state. `highest`: id of the newest logstore that the journal knows. `waiting`: requests
    without a seal, in journal order. `blocks`: sealed, perhaps not inserted. `orphans`: what there is of logstores that nobody knows and
    nobody dropped, sealed or not."""

    applied: int = 0
    highest: int = 0
    waiting: list[Pending] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    orphans: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class _Marks:
    """First pass: all that is said about requests."""

    state: records.StateRecord | None = None
    seals: dict[int, list[records.SealRecord]] = field(default_factory=lambda: defaultdict(list))
    inserted: set[str] = field(default_factory=set)
    dropped: dict[int, int] = field(default_factory=dict)
    """Logstore to the id of the record that dropped it."""

    def seal(self, record_id: int, logstore: int) -> records.SealRecord | None:
        return next((seal for seal in self.seals[logstore] if seal.first <= record_id <= seal.last), None)

    def is_done(self, record_id: int, logstore: int) -> bool:
        """Whether the engine has it, or nobody wants it any more."""
        seal = self.seal(record_id, logstore)
        return record_id < self.dropped.get(logstore, 0) or (seal is not None and seal.token in self.inserted)


def recover(journal: Journal, known: Identities, cursors: Cursors, logstores: Collection[int]) -> Recovered:
    """Read the journal twice: first what was sealed, inserted and dropped, then the requests."""
    marks = _read_marks(journal)
    recovered = Recovered()
    if marks.state is not None:
        recovered.applied = marks.state.applied
        known.restore(marks.state)
        cursors.restore(marks.state)
    blocks: dict[str, Block] = {}
    orphans: dict[int, Block] = {}
    for record in journal.read():
        if record.type == RecordType.DROPPED:
            known.forget(_decode(record, records.DroppedRecord).logstore)
        if record.type == RecordType.REQUEST:
            request = _decode(record, records.RequestRecord)
            if record.id > recovered.applied:
                known.apply(request)
                cursors.apply(request)
                recovered.applied = record.id
            if marks.is_done(record.id, request.logstore):
                continue
            pending = Pending(record.id, request, None, time.monotonic())
            if request.logstore in logstores:
                _sort_in(pending, marks.seal(record.id, request.logstore), blocks, recovered)
            elif request.logstore not in marks.dropped:
                orphans.setdefault(request.logstore, Block(request.logstore, [], secrets.token_hex(12))).requests.append(pending)
    recovered.blocks = list(blocks.values())
    recovered.orphans = list(orphans.values())
    recovered.highest = max([*cursors.logstores(), *marks.dropped], default=0)
    cursors.start()
    return recovered


def _read_marks(journal: Journal) -> _Marks:
    marks = _Marks()
    for record in journal.read():
        match record.type:
            case RecordType.STATE:
                marks.state = _decode(record, records.StateRecord)
            case RecordType.SEAL:
                seal = _decode(record, records.SealRecord)
                marks.seals[seal.logstore].append(seal)
            case RecordType.INSERTED:
                marks.inserted.add(_decode(record, records.InsertedRecord).token)
            case RecordType.DROPPED:
                marks.dropped[_decode(record, records.DroppedRecord).logstore] = record.id
            case _:
                continue
    return marks


def _sort_in(pending: Pending, seal: records.SealRecord | None, blocks: dict[str, Block], recovered: Recovered) -> None:
    if seal is None:
        recovered.waiting.append(pending)
    else:
        blocks.setdefault(seal.token, Block(seal.logstore, [], seal.token)).requests.append(pending)


def _decode(record: Record, kind: type[records.T]) -> records.T:
    """Raises DamagedError for a record whose checksum is right and whose content is not what this release writes."""
    try:
        decoded = records.decode(record)
    except ValueError as error:
        raise DamagedError(f"journal record {record.id} cannot be read: {error}") from error
    if not isinstance(decoded, kind):
        raise DamagedError(f"journal record {record.id} is a {type(decoded).__name__}, not a {kind.__name__}")
    return decoded
