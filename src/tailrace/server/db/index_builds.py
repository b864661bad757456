"""Indexes on their way: each change of one is a task beside everything else that fills it, lets queries use it, and clears up.

Which index is wanted and which is in use stands in the metadata, so that a task that was interrupted is simply begun again: every step of
it can be done twice.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tailrace import telemetry
from tailrace.errors import TailraceError
from tailrace.server.db.records import Logstore
from tailrace.server.store.port import Filling, Store, TableSpec

PATIENCE_SECS = 5.0
"""How long whoever changes an index waits for it to be in use."""
GRACE_SECS = 10.0
"""Between the moment when queries use the new index and the one when the old is taken away: requests that ask several questions, one after
the other, read beforehand which index there is."""
RETRY_SECS = 5.0

log = telemetry.logger("server.index")
_left = telemetry.gauge("tailrace_index_unbuilt_rows", "Rows from before that new indexes do not hold yet.")


@dataclass(frozen=True, slots=True)
class Build:
    """How far one is. `started` is in Unix seconds."""

    started: float
    filling: Filling = field(default_factory=Filling)


@dataclass(slots=True)
class _Job:
    build: Build
    in_use: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class IndexBuilds:
    """Of one catalog. `built` is told which index is filled; it makes queries use it."""

    def __init__(self, store: Store, built: Callable[[TableSpec], Awaitable[None]], *, grace_secs: float = GRACE_SECS) -> None:
        self._store = store
        self._built = built
        self._grace_secs = grace_secs
        self._jobs: dict[int, _Job] = {}

    def start(self, logstore: Logstore, *, narrow: bool = False) -> None:
        """Build what the logstore wants; `narrow`: or take away what it does not."""
        if logstore.building is None and not narrow:
            return
        job = self._jobs[logstore.id] = _Job(Build(time.time()))
        job.task = asyncio.create_task(self._run(logstore, job), name=f"index-{logstore.id}")
        job.task.add_done_callback(lambda _: self._done(logstore.id, job))
        self._count()

    def progress(self, logstore: int) -> Build | None:
        """Of one that is being built; None where queries use what is wanted."""
        job = self._jobs.get(logstore)
        return None if job is None or job.in_use.is_set() else job.build

    async def wait(self, logstore: int, seconds: float = PATIENCE_SECS) -> None:
        """Until queries use what is wanted, or that long."""
        job = self._jobs.get(logstore)
        if job is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(job.in_use.wait(), seconds)

    async def give_up(self, logstore: int) -> None:
        """Another index is wanted, or none."""
        job = self._jobs.pop(logstore, None)
        if job is not None and job.task is not None:
            job.in_use.set()
            job.task.cancel()
            await asyncio.wait([job.task])

    async def stop(self) -> None:
        for logstore in list(self._jobs):
            await self.give_up(logstore)

    # --- a job --------------------------------------------------------------------------------------------------------------------
    async def _run(self, logstore: Logstore, job: _Job) -> None:
        wanted = logstore.building
        if wanted is not None:
            await self._until_done(job, lambda: self._build(logstore.table, wanted, job))
            log.info("an index is built and in use", logstore=logstore.id, seconds=round(time.time() - job.build.started, 3))
        job.in_use.set()
        self._count()
        await asyncio.sleep(self._grace_secs)
        await self._until_done(job, lambda: self._store.narrow(wanted or logstore.table))

    async def _build(self, old: TableSpec, wanted: TableSpec, job: _Job) -> None:
        def note(filling: Filling) -> None:
            job.build = replace(job.build, filling=filling)
            self._count()

        await self._store.widen(wanted)
        await self._store.fill(wanted, old, note)
        await self._built(wanted)

    async def _until_done(self, job: _Job, step: Callable[[], Awaitable[None]]) -> None:
        """An engine that is being restarted, or has no room, is asked again."""
        while True:
            try:
                return await step()
            except TailraceError as error:
                filling = replace(job.build.filling, trouble=error.message[:500])
                job.build = replace(job.build, filling=filling)
                log.warning("an index cannot be changed now", reason=error.message[:500], next_try_secs=RETRY_SECS)
                await asyncio.sleep(RETRY_SECS)

    def _done(self, logstore: int, job: _Job) -> None:
        if self._jobs.get(logstore) is job:
            del self._jobs[logstore]
        self._count()

    def _count(self) -> None:
        fillings = [job.build.filling for job in self._jobs.values() if not job.in_use.is_set()]
        _left.set(sum(filling.rows - filling.done for filling in fillings))
