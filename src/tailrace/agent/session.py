"""One life of the worker: from opening the checkpoint to closing it. A fork ends a session and begins the next one.

Threads: one per (target, input key) starts its lanes, after it has replayed what they had prepared; inputs read on threads of their own;
the checkpoint writes on one. Everything else happens on the event loop.
"""

import asyncio
import concurrent.futures
import contextlib
import enum
import threading
import time
from collections.abc import Callable, Container, Coroutine, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from tailrace import telemetry
from tailrace.agent.assembly import Assembly, Built, name_of
from tailrace.agent.checkpoint import Content
from tailrace.agent.control.desk import Desk
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.target import Target
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.inheritance import Inheritance
from tailrace.agent.jobs.onetime import Runs
from tailrace.agent.lanes.lane import Lane, Surroundings
from tailrace.agent.lanes.starting import Starting
from tailrace.agent.lanes.stopping import stop_all
from tailrace.agent.lanes.streams import Entry
from tailrace.agent.spool import Spool
from tailrace.agent.status.held import Held
from tailrace.agent.targets import FINISH_SECS, Targets
from tailrace.errors import StateError, TailraceError
from tailrace.inputs.file import InputFile
from tailrace.inputs.file.generation import FileId, file_of
from tailrace.inputs.file.restore import file_at
from tailrace.pipeline.labels import Machine
from tailrace.pipeline.loading import resolve
from tailrace.pipeline.model import PipelineConfig

STOP_SECS = 5.0
DRAIN_CHECK_SECS = 0.05
LOOK_SECS = 0.5
"""How often targets are looked at for trouble."""
ORPHANS_SECS = 10.0
"""How often it is looked for what pipelines have left behind."""
EXPIRE_CHECK_SECS = 3600.0
EXPIRE_SECS = 30 * 86_400
"""How long the checkpoint keeps a stream that nobody reads any more (the manual's 30 days)."""


T = TypeVar("T")


class End(enum.Enum):
    """Why a session is over."""

    STOPPED = "stopped"
    DRAINED = "drained"
    FORKED = "forked"
    RELOADED = "reloaded"
    """Another one is to begin, with what has changed meanwhile."""
    FAILED = "failed"


