"""Opens the metadata database, migrated to this release's schema: SQLite in WAL mode, or PostgreSQL.

The format's version is Alembic's revision. An older database is copied before it is migrated, a newer one is refused.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from tailrace.errors import DamagedError, StateError
from tailrace.server.db.migration import bring_up_to_date
from tailrace.server.db.postgresql import open_postgresql
from tailrace.server.settings import Settings

DATABASE = "meta.db"


def open_metadata(settings: Settings) -> Engine:
    """The one that the settings name. Raises NewerFormatError, DamagedError, StateError."""
    if settings.database:
        return open_postgresql(settings.database, threads=settings.database_threads)
    return open_database(settings.server_directory / DATABASE)


def open_database(path: Path) -> Engine:
    """The engine on `path`, which is made when it is not there. Raises NewerFormatError, DamagedError, StateError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _configure_connection)
    try:
        bring_up_to_date(engine, str(path), lambda _, newest: copy_database(path, path.with_name(f"{path.name}.before-{newest}")))
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
