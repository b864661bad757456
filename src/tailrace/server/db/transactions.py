"""Runs statements on the metadata database: each call is one transaction on a thread of a small pool. The first one of a request that
changes something notes that, too (`db.changes`)."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from tailrace.errors import ApiError, BusyError
from tailrace.server.db.changes import CURRENT, insert
from tailrace.telemetry.redaction import redact_text

Result = TypeVar("Result")
READ_ONLY: Final = "25006"


class Transactions:
    """One per database. `close` ends the engine, too."""

    def __init__(self, engine: Engine, *, threads: int = 4) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._engine.dispose()

    async def run(self, statement: Callable[..., Result], *arguments: object, **keywords: object) -> Result:
        """`statement(session, …)`; what it raises undoes all of it. Raises BusyError where the disk is full or the database away,
        ApiError for what it cannot keep."""
        change = CURRENT.get()

        def transaction() -> Result:
            with _in_our_words(), Session(self._engine, expire_on_commit=False) as session, session.begin():
                row = insert(session, change) if change is not None and change.action and change.row is None else None
                result = statement(session, *arguments, **keywords)
            if change is not None and row is not None:
                change.row = row  # only now: it is undone with the rest
            return result

        return await asyncio.get_running_loop().run_in_executor(self._pool, transaction)


@contextmanager
def _in_our_words() -> Generator[None]:
    """What the database refuses for a reason that somebody can do something about."""
    try:
        yield
    except DataError as error:
        raise ApiError(400, "ParameterInvalid", "a text is too long, or holds characters that cannot be kept") from error
    except (OperationalError, InterfaceError, InternalError) as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise _postgresql_says(error) from error
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise BusyError("the metadata cannot be written: the disk is full", hint="free some space") from error
        raise


def _postgresql_says(error: DBAPIError) -> BusyError:
    """By SQLSTATE: class 08, 57P01 to 57P05 or none at all mean that there is no connection."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if not state or state.startswith(("08", "57P0")):
        return BusyError("the metadata database cannot be reached", hint="is PostgreSQL running?")
    if state == READ_ONLY:
        return BusyError("the metadata database is read-only", hint="`database` has to name the primary, not a standby")
    reason = redact_text(" ".join(str(error.orig).split()))
    return BusyError(f"the metadata database refuses: {reason} (SQLSTATE {state})", hint="see the log of PostgreSQL")
