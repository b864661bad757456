"""What is asked of the metadata database: one function per question or change, each within the caller's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from tailrace.server.db.account_statements import forget_project
from tailrace.server.db.indexing import Numbers, differ, indexes_of
from tailrace.server.db.records import Logstore, Project, Shard
from tailrace.server.db.tables import CommandRow, DropRow, GrantRow, IndexRow, KeyRow, LogstoreRow, ProjectRow, ShardRow, TokenRow
from tailrace.server.store.port import Indexes, TableSpec

KEY_SPACE = 1 << 128


def projects(session: Session) -> list[Project]:
    return [_project(row) for row in session.scalars(select(ProjectRow))]


def logstores(session: Session) -> list[Logstore]:
    rows = session.execute(select(LogstoreRow, ProjectRow.name).join(ProjectRow, ProjectRow.id == LogstoreRow.project_id)).all()
    return [_logstore(session, row, project) for row, project in rows]


def pending_drops(session: Session) -> list[int]:
    """Logstores that were deleted and whose tables may still be there."""
    return list(session.scalars(select(DropRow.logstore_id)))


def insert_project(session: Session, name: str, description: str, options: Mapping[str, Any], now: int) -> Project:
    row = ProjectRow(name=name, description=description, options=dict(options), created=now, modified=now)
    session.add(row)
    session.flush()
    return _project(row)


def update_project(session: Session, project: int, description: str, options: Mapping[str, Any], now: int) -> Project:
    row = session.get_one(ProjectRow, project)
    row.description, row.modified, row.options = description, now, {**row.options, **options}
    return _project(row)


def delete_project(session: Session, project: int) -> list[int]:
    """Ids of the logstores that went with it. A project made again under this name is no business of its agents, keys, roles, tokens and
    commands."""
    gone = list(session.scalars(select(LogstoreRow.id).where(LogstoreRow.project_id == project)))
    session.add_all(DropRow(logstore_id=logstore) for logstore in gone)
    name = session.get_one(ProjectRow, project).name
    session.execute(delete(KeyRow).where(KeyRow.project == name))
    forget_project(session, name)
    for table in (GrantRow, TokenRow, CommandRow):
        session.execute(delete(table).where(table.project == name))
    session.execute(delete(ProjectRow).where(ProjectRow.id == project))
    return gone


def insert_logstore(
    session: Session, project: Project, name: str, *, ttl: int, shard_count: int, options: Mapping[str, Any], now: int
) -> Logstore:
    """A logstore whose `shard_count` shards split the key space evenly."""
    row = LogstoreRow(project_id=project.id, name=name, ttl=ttl, options=dict(options), created=now, modified=now)
    session.add(row)
    session.flush()
    for shard in range(shard_count):
        end = "f" * 32 if shard == shard_count - 1 else f"{KEY_SPACE * (shard + 1) // shard_count:032x}"
        begin = f"{KEY_SPACE * shard // shard_count:032x}"
        session.add(ShardRow(logstore_id=row.id, shard=shard, status="readwrite", begin_key=begin, end_key=end, created=now))
    session.flush()
    return _logstore(session, row, project.name)


def reserve_logstore_ids(session: Session, highest: int) -> None:
    """Ids up to `highest` are never given to a new logstore. The sequence is a table of SQLite's, without a row before the first insert."""
    if session.get_bind().dialect.name == "postgresql":
        sequence = {"highest": highest, "table": LogstoreRow.__tablename__}
        current = session.scalar(text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM logstores_id_seq")) or 0
        if current < highest:
            session.execute(text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :highest)"), sequence)
        return
    name = {"name": LogstoreRow.__tablename__}
    current = session.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), name)
    if current is None:
        session.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :highest)"), {**name, "highest": highest})
    elif current < highest:
        session.execute(text("UPDATE sqlite_sequence SET seq = :highest WHERE name = :name"), {**name, "highest": highest})


def update_logstore(session: Session, logstore: Logstore, ttl: int, options: Mapping[str, Any], now: int) -> Logstore:
    row = session.get_one(LogstoreRow, logstore.id)
    row.ttl, row.options, row.modified = ttl, dict(options), now
    return _logstore(session, row, logstore.project)


def delete_logstore(session: Session, logstore: int) -> None:
    session.add(DropRow(logstore_id=logstore))
    session.execute(delete(LogstoreRow).where(LogstoreRow.id == logstore))


def forget_drop(session: Session, logstore: int) -> None:
    """The table is gone, too."""
    session.execute(delete(DropRow).where(DropRow.logstore_id == logstore))


