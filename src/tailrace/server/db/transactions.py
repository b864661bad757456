"""Runs statements on the metadata database: each call is one transaction on a thread of a small pool. The first one of a request that
changes something notes that, too (`db.changes`)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

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
        """`statement(session, …)`; what it raises undoes all of it."""
        change = CURRENT.get()

        def transaction() -> Result:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                row = insert(session, change) if change is not None and change.action and change.row is None else None
                result = statement(session, *arguments, **keywords)
            if change is not None and row is not None:
                change.row = row  # only now: it is undone with the rest
            return result

        return await asyncio.get_running_loop().run_in_executor(self._pool, transaction)
