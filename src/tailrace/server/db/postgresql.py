"""The metadata in PostgreSQL: for one server at a time, and migrated like SQLite, after a copy of the tables in a schema of their own."""

from typing import Final

from sqlalchemy import Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from tailrace.errors import StateError
from tailrace.server.db.holding import CONNECTION, Hold
from tailrace.server.db.migration import bring_up_to_date
from tailrace.telemetry.redaction import redact_text

PATIENCE_SECS: Final = 15.0
"""So long a server that was killed may still hold the lock: until PostgreSQL has noticed."""


def open_postgresql(url: str, *, threads: int) -> Engine:
    """The engine on `postgresql://…`. It holds the database for this server until it is disposed of.

    Raises NewerFormatError; StateError when it cannot be reached, or another server has it.
    """
    engine = connect(url, threads=threads)
    try:
        _claim(engine)
        migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        reason = redact_text(" ".join(str(error.orig).split()))
        raise StateError(
            f"cannot use the metadata in `{_shown(engine)}`: {reason}", hint="is it running, and the address right?"
        ) from error
    except StateError:
        engine.dispose()
        raise
    return engine


def connect(url: str, *, threads: int) -> Engine:
    """An engine that has not connected yet. Raises StateError for what is no address."""
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
        return create_engine(address, pool_size=threads, max_overflow=2, pool_pre_ping=True, connect_args=dict(CONNECTION))
    except (ArgumentError, NoSuchModuleError) as error:
        raise StateError("`database` is no address of a database", hint="it looks like `postgresql://user@host/name`") from error
    except ImportError as error:
        raise StateError("the driver of PostgreSQL is not installed", hint="pip install 'tailrace[postgresql]'") from error


def migrate(engine: Engine) -> None:
    """Raises NewerFormatError."""
    bring_up_to_date(engine, _shown(engine), _copy)


def _claim(engine: Engine) -> None:
    """For as long as the engine lives. Raises StateError when another server has the database."""
    if not Hold(engine).take(PATIENCE_SECS):
        message = f"another server uses the metadata in `{_shown(engine)}`"
        raise StateError(message, hint="stop it first, or give each server a database of its own")


def _copy(engine: Engine, newest: str) -> None:
    """All tables as they are, in the schema `before_NNNN`; one that is there already is kept, as it is the older one."""
    schema = f"before_{newest}"
    with engine.begin() as connection:
        known = inspect(connection)
        if schema in known.get_schema_names():
            return
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
        for table in known.get_table_names():
            connection.execute(text(f'CREATE TABLE "{schema}"."{table}" AS TABLE "{table}"'))


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
