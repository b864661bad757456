"""Watches over one-time runs: takes on imports, notes how far each run is, and ends it when everything of it is acknowledged.

What it needs to take one on (`importing`) is loaded then: most agents never do.
"""

import asyncio
import concurrent.futures
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from tailrace import telemetry
from tailrace.agent.jobs.jobs import Job, Jobs, State, read_notes
from tailrace.agent.jobs.local_event import LocalEvents
from tailrace.agent.lanes.lane import Lane
from tailrace.errors import StateError, TailraceError, UsageError
from tailrace.inputs.file.generation import FileId
from tailrace.pipeline.contract import OneTime, Progress
from tailrace.pipeline.loading import from_canonical
from tailrace.pipeline.model import PipelineConfig
from tailrace.pipeline.platform import Platform

if TYPE_CHECKING:
    from tailrace.agent.jobs.importing import Request

LOOK_SECS: Final = 0.25
"""While something runs."""
SAVE_SECS: Final = 5.0
LOCAL_EVENT_SECS: Final = 10.0
POSTPONED_SECS: Final = 10.0


class Running(Protocol):
    """The session, as far as runs go. Its methods belong to the event loop."""

    @property
    def lanes(self) -> Sequence[Lane]: ...
    async def add(self, pipeline: PipelineConfig) -> None: ...
    async def remove(self, pipeline: str) -> object: ...
    async def settled(self) -> None:
        """What was acknowledged is durable."""
        ...

    def collected(self, pipeline: PipelineConfig) -> set[FileId]:
        """The files that a pipeline has read, wholly or in part, in this run of the agent or before."""
        ...


@dataclass(frozen=True, slots=True)
class First:
    """An import that is the only purpose of a session. `begun` is told the row of its run."""

    question: Mapping[str, Any]
    begun: Callable[[dict[str, Any]], object]


