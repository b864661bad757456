"""Runs statements on the metadata database: each call is one transaction on a thread of a small pool. The first one of a request that
changes something notes that, too (`db.changes`)."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from tailrace.errors import ApiError, BusyError
from tailrace.server.db.changes import CURRENT, insert

Result = TypeVar("Result")


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
    except (OperationalError, InterfaceError) as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise BusyError("the metadata database cannot be reached", hint="is PostgreSQL running?") from error
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise BusyError("the metadata cannot be written: the disk is full", hint="free some space") from error
        raise
