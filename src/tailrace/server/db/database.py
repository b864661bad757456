"""Opens the metadata database: SQLite in WAL mode, migrated to this release's schema.

The format's version is Alembic's revision. An older database is copied before it is migrated, a newer one is refused.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from tailrace.errors import DamagedError, NewerFormatError, StateError
from tailrace.server.db.migration import known_revisions, revision_of, upgrade


def open_database(path: Path) -> Engine:
    """The engine on `path`, which is made when it is not there. Raises NewerFormatError, DamagedError, StateError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _configure_connection)
    try:
        migrate(engine, path)
    except DatabaseError as error:
        engine.dispose()
        raise DamagedError(
            f"cannot open the metadata `{path}`: {error.orig}",
            hint="restore it from a copy (`meta.db.before-*` beside it) or from a backup",
        ) from error
    except StateError:
        engine.dispose()
        raise
    return engine


def migrate(engine: Engine, path: Path) -> None:
    """Bring the database to the newest revision that this release knows."""
    known = known_revisions()
    newest, current = known[-1], revision_of(engine)
    if current == newest:
        return
    if current is not None and current not in known:
        raise NewerFormatError(
            f"the metadata `{path}` has format {current}, this release knows formats up to {newest}",
            hint="start the release that wrote it, or a newer one",
        )
    if current is not None:
        copy_database(path, path.with_name(f"{path.name}.before-{newest}"))
    upgrade(engine)


def copy_database(source: Path, target: Path) -> None:
    """An online copy, readable by the owner only; a copy that is there already is kept, as it is the older one."""
    if target.exists():
        return
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(partial)) as writing:
        reading.backup(writing)
    partial.replace(target)


def _configure_connection(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