class Session:
    """Runs pipelines until told to stop. `pipelines` are resolved."""

    def __init__(
        self,
        content: Content,
        pipelines: Sequence[PipelineConfig],
        identity: AgentIdentity,
        around: Surroundings,
        *,
        home: Path,
        spool: Spool,
        concurrency: int,
        desk: Desk,
        runs: Runs,
    ) -> None:
        """`content` of the checkpoint that is `around`."""
        self._pipelines = pipelines
        self._desk = desk
        self._runs = runs
        self._identity = identity
        self._around = around
        self._streams, self._checkpoint = around.streams, around.checkpoint
        self._spool = spool
        self._letters = DeadLetters(home, spool.cipher)
        self._targets = Targets(
            content,
            spool,
            self._letters,
            self._around,
            identity,
            concurrency=concurrency,
            spawn=self._spawn,
            forked=lambda: self._end(End.FORKED),
            unreadable=self._read_again,
        )
        self.parts = Assembly(self._around, self._targets.make, self._targets.drop)
        self._left = Inheritance(
            content, spool, self._letters, self._around, identity, parts=self.parts, make_target=self._targets.make, take_in=self.take_in
        )
        self._starting = Starting(self._left.replay, self._around.claims, self._left.closed)
        self._tasks: list[asyncio.Task[Any]] = []
        self._identified: set[str] = set()
        self._failures: dict[str, TailraceError] = {}
        """Why pipelines do not run that should, or not in the version that they should."""
        self.changing = asyncio.Lock()
        """Held while pipelines are exchanged: no target is let go meanwhile."""
        self._change: asyncio.Task[bool] | None = None
        self._log = telemetry.logger("agent")
        self.started = threading.Event()
        self._asked: End | None = None
        """How it was told to end."""

    @property
    def lanes(self) -> list[Lane]:
        """All that are at work."""
        return self.parts.lanes

    @property
    def identified_targets(self) -> list[str]:
        """Names of the targets that know our identities."""
        return sorted(self._identified)

    async def run(self) -> End:
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[End] = self._loop.create_future()
        self._loop.set_exception_handler(self._crashed)
        threading.excepthook = self._thread_crashed
        self.started.set()
        if self._asked is not None:
            self._end(self._asked)
        self._checkpoint.start()
        self._build()
        for part in (self._start(), self._expire(), self._look(), self._open_spool(), self._runs.watch(self)):
            self._spawn(part)
        if self._around.finite:
            self._spawn(self._watch_drained())
        try:
            self._targets.set_to_work([*self.parts.targets.values()])
            async with self._desk.open(self._runs, self.dead_letters):
                return await self._over
        finally:
            await self._shut_down()

    def _spawn(self, part: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task whose end by an error is the session's end."""
        task = asyncio.create_task(part)
        self._tasks.append(task)
        task.add_done_callback(self._task_done)
        return task

    def change(self, how: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
        """Let `how` change what runs, on the event loop; from any other thread. What it returned; False, too, when the session is not at
        work, or ends meanwhile."""
        changed: concurrent.futures.Future[bool] = concurrent.futures.Future()

        def begin() -> None:
            if self._over.done():
                changed.set_result(False)
                return
            self._change = task = asyncio.create_task(how())
            task.add_done_callback(lambda task: changed.set_result(not task.cancelled() and not task.exception() and task.result()))
            task.add_done_callback(self._task_done)

        if not self.started.is_set():
            return False
        with contextlib.suppress(RuntimeError):  # its loop is closed: it is over
            self._loop.call_soon_threadsafe(begin)
        while not self._loop.is_closed():
            with contextlib.suppress(TimeoutError):
                return changed.result(LOOK_SECS)
        return False

    def stop(self, end: End = End.STOPPED) -> None:
        """From any thread or signal handler, also before it runs and after its end."""
        self._asked = self._asked or end
        if self.started.is_set():
            with contextlib.suppress(RuntimeError):  # its loop is closed: it is over
                self._loop.call_soon_threadsafe(self._end, end)

    def _end(self, end: End) -> None:
        if not self._over.done():
            self._over.set_result(end)

    # --- building ---------------------------------------------------------------------------------------------------------------
    def _build(self) -> None:
        for pipeline in self._pipelines:
            try:
                self._put(self.parts.build(pipeline))
            except TailraceError as error:
                self.refuse(pipeline.name, error)
        if self._failures and not self.parts.groups and not self._identity.servers:
            raise next(iter(self._failures.values()))
        self._show()

    def machine_is(self, machine: Machine) -> None:
        """Pipelines that are built from now on label with this."""
        self._around.machine = machine

    def refuse(self, pipeline: str, error: TailraceError) -> None:
        """It does not run, or not in the version that it should."""
        self._failures[pipeline] = error
        telemetry.alarm("USER_CONFIG_ALARM", "cannot run the pipeline", pipeline=pipeline, reason=error.message)

    def content(self, pipeline: str) -> None:
        """It runs as it should."""
        if self._failures.pop(pipeline, None) is not None:
            telemetry.resolved("USER_CONFIG_ALARM", pipeline=pipeline)

    def _put(self, built: Built) -> None:
        self._identified |= {one.flusher.destination for one in built.targets.values() if one.flusher.recognises_repeats}
        self.parts.put(built)
        for target in built.targets.values():
            if target not in self._targets:
                self._left.take_on(target)

    def _show(self) -> None:
        self._desk.overview.lanes = self.lanes
        self._desk.overview.targets = list(self.parts.targets.values())

    # --- while it runs ----------------------------------------------------------------------------------------------------------
    async def add(self, pipeline: PipelineConfig) -> None:
        """Start one more pipeline beside those that run. ConfigErrors when it cannot run here."""
        await self.take_in(self.parts.build(resolve(pipeline, self._around.policy)))

    async def take_in(self, built: Built) -> None:
        """Start what was built."""
        self._put(built)
        self._show()
        self._targets.set_to_work(built.targets.values())
        for lane in built.lanes:
            self._spawn(self._start_lanes([lane]))

    async def remove(self, pipeline: str) -> list[Lane]:
        """Stop a pipeline. What it has put in is still sent; its lanes know when that is done."""
        return await self.remove_all([pipeline])

    async def remove_all(self, pipelines: Iterable[str], *, coming_back: Container[str] = ()) -> list[Lane]:
        """Stop pipelines, for good or, those that are `coming_back`, until their next version takes their place."""
        deadline = time.monotonic() + STOP_SECS
        by_name = {name: [lane for lane in self.lanes if lane.pipeline == name] for name in pipelines}
        stopped = [*chain.from_iterable(by_name.values())]
        await stop_all(stopped, lambda lane: lane.make_way(deadline))
        for name, lanes in by_name.items():
            self.parts.take_out(lanes, come_back=name in coming_back)
            for failure in [lane.failure for lane in lanes if lane.failure]:
                self._failures[name] = StateError(failure)
            telemetry.resolved("", "CONFIG_UPDATE_ALARM", pipeline=name)
        self._show()
        return stopped

    def outcome(self, pipeline: str) -> str | None:
        """Why a pipeline does not run, "" when it does, None while that is not known yet. From any thread."""
        if (refused := self._failures.get(pipeline)) is not None:
            return refused.message
        lanes = [lane for lane in self.lanes if lane.pipeline == pipeline]
        failure = next((lane.failure for lane in lanes if lane.failure), "")
        return failure or ("" if lanes and all(lane.started for lane in lanes) else None)

    def collected(self, pipeline: PipelineConfig) -> set[FileId]:
        """The files that `input_file` has read for the pipeline's targets, wholly or in part."""
        plugins = resolve(pipeline, self._around.policy).flushers
        targets = {name for one in plugins for name in self._targets.destinations(one, self.parts.targets.get(name_of(one)))}
        states = [state for target in targets for state in self._streams.states(target, InputFile.key)]
        read = [state for state in states if state.next.get("offset") or "copy" in state.next]
        return {file for state in read for file in (file_of(state.key), file_at(state.key, state.next)[0])}

    async def settled(self) -> None:
        """What was acknowledged is durable."""
        durable = asyncio.Event()
        self._checkpoint.barrier(lambda: self._loop.call_soon_threadsafe(durable.set))
        await durable.wait()

    def _read_again(self, target: Target, entry: Entry) -> None:
        """A range has lost its payloads: whoever can reads it from its source."""
        self._left.read_again(target, entry)

    def dead_letters(self, question: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What targets refused for what it is; with `resend` it is sent again. On a thread of the desk. BusyError, StateError."""
        return self._left.resending.rows(loop=self._loop, resend=bool(question.get("resend")))

    async def _look(self) -> None:
        """Whether targets are in trouble, and the agent at its limits."""
        held, orphans_at = Held(), time.monotonic() + ORPHANS_SECS
        while True:
            await asyncio.sleep(LOOK_SECS)
            held.look(self._around.guard.limited_by, time.monotonic())
            for target in self.parts.targets.values():
                target.look()
            if not self.changing.locked():
                await self._let_targets_go()
                if self._left.orphans.looked and time.monotonic() >= orphans_at:
                    orphans_at = time.monotonic() + ORPHANS_SECS
                    await self._left.orphans.look()

    async def _let_targets_go(self) -> None:
        """Those that no pipeline has any more, and that have delivered all that they had."""
        for target in self.parts.take_idle_targets():
            await self._targets.let_go(target)
            self._show()

    # --- starting ---------------------------------------------------------------------------------------------------------------
    async def _start(self) -> None:
        """Start all lanes; those whose server must be asked first wait for its answer, the others do not."""
        groups = list(self.parts.groups.values())
        starting = [self._spawn(self._start_lanes([*group.lanes])) for group in groups]
        await asyncio.sleep(0)  # all that need not wait are being started
        self._around.supervision.at_work()
        await self._left.orphans.look()
        self._log.info("agent is at work", pipelines=len(self._pipelines), targets=len(self.parts.targets))
        await asyncio.gather(*starting)

    async def _start_lanes(self, lanes: Sequence[Lane]) -> None:
        """Of one group; until they have taken up what was known of their streams."""
        await self._left.settle(lanes)
        await self._starting.start(lanes).wait()
        overview = self._desk.overview
        if await self._left.catching_up.taken_up(lanes) and not (overview.idle() or overview.set_aside):  # else not all targets are known
            self._left.catching_up.look(target for target, _ in self.parts.groups)

    async def _open_spool(self) -> None:
        """As soon as more of the spool can be read, another session begins with it."""
        if await self._left.more_can_be_read():
            self._end(End.RELOADED)

    async def _expire(self) -> None:
        """From time to time; the first time late enough for inputs to have taken up what is theirs."""
        while True:
            await asyncio.sleep(EXPIRE_CHECK_SECS)
            if self._failures or any(lane.failure or lane.waits_for for lane in self.lanes):
                continue  # which streams are a failed pipeline's is not always known: nothing of it may be forgotten
            for id_ in self._streams.expire(int(time.time()) - EXPIRE_SECS):
                self._checkpoint.forget(id_)

    # --- ending -----------------------------------------------------------------------------------------------------------------
    async def _watch_drained(self) -> None:
        while not (all(lane.failure or lane.input.drained for lane in self.lanes) and await self._idle() and self._runs.over(self.lanes)):  # noqa: ASYNC110 - inputs are threads
            await asyncio.sleep(DRAIN_CHECK_SECS)
        self._end(End.FAILED if self._failures or any(lane.failure for lane in self.lanes) else End.DRAINED)

    async def _idle(self) -> bool:
        await asyncio.sleep(0)  # what threads handed over before is queued behind this
        return self._left.orphans.idle and all(target.idle for target in self.parts.targets.values())

    async def _shut_down(self) -> None:
        """Stop reading, send what can be sent at once, make everything durable."""
        if self._change is not None:
            self._change.cancel()
            await asyncio.gather(self._change, return_exceptions=True)
        deadline = time.monotonic() + STOP_SECS
        former = self._left.stop()
        await stop_all([*self.lanes, *former], lambda lane: lane.stop(deadline))
        await self._left.resending.stop()
        await asyncio.gather(*(target.finish(FINISH_SECS) for target in self.parts.targets.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        keep = self._over.done() and self._over.result() in (End.STOPPED, End.RELOADED)  # who sends it next may have no such pipeline
        await self._targets.close(self.parts.targets.values(), keep=keep)
        await asyncio.to_thread(self._checkpoint.stop)
        self._spool.close()
        self._letters.close()

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    def _crashed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        self._fail(error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))

    def _thread_crashed(self, args: "threading.ExceptHookArgs") -> None:
        self._loop.call_soon_threadsafe(self._fail, args.exc_value or RuntimeError("a thread ended"), args.thread)

    def _fail(self, error: BaseException, thread: threading.Thread | None = None) -> None:
        """A part died: nothing goes on half alive, what is not acknowledged is read again. The supervisor is told whose it was."""
        for lane in [one for one in self.lanes if thread is not None and one.runs_on(thread)]:
            self._around.supervision.failed(lane.pipeline, lane.version, f"{type(error).__name__}: {error}")
        self._log.error("the agent stops because a part of it failed", exc_info=error)
        self._end(End.FAILED)
