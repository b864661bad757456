"""Which database the tests of the metadata run on: SQLite, or PostgreSQL where the environment names one (`tests/peers`)."""

import hashlib
import os
from pathlib import Path

import sqlalchemy

from tailrace.server.db.database import open_database
from tailrace.server.db.postgresql import connect, migrate

SERVER = os.environ.get("TAILRACE_TEST_POSTGRESQL", "")
"""`postgresql://user@host:port`, without a database."""


def open_for_test(path: Path) -> sqlalchemy.Engine:
    """As a server opens its metadata, and again while it is open."""
    if not SERVER:
        return open_database(path)
    engine = connect(address_of(path), threads=2)
    migrate(engine)
    return engine


def address_of(path: Path) -> str:
    """Of the database that stands for the file `path`, which is made when it is not there."""
    name = "t" + hashlib.sha256(str(path).encode()).hexdigest()[:24]
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(f"{SERVER}/postgres").set(drivername="postgresql+psycopg"),
        poolclass=sqlalchemy.NullPool,
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        known = connection.scalar(sqlalchemy.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
        if not known:
            connection.execute(sqlalchemy.text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return f"{SERVER}/{name}"