def set_index(
    session: Session, logstore: int, document: Mapping[str, Any] | None, now: int, *, anew: bool = False, at_once: bool = False
) -> Logstore:
    """Replace, or with None remove, the index. What the engine lacks for it is then being built, unless the table is made `at_once`;
    `anew` builds also what it has."""
    row, owner = session.get(IndexRow, logstore), session.get_one(LogstoreRow, logstore)
    if document is None:
        if row is not None:
            session.delete(row)
    else:
        built, wanted = _indexes(row.built if row else {}), _indexes(row.wanted if row else {})
        numbers = Numbers(owner.columns_made)
        made = indexes_of(document, [] if anew else [built, wanted], numbers)
        owner.columns_made = numbers.made
        row = row or IndexRow(logstore_id=logstore, version=0)
        row.version, row.document, row.modified = row.version + 1, dict(document), now
        row.wanted = _saved(made)
        row.built = row.wanted if at_once or not differ(made, built) else _saved(built)
        session.add(row)
    session.flush()
    return _known_logstore(session, owner)


def restore_index(session: Session, logstore: Logstore) -> Logstore:
    """As it was before a `set_index` that the engine refused; numbers that were given are lost."""
    if logstore.index is None:
        return set_index(session, logstore.id, None, 0)
    row = session.get(IndexRow, logstore.id) or IndexRow(logstore_id=logstore.id, version=0)
    row.document, row.modified = dict(logstore.index), logstore.index_modified
    row.built, row.wanted = (_saved(table) for table in (logstore.table, logstore.building or logstore.table))
    session.add(row)
    session.flush()
    return _known_logstore(session, session.get_one(LogstoreRow, logstore.id))


def index_built(session: Session, logstore: int, built: Indexes) -> Logstore | None:
    """Queries use it from now on; None when it is not what is wanted any more."""
    row = session.get(IndexRow, logstore)
    if row is None or _indexes(row.wanted) != built:
        return None
    row.built = row.wanted
    return _known_logstore(session, session.get_one(LogstoreRow, logstore))


def change_shards(session: Session, logstore: Logstore, closed: Sequence[int], ranges: Sequence[tuple[str, str]], now: int) -> Logstore:
    """The shards `closed` take no more writes; new ones with the next numbers take over the `ranges` of their keys."""
    highest = 0
    for row in session.scalars(select(ShardRow).where(ShardRow.logstore_id == logstore.id)):
        highest = max(highest, row.shard)
        if row.shard in closed:
            row.status, row.closed = "readonly", now
    for shard, (begin, end) in enumerate(ranges, highest + 1):
        session.add(ShardRow(logstore_id=logstore.id, shard=shard, status="readwrite", begin_key=begin, end_key=end, created=now))
    session.flush()
    return _logstore(session, session.get_one(LogstoreRow, logstore.id), logstore.project)


def set_project_quota(session: Session, project: int, quota: Mapping[str, Any]) -> Project:
    row = session.get_one(ProjectRow, project)
    row.quota = dict(quota)
    return _project(row)


def set_logstore_quota(session: Session, logstore: Logstore, quota: Mapping[str, Any]) -> Logstore:
    row = session.get_one(LogstoreRow, logstore.id)
    row.quota = dict(quota)
    return _logstore(session, row, logstore.project)


def _project(row: ProjectRow) -> Project:
    return Project(row.id, row.name, row.description, row.created, row.modified, row.options, row.quota)


def _logstore(session: Session, row: LogstoreRow, project: str) -> Logstore:
    shards = _shards(session, row.id)
    index = session.get(IndexRow, row.id)
    built, wanted = _indexes(index.built if index else {}), _indexes(index.wanted if index else {})
    return Logstore(
        id=row.id,
        project=project,
        name=row.name,
        ttl=row.ttl,
        created=row.created,
        modified=row.modified,
        table=_table(row, len(shards), built),
        shards=tuple(shards),
        options=row.options,
        index=None if index is None else index.document,
        index_modified=0 if index is None else index.modified,
        quota=row.quota,
        building=_table(row, len(shards), wanted) if wanted != built else None,
    )


def _shards(session: Session, logstore: int) -> Sequence[Shard]:
    rows = session.scalars(select(ShardRow).where(ShardRow.logstore_id == logstore).order_by(ShardRow.shard))
    return [
        Shard(row.shard, "readonly" if row.status == "readonly" else "readwrite", row.begin_key, row.end_key, row.created, row.closed)
        for row in rows
    ]


def _known_logstore(session: Session, row: LogstoreRow) -> Logstore:
    return _logstore(session, row, session.get_one(ProjectRow, row.project_id).name)


def _indexes(saved: Mapping[str, Any]) -> Indexes:
    return msgspec.convert(saved, Indexes)


def _saved(indexes: Indexes | TableSpec) -> dict[str, Any]:
    return msgspec.to_builtins(Indexes(indexes.line, indexes.fields))


def _table(row: LogstoreRow, shards: int, indexes: Indexes) -> TableSpec:
    return TableSpec(row.id, row.ttl, shards, line=indexes.line, fields=indexes.fields)