class Runs:
    """One session's. `pipelines` are the agent's own, unresolved."""

    def __init__(
        self, jobs: Jobs, pipelines: Sequence[PipelineConfig], platform: Platform, *, events: LocalEvents | None, first: First | None = None
    ) -> None:
        self.jobs = jobs
        self.refused: TailraceError | None = None
        """Why `first` could not be taken on."""
        self._events = events
        self._first = first
        self._pipelines = pipelines
        self._platform = platform
        self._taking = asyncio.Lock()
        self._session: Running | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._saved_at = 0.0

    # --- taking on, from any thread ---------------------------------------------------------------------------------------------
    def ask(self, question: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The question `import`: the row of the new run. UsageError, ConfigErrors."""
        from tailrace.agent.jobs.importing import Request  # noqa: PLC0415

        return [self.begin(Request.of(dict(question)), again=bool(question.get("again")))]

    @property
    def is_ready(self) -> bool:
        """Whether a run can be taken on now."""
        return self._loop is not None

    def begin(self, request: "Request", *, again: bool) -> dict[str, Any]:
        """The row of the new run. UsageError, ConfigErrors, StateError."""
        return self._on_loop(lambda: self.take_on(request, again=again))

    def rows(self) -> list[dict[str, Any]]:
        return self._on_loop(self._rows)

    def _on_loop(self, call: Callable[[], Any]) -> Any:
        async def run() -> Any:
            found = call()
            return await found if asyncio.iscoroutine(found) else found

        if self._loop is None:
            raise UsageError("the agent is still starting", hint="ask again in a moment")
        loop, asked = self._loop, run()
        try:
            found = asyncio.run_coroutine_threadsafe(asked, loop)
        except RuntimeError:  # its loop is closed
            asked.close()
            raise _over() from None
        while not (found.done() or loop.is_closed()):
            concurrent.futures.wait([found], LOOK_SECS)
        if not found.done() or found.cancelled():
            raise _over()
        return found.result()

    # --- on the event loop ------------------------------------------------------------------------------------------------------
    async def take_on(self, request: "Request", *, again: bool = False) -> dict[str, Any]:
        """Make a run durable and start it."""
        async with self._taking:  # two at once would not know each other's files
            return await self._take_on(request, again=again)

    async def _take_on(self, request: "Request", *, again: bool) -> dict[str, Any]:
        from tailrace.agent.jobs.importing import files_of, job_of  # noqa: PLC0415

        assert self._session is not None, "questions are answered only while a session runs"
        job = await asyncio.to_thread(job_of, request, self._pipelines)
        files = await asyncio.to_thread(files_of, from_canonical(job.config), self._platform)
        if not files:
            raise UsageError(f"there is no file to import: `{', '.join(request.paths)}`", hint="the paths are those of the agent's machine")
        skipped = [] if again else await self._known(job, files, self._session)
        if len(skipped) == len(files):
            raise UsageError(
                f"all of it has been collected already by the pipeline `{job.base}`: `{skipped[0]}`", hint="`--again` imports it once more"
            )
        if skipped:
            job = job_of(replace(request, pipeline=job.base, id=job.id, excluded=skipped), self._pipelines)
        self.jobs.note_files(job, [files[path] for path in files.keys() - skipped])
        self.jobs.add(job)
        try:
            await self._session.add(from_canonical(job.config))
        except TailraceError:
            with contextlib.suppress(StateError):  # then the next start tries it once more
                self.jobs.finish(job, "cancelled")
            raise
        telemetry.logger("agent.import").info("import begins", run=job.id, pipeline=job.base, files=len(files) - len(skipped))
        return {**job.row(), "files": len(files) - len(skipped), "skipped": skipped}

    async def _known(self, job: Job, files: Mapping[str, str], session: Running) -> list[str]:
        from tailrace.agent.jobs.importing import known  # noqa: PLC0415

        imported = await asyncio.to_thread(read_notes, self.jobs.notes(job.base))
        return known(files, session.collected(from_canonical(job.config)), imported)

    @asynccontextmanager
    async def change(self, pipelines: Sequence[PipelineConfig]) -> AsyncGenerator[tuple[list[PipelineConfig], Collection[str]]]:
        """The agent has other pipelines now: those that have to run, and the names of what is imported. Within it no run begins or ends."""
        async with self._taking:
            self._pipelines, self.jobs.postponed = pipelines, []
            own = self.jobs.own(pipelines)
            yield own, {job.pipeline for job in self.jobs.running if job.config}

    async def watch(self, session: Running) -> None:
        """Until cancelled."""
        self._session = session
        self._loop = loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        self.jobs.changed = lambda: loop.call_soon_threadsafe(changed.set)
        try:
            if self._first is not None:
                await self._begin(self._first)
            await self._watch(session, changed)
        finally:
            self.jobs.changed = lambda: None

    async def _watch(self, session: Running, changed: asyncio.Event) -> None:
        looked_at, tried_at = -math.inf, time.monotonic()
        while True:
            changed.clear()
            if self.jobs.postponed and time.monotonic() - tried_at >= POSTPONED_SECS:
                tried_at = time.monotonic()
                await self._begin_postponed(session)
            if self._events is not None and time.monotonic() - looked_at >= LOCAL_EVENT_SECS:
                looked_at = time.monotonic()
                await self._take_events(self._events)
            for job in self.jobs.running:
                try:
                    await self._look(job, session)
                except StateError as error:  # the checkpoint has what counts: at worst the next start looks at the run once more
                    telemetry.alarm("LOAD_LOCAL_EVENT_ALARM", "cannot note how far a one-time run is", run=job.id, reason=error.message)
            due_at = [looked_at + LOCAL_EVENT_SECS] if self._events is not None else []
            due_at += [tried_at + POSTPONED_SECS] if self.jobs.postponed else []
            due_at += [time.monotonic() + LOOK_SECS] if self.jobs.running else []
            with contextlib.suppress(TimeoutError):  # with nothing at work nothing is looked at
                async with asyncio.timeout_at(min(due_at) if due_at else None):
                    await changed.wait()

    def over(self, lanes: Sequence[Lane]) -> bool:
        """Whether nothing of a run is at work, nor about to be."""
        running = {job.pipeline for job in self.jobs.running}
        return self._first is None and not self.jobs.postponed and not any(lane.pipeline in running for lane in lanes)

    async def _begin(self, first: First) -> None:
        from tailrace.agent.jobs.importing import Request  # noqa: PLC0415

        try:
            first.begun(await self.take_on(Request.of(dict(first.question)), again=bool(first.question.get("again"))))
        except TailraceError as error:
            self.refused = error
        self._first = None

    async def _begin_postponed(self, session: Running) -> None:
        for pipeline in self.jobs.take_postponed():
            try:
                await session.add(pipeline)
            except TailraceError as error:
                telemetry.alarm("USER_CONFIG_ALARM", "cannot run the pipeline", pipeline=pipeline.name, reason=error.message)

    async def _take_events(self, events: LocalEvents) -> None:
        try:
            requests = events.requests()
        except (OSError, ValueError, TypeError) as error:
            self._tell(events, "cannot load the local event file", reason=str(error))
            return
        refused: list[Request] = []
        for request in requests:
            if request.id in self.jobs.all:
                continue
            try:
                row = await self.take_on(request)
            except TailraceError as error:
                refused.append(request)
                message = "cannot take on a local event; it stays in the file"
                self._tell(events, message, files=request.paths[0], pipeline=request.pipeline, reason=error.message)
            else:
                self._tell(events, "process local event: history is imported", files=request.paths[0], run=row["name"])
        if requests:
            try:
                events.settle(refused)
            except OSError as error:  # nothing is taken on twice: a run's id follows from the file
                self._tell(events, "cannot empty the local event file", reason=str(error))

    def _tell(self, events: LocalEvents, message: str, **values: object) -> None:
        telemetry.alarm("LOAD_LOCAL_EVENT_ALARM", message, path=str(events.path), **values)

    async def _look(self, job: Job, session: Running) -> None:
        lanes = [lane for lane in session.lanes if lane.pipeline == job.pipeline]
        self._note(job, lanes)
        if any(lane.failure for lane in lanes):
            await self._end(job, session, "failed")
        elif lanes and all(lane.input.drained and lane.idle for lane in lanes):
            await session.settled()
            await self._end(job, session, "done", lanes)
            telemetry.logger("agent.import").info("a one-time run is done", run=job.id, **(job.progress or {}))
        elif job.deadline is not None and time.time() >= job.deadline:
            await self._end(job, session, "timed out")
            telemetry.alarm("USER_CONFIG_ALARM", "a one-time run took longer than `ExcutionTimeout` and was ended", pipeline=job.pipeline)
        elif time.monotonic() - self._saved_at > SAVE_SECS:
            self._saved_at = time.monotonic()
            self.jobs.save(job)

    async def _end(self, job: Job, session: Running, state: State, lanes: Sequence[Lane] = ()) -> None:
        async with self._taking:
            await session.remove(job.pipeline)
            self._note(job, lanes)
            self.jobs.finish(job, state)

    def _note(self, job: Job, lanes: Sequence[Lane]) -> None:
        """The progress of the lane that is furthest behind."""
        found = [lane.input.progress() for lane in lanes if isinstance(lane.input, OneTime)]
        if found:
            job.progress = asdict(min(found, key=_share))

    def _rows(self) -> list[dict[str, Any]]:
        return self.jobs.rows()


def _over() -> StateError:
    return StateError("the agent begins anew, or ends", hint="ask again in a moment")


def _share(progress: Progress) -> float:
    return progress.bytes_done / progress.bytes if progress.bytes else 1.0
