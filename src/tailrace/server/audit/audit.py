"""Records changes: around a request, or one that happens by itself."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.db import changes
from tailrace.server.db.changes import CURRENT, DONE, INTERRUPTED, Change
from tailrace.server.db.transactions import Transactions

CHANGES = telemetry.counter("tailrace_changes_total", "Changes in the audit log.", "outcome")


class Audit:
    """One per server. `written` is set when there is something to ship."""

    def __init__(self, transactions: Transactions) -> None:
        self._run = transactions.run
        self.written = asyncio.Event()

    async def open(self) -> None:
        """What was going on when the server died gets its outcome."""
        await self._run(changes.interrupted)
        self.written.set()

    @asynccontextmanager
    async def recording(self, change: Change) -> AsyncGenerator[Change]:
        """What happens inside is this change. Its first statement notes it in the database; here it gets its outcome: its own, or that of
        the error. What was refused before anything was changed leaves no record."""
        token = CURRENT.set(change)
        outcome = INTERRUPTED
        try:
            yield change
            outcome = change.outcome or DONE
        except TailraceError as error:
            outcome = error.error_code if isinstance(error, ApiError) else error.code
            raise
        finally:
            CURRENT.reset(token)
            change.outcome = outcome
            if change.row is not None or (outcome == DONE and change.action):
                await self._end(change)

    async def record(  # noqa: PLR0917
        self, who: str, action: str, project: str = "", resource: str = "", before: Any = None, after: Any = None
    ) -> None:
        """A change that no request makes: a rollout that stops by itself, something that expires. It is on the disk when this returns."""
        await self._end(Change(who, action=action, project=project, resource=resource, before=before, after=after, outcome=DONE))

    async def _end(self, change: Change) -> None:
        await self._run(changes.end, change)
        CHANGES.labels(outcome="done" if change.outcome == DONE else "failed").inc()
        self.written.set()
