"""What is asked of the metadata database about consumer groups: one function per question or change."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from tailrace.server.db.records import Checkpoint, ConsumerGroup
from tailrace.server.db.tables import ConsumedShardRow, ConsumerGroupRow


def groups(session: Session, logstore: int) -> list[ConsumerGroup]:
    """By name."""
    rows = session.scalars(select(ConsumerGroupRow).where(ConsumerGroupRow.logstore_id == logstore).order_by(ConsumerGroupRow.name))
    return [_group(row) for row in rows]


def group(session: Session, logstore: int, name: str) -> ConsumerGroup | None:
    row = session.scalar(select(ConsumerGroupRow).where(ConsumerGroupRow.logstore_id == logstore, ConsumerGroupRow.name == name))
    return None if row is None else _group(row)


def insert_group(session: Session, logstore: int, name: str, now: int, *, silence_secs: int, in_order: bool) -> ConsumerGroup | None:
    """None when there is one of that name."""
    if group(session, logstore, name) is not None:
        return None
    row = ConsumerGroupRow(logstore_id=logstore, name=name, timeout=silence_secs, in_order=in_order, created=now)
    session.add(row)
    session.flush()
    return _group(row)


def change_group(session: Session, number: int, silence_secs: int, in_order: bool) -> None:
    row = session.get_one(ConsumerGroupRow, number)
    row.timeout, row.in_order = silence_secs, in_order


def delete_group(session: Session, number: int) -> None:
    session.delete(session.get_one(ConsumerGroupRow, number))


def checkpoints(session: Session, number: int) -> dict[int, Checkpoint]:
    """By shard."""
    rows: Sequence[ConsumedShardRow] = session.scalars(select(ConsumedShardRow).where(ConsumedShardRow.group_id == number)).all()
    return {row.shard: Checkpoint(row.checkpoint, row.updated, row.consumer) for row in rows}


def set_checkpoint(session: Session, number: int, shard: int, checkpoint: str, now: int) -> None:
    row = _shard(session, number, shard)
    row.checkpoint, row.updated = checkpoint, now


def set_holders(session: Session, number: int, holders: Mapping[int, str]) -> None:
    """Shards that are not named have none."""
    for row in session.scalars(select(ConsumedShardRow).where(ConsumedShardRow.group_id == number)):
        row.consumer = holders.get(row.shard, "")
    for shard, consumer in holders.items():
        _shard(session, number, shard).consumer = consumer


def _shard(session: Session, number: int, shard: int) -> ConsumedShardRow:
    row = session.get(ConsumedShardRow, (number, shard))
    if row is None:
        row = ConsumedShardRow(group_id=number, shard=shard, checkpoint="", updated=0, consumer="")
        session.add(row)
    return row


def _group(row: ConsumerGroupRow) -> ConsumerGroup:
    return ConsumerGroup(row.id, row.name, row.timeout, row.in_order)
