"""Keeps the agents' reports in the database, and gives up the agents that were silent for too long."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tailrace import telemetry
from tailrace.errors import TailraceError
from tailrace.server.db.roster import Roster
from tailrace.server.db.tables import ReportRow
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet.alongside import alongside
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.reports import Reports

SAVE_SECS: Final = 10.0
BEATS_SECS: Final = 300.0
"""How old the time of the last beat may be that a restart finds: it counts in days."""
RETIRE_LOOK_SECS: Final = 60.0
AT_ONCE: Final = 500
"""Rows of one statement."""

log = telemetry.logger("server.fleet")


class ReportKeeper:
    """One per server."""

    def __init__(self, transactions: Transactions, reports: Reports, roster: Roster) -> None:
        self._run = transactions.run
        self._reports = reports
        self._roster = roster

    async def open(self) -> None:
        """Of agents that are enrolled. What another release wrote is forgotten: its agents say it again."""
        found: list[Report] = []
        for document, last_beat in await self._run(_load):
            try:
                report = Report.of({**document, "last_beat": last_beat})
            except (KeyError, TypeError, ValueError):
                continue
            if self._roster.agent(report.agent) is not None:
                found.append(report)
        self._reports.restore(found)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Within it what changes is kept; all of it at the end."""
        try:
            async with alongside(self._save_on()):
                yield
        finally:
            await self.save(beats=True)

    async def _save_on(self) -> None:
        loop = asyncio.get_running_loop()
        beats_at, retire_at = loop.time() + BEATS_SECS, loop.time()
        while True:
            if loop.time() >= retire_at:
                retire_at = loop.time() + RETIRE_LOOK_SECS
                for agent in self._reports.retire():
                    log.info("an agent was silent for too long and is given up", agent=agent)
            beats = loop.time() >= beats_at
            beats_at = loop.time() + BEATS_SECS if beats else beats_at
            await self.save(beats=beats)
            await asyncio.sleep(SAVE_SECS)

    async def save(self, *, beats: bool) -> None:
        """What has changed; with `beats` when each agent was heard of last, too."""
        changed, self._reports.unsaved = self._reports.unsaved, set()
        reports = [report for agent in changed if (report := self._reports.get(agent)) is not None]
        heard = {report.agent: report.last_beat for report in self._reports if report.agent not in changed} if beats else {}
        if not changed and not heard:
            return
        try:
            await self._run(_save, sorted(changed), reports, heard)
        except (TailraceError, SQLAlchemyError) as error:  # the agents are in memory; a server that starts again asks them once more
            self._reports.unsaved |= changed
            log.warning("cannot keep what agents say of themselves", reason=str(error))


def _load(session: Session) -> list[tuple[dict[str, Any], int]]:
    return [(row.document, row.last_beat) for row in session.scalars(select(ReportRow))]


def _save(session: Session, changed: list[str], reports: list[Report], heard: dict[str, int]) -> None:
    """Documents are made here, off the event loop: of a whole fleet they take long."""
    documents = [{"agent_id": one.agent, "document": one.document(), "last_beat": one.last_beat} for one in reports]
    for start in range(0, len(changed), AT_ONCE):
        session.execute(delete(ReportRow).where(ReportRow.agent_id.in_(changed[start : start + AT_ONCE])))
    if documents:
        session.execute(insert(ReportRow), documents)
    known = set(session.scalars(select(ReportRow.agent_id))) if heard else set[str]()
    rows = [{"agent_id": agent, "last_beat": at} for agent, at in heard.items() if agent in known]
    if rows:
        session.execute(update(ReportRow), rows)
