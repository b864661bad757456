"""The worker process: owns a home, and runs sessions on it until it is stopped."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from tailrace import telemetry
from tailrace.agent.changing import change
from tailrace.agent.checkpoint import Opened, open_checkpoint
from tailrace.agent.control.commands import Commands, Doer
from tailrace.agent.control.desk import Desk
from tailrace.agent.control.doers import Diagnosing, Importing, LogLevels, Restarting, Sampling
from tailrace.agent.control.ledger import Ledger
from tailrace.agent.control.management import Management
from tailrace.agent.control.remote import RemoteConfigs
from tailrace.agent.control.results import lay_down
from tailrace.agent.diagnostics import Facts, Meter, Reporter, names, reporting
from tailrace.agent.guard import Guard, Limits
from tailrace.agent.identity import app_info
from tailrace.agent.identity import identity as identities
from tailrace.agent.identity.boot import begin
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.identity.keeper import KeyKeeper
from tailrace.agent.identity.local import Target, join_local
from tailrace.agent.identity.older import OlderHome
from tailrace.agent.jobs.jobs import Jobs
from tailrace.agent.jobs.local_event import LocalEvents
from tailrace.agent.jobs.onetime import First, Runs
from tailrace.agent.lanes.claims import file_bounds
from tailrace.agent.lanes.lane import Surroundings
from tailrace.agent.platform import current, processes
from tailrace.agent.session import End, Session
from tailrace.agent.settings import startup
from tailrace.agent.settings.defaults import with_defaults
from tailrace.agent.settings.in_force import InForce
from tailrace.agent.settings.policy import config_policy, own_state
from tailrace.agent.settings.served import Layers, ServedStore
from tailrace.agent.settings.settings import AgentSettings
from tailrace.agent.spool import Spool
from tailrace.agent.status.left import status_file
from tailrace.agent.status.sampling import sampling
from tailrace.agent.status.wellbeing import Wellbeing
from tailrace.agent.supervision import Supervision
from tailrace.agent.supervisor import quarantine
from tailrace.agent.surroundings import surroundings_of
from tailrace.agent.vitals import Vitals
from tailrace.errors import ConfigError, ConfigErrors, DamagedError, NewerFormatError
from tailrace.pipeline.age import with_default as with_default_age
from tailrace.pipeline.labels import Machine
from tailrace.pipeline.loading import resolve
from tailrace.pipeline.model import PipelineConfig
from tailrace.wire.outward import use as use_outward
from tailrace.wire.proxy import use

EXIT_CODES = {End.STOPPED: 0, End.DRAINED: 0, End.FAILED: 1}
AGAIN = (End.FORKED, End.RELOADED)
LOOK_SECS = 0.02


class Worker:
    """Collects what pipelines name. `home` is the installation's directory, whose `agent` and `secret` it uses.

    `flags` are settings, `KEY=VALUE`, before those of files and the environment. `first`: nothing but this import is done.
    `supervision`: who watches over it. Unless `limited`, it uses what it can get.
    """

    def __init__(
        self,
        home: Path,
        pipelines: Sequence[PipelineConfig],
        *,
        finite: bool = False,
        flags: Sequence[str] = (),
        first: First | None = None,
        supervision: Supervision | None = None,
        limited: bool = True,
    ) -> None:
        self._home, self._flags = home, flags
        settings = self._load().settings
        use(settings.proxies)
        use_outward(settings.outward)
        self._supervision = supervision or Supervision()
        self._settings = settings
        self._local = pipelines
        self._remote = RemoteConfigs(home)
        self._finite = finite
        self._first = first
        self._jobs = Jobs(home)
        self._platform = current(own_state(home), roots=[Path(root) for root in settings.allowed_roots])
        self._bounds = file_bounds(settings)
        self._address, self._host_name = settings.working_ip or identities.address(), settings.working_hostname
        self._policy = config_policy(home, settings)
        self._desk = Desk(home, settings.metrics_listen)
        self._limited = limited
        self._guard = Guard(self._limits(settings), self._platform, processes())
        self._log_level = telemetry.change_level(settings.log_level) if settings.log_level else ""
        self._vitals = Vitals(self._desk.overview, self._supervision)
        self._desk.unwell = self._unwell
        self._session: Session | None = None
        self._runs: Runs | None = None
        """Of the session."""
        self._asking = threading.Lock()
        self._asked_for, self._serving = 0, 0
        """How often another session was asked for, and up to which of these the present one has read what is to run."""
        self._managed = False
        """By a server, which may give it pipelines that run at any time."""
        self._unresolved: dict[str, str] = {}
        """Pipelines that lack something on this machine, and what."""
        self._older = OlderHome(home / "agent")
        self._stopped = False
        self._ran_before = False
        self._wanted: list[str] = []
        """Names of the pipelines that are to run."""

    def run(self, *, enrol_at: str = "") -> int:
        """Until everything is read (`finite`) or a signal comes; the exit code. `enrol_at`: endpoint of a server on this machine.

        BusyError when another worker has this home, ConfigErrors when no pipeline can run, NewerFormatError, and `join_local`'s errors.
        """
        lock = self._platform.own(self._home / "agent" / "lock", self._supervision.lock_patience_secs)
        try:
            self._platform.prepare_process("tailrace-worker", self._settings.max_open_files)
            identity = self._identify(enrol_at)
            self._managed = bool(identity.servers)
            self._resolved(self._pipelines())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._signalled)
            self._tell_news()
            facts = self._facts(identity.agent_id, app_info.write(self._home, self._machine()))
            overview = self._desk.overview
            overview.guard, overview.idle = self._guard, self._idle
            keeper, commands = self._keeper(identity), self._commands(identity)
            self._desk.keeper = keeper
            with (
                self._supervision.beating(self._report, self.stop, overview.behind),
                self._guard.watching(lambda: [target.share for target in overview.targets]),
                keeper.at_work(),
                commands.at_work(),
                self._management(identity, keeper, commands).at_work(),
                status_file(self._home / "run" / "agent.json", overview),
                sampling(overview, self._home, self._bounds.files.bound),
                self._reporting(identity, facts),
            ):
                end = self._sessions(identity)
            return EXIT_CODES.get(end, 0)
        finally:
            lock.release()

    def imports(self) -> list[dict[str, Any]]:
        """Rows of all one-time runs, the latest first; from any thread."""
        return self._jobs.rows()

    def stop(self) -> None:
        """From any thread or signal handler."""
        self._stopped = True
        if self._session is not None:
            self._session.stop()

    # --- settings ---------------------------------------------------------------------------------------------------------------
    def _load(self, served: Layers | None = None) -> startup.Startup:
        return startup.load(self._home, flags=self._flags, served=served)

    def _limits(self, settings: AgentSettings) -> Limits:
        return Limits.of(settings, self._platform.given()) if self._limited else Limits()

    def _take_settings(self, settings: AgentSettings) -> None:
        """Other settings hold from now on: limits and the log level at once, what pipelines take from them where one changes by that, and
        what a session is made of with another session. Returns when that is so. Not from the main thread, nor the event loop."""
        before, self._settings = self._settings, settings
        limits = self._limits(settings)
        self._guard.apply(limits)
        if settings.log_level != before.log_level:
            usual = telemetry.change_level(settings.log_level or self._log_level or "info")
            self._log_level = self._log_level or usual
        if _built_of(before) != _built_of(settings):
            self._await(self._again(End.RELOADED))
        else:
            self._reload()

    def _keeper(self, identity: AgentIdentity) -> KeyKeeper:
        boot = begin(self._home / "agent")
        return KeyKeeper(
            identity,
            self._home,
            boot,
            renamed=lambda: self._again(End.FORKED),
            widened=self._widened,
            moved=lambda: self._again(End.RELOADED),
            rolled_back=self._roll_back,
        )

    def _roll_back(self) -> bool:
        """The home is an older copy. Returns when nothing is sent any more under the epoch that it has brought: whether that lasts."""
        is_durable = self._older.note()  # first: the session that serves the ask looks at it, however the one before it ends
        asked = self._again(End.RELOADED)
        if threading.current_thread() is not threading.main_thread():  # that one runs the sessions, and has not begun
            self._await(asked)
        return is_durable or not self._older.is_noted

    def _widened(self) -> None:
        """The agent may write to another project: what did not run for want of that may run now, and all else goes on."""
        if self._session is None:
            self._again(End.RELOADED)
        else:
            self._reload()

    def _commands(self, identity: AgentIdentity) -> Commands:
        """What servers may tell this agent to do."""

        def diagnosed() -> bytes:
            from tailrace.agent.diagnostics.bundle import bundle  # noqa: PLC0415 - most agents never make one

            return bundle(self._home, self._desk.overview, self._load, self._pipelines)

        doers: dict[str, Doer] = {
            "restart": Restarting(self.stop if self._supervision.is_there else None, lambda: self._supervision.is_at_work),
            "log-level": LogLevels(),
            "sample": Sampling(self._platform),
            "diagnostics": Diagnosing(diagnosed),
            "import": Importing(self._jobs, lambda: self._runs),
        }
        allowed = self._settings.server_commands
        return Commands(
            Ledger(self._home),
            doers,
            allowed=allowed,
            lay_down=lambda command, data: lay_down(identity, command, data),
            joined=lambda: len(identity.servers),
        )

    def _management(self, identity: AgentIdentity, keeper: KeyKeeper, commands: Commands) -> Management:
        return Management(
            identity,
            self._remote,
            self._machine,
            machine_id=keeper.machine_id,
            reload=self._reload,
            outcome=self._outcome,
            vitals=Wellbeing(self._desk.overview, keeper.boot_id, ephemeral=self._settings.ephemeral).vitals,
            commands=commands,
            settings=InForce(ServedStore(self._home, self._load), self._load, self._take_settings),
        )

    def _outcome(self, pipeline: str) -> str | None:
        if pipeline in self._unresolved:
            return self._unresolved[pipeline]
        if pipeline in self._desk.overview.set_aside:
            return "it is set aside, because the worker died of it again and again"
        job = self._jobs.all.get(pipeline)
        if job is not None and job.state != "running":  # it was to run once
            return "" if job.state == "done" else f"its run is over: {job.state}"
        return self._session.outcome(pipeline) if self._session is not None else None

    def _idle(self) -> dict[str, str]:
        """Those that are to run and do not, and why; but for what is set aside."""
        overview = self._desk.overview
        known = {*(lane.pipeline for lane in overview.lanes), *overview.set_aside}
        return {name: why for name in self._wanted if name not in known and (why := self._outcome(name))}

    def _reload(self) -> None:
        """Returns when what is to run at this moment has been taken up, or the agent ends. Not from the main thread, nor the event loop."""
        session, runs = self._session, self._runs
        if session is not None and runs is not None and session.change(lambda: self._change(session, runs)):
            return
        self._await(self._again(End.RELOADED))

    def _await(self, session: int) -> None:
        """The session that an ask for another one was given the number of."""
        while self._serving < session and not self._stopped:
            time.sleep(LOOK_SECS)

    async def _change(self, session: Session, runs: Runs) -> bool:
        """What differs is exchanged while all else runs."""
        pipelines = await asyncio.to_thread(self._pipelines)
        async with runs.change(pipelines) as (own, imported):
            session.machine_is(self._machine())
            wanted = await asyncio.to_thread(self._at_work, own)
            return await change(session, wanted, {*imported, *self._unresolved})

    def _pipelines(self) -> list[PipelineConfig]:
        """Those of this machine's files, and those that servers gave."""
        names = {pipeline.name for pipeline in self._local}
        remote = [pipeline for pipeline in self._remote.pipelines() if pipeline.name not in names]
        settings = self._settings
        return [with_defaults(with_default_age(pipeline, settings.log_age_secs), settings) for pipeline in [*self._local, *remote]]

    def _again(self, end: End) -> int:
        """The present session makes way for another one; from any thread. The number that a session has to serve."""
        with self._asking:
            self._asked_for += 1
            mine = self._asked_for
        if self._session is not None:
            self._session.stop(end)
        return mine

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def _sessions(self, identity: AgentIdentity) -> End:
        """One after the other; how the last one ended."""
        end = End.FORKED
        try:
            while end in AGAIN and not self._stopped:
                end = self._one_session(identity)
        finally:
            self._stopped = True  # who waits for another session waits no more
        return end

    def _one_session(self, identity: AgentIdentity) -> End:
        telemetry.doubt("pipeline", "target", but="CONFIG_UPDATE_ALARM")
        serving = self._asked_for
        opened = open_checkpoint(self._home / "agent", expected=self._ran_before)
        if self._older.is_noted:
            opened.database.fork({row.target for row in opened.content.streams.values()})
            opened.content = opened.database.load()
            self._older.forget()
        events = None if self._first else LocalEvents(self._home)
        pipelines = self._pipelines()
        runs = Runs(self._jobs, pipelines, self._platform, events=events, first=self._first)
        session = Session(
            opened.content,
            self._at_work(self._jobs.at_work([] if self._first else pipelines)),
            identity,
            self._surroundings(opened, identity),
            home=self._home,
            spool=Spool(self._home, segments=self._settings.buffer_file_num, segment_bytes=self._settings.buffer_file_size),
            concurrency=self._settings.send_request_concurrency,
            desk=self._desk,
            runs=runs,
        )
        self._session, self._runs, self._serving = session, runs, serving
        if self._stopped:  # while the checkpoint was opened
            session.stop()
        elif self._asked_for != serving:
            session.stop(End.RELOADED)
        end = asyncio.run(self._watched(session))
        if runs.refused is not None:
            raise runs.refused
        if end is End.FORKED:
            telemetry.logger("agent").warning("renewing the epoch: the server knows other data under our identities")
            again = open_checkpoint(self._home / "agent")
            again.database.fork(session.identified_targets)
            again.database.close()
        return end

    def _surroundings(self, opened: Opened, identity: AgentIdentity) -> Surroundings:
        return surroundings_of(
            opened,
            identity.agent_id,
            self._platform,
            bounds=self._bounds,
            policy=self._policy,
            machine=self._machine(),
            finite=self._finite,
            guard=self._guard,
            supervision=self._supervision,
        )

    def _machine(self) -> Machine:
        return Machine.here(self._home, self._address, host_name=self._host_name)

    def _facts(self, agent_id: str, known: Mapping[str, str]) -> Facts:
        """What the agent says of itself and its machine. `known`: the fields of `app_info.json`."""
        machine = self._machine()
        return Facts(
            agent_id=agent_id,
            version=known["logtail_version"],
            host_name=machine.host_name,
            address=machine.address,
            uuid=known["UUID"] or machine.host_id,
            instance_id=known["instance_id"],
            os=known["os"].partition(";")[0],
            os_detail=known["os"],
            users=names(self._home / "users"),
            user_defined_id=",".join(machine.user_defined_ids),
        )

    def _reporting(self, identity: AgentIdentity, facts: Facts) -> AbstractContextManager[None]:
        """An agent that ends by itself says nothing of itself."""
        if self._finite or self._first:
            return nullcontext()
        overview = self._desk.overview
        meter = Meter(overview, self._platform, processes(), self._bounds, os.getpid())
        return reporting(Reporter(self._home, overview, identity, meter=meter, facts=facts, settings=self._settings))

    async def _watched(self, session: Session) -> End:
        self._vitals.watch(asyncio.get_running_loop())
        try:
            return await session.run()
        finally:
            self._vitals.watch(None)

    def _report(self) -> Mapping[str, object]:
        """What the supervisor is told every second."""
        self._take_up_releases()
        return {"parts": self._vitals.parts(), "hang_secs": self._settings.hang_secs, **self._guard.report()}

    def _unwell(self) -> str:
        """What the supervisor would end this worker for, or nothing."""
        patience = self._settings.hang_secs
        stuck = [part for part in self._vitals.parts() if part["still_secs"] > patience * part.get("times", 1)]
        return "; ".join(f"{part['part']} for {part['still_secs']:.0f} s" for part in stuck)

    def _take_up_releases(self) -> None:
        """What an administrator has released goes on by itself (`tailrace agent release`)."""
        known = self._supervision.quarantine
        if not (known.pipelines or known.ranges):
            return
        try:
            now = quarantine.load(self._home)
        except (DamagedError, NewerFormatError, OSError):
            return
        if len(now.pipelines) + len(now.ranges) < len(known.pipelines) + len(known.ranges):
            self._supervision.quarantine = now
            self._again(End.RELOADED)

    def _tell_news(self) -> None:
        """How the workers before this one ended."""
        for news in self._supervision.news:
            if left := news.get("left"):
                message = "a version of the agent whose worker kept dying was left for the last good one"
                telemetry.alarm("BINARY_UPDATE_ALARM", message, left=left, version=news.get("version"))
                continue
            telemetry.alarm("LOGTAIL_CRASH_ALARM", "the worker was started again", reason=news.get("why"), report=news.get("report"))

    def _identify(self, enrol_at: str) -> AgentIdentity:
        path = self._home / "secret" / "agent.json"
        identity = identities.load(path)
        self._ran_before, identity.ran = identity.ran, True
        if enrol_at:
            join_local(identity, self._home, enrol_at, self._targets())
        identities.save(identity, path)
        return identity

    def _targets(self) -> list[Target]:
        """What pipelines send to without a key of their own."""
        from tailrace.flushers.sls import SlsConfig  # noqa: PLC0415 - only who enrols needs it

        configs = [plugin.config for pipeline in self._pipelines() for plugin in pipeline.flushers]
        found = [one for one in configs if isinstance(one, SlsConfig) and not one.access_key_id]
        return [(one.url, one.project, one.logstore) for one in found]

    def _at_work(self, pipelines: Sequence[PipelineConfig]) -> list[PipelineConfig]:
        """Those that may run, with their references put in."""
        resolved = self._resolved(pipelines)
        self._wanted = [one.name for one in pipelines]
        aside = [one.name for one in resolved if self._supervision.quarantine.holds(one.name, one.version)]
        for name in aside:
            message = "the pipeline is set aside, because the worker died of it again and again; its data is kept"
            telemetry.alarm("LOGTAIL_CRASH_ALARM", message, pipeline=name)
        self._desk.overview.set_aside = aside
        return [pipeline for pipeline in resolved if pipeline.name not in aside]

    def _resolved(self, pipelines: Sequence[PipelineConfig]) -> list[PipelineConfig]:
        """The pipelines with their references put in; one that lacks something here does not keep the others from running."""
        resolved: list[PipelineConfig] = []
        failures: list[ConfigError] = []
        self._unresolved = {}
        for pipeline in pipelines:
            try:
                resolved.append(resolve(pipeline, self._policy))
            except ConfigErrors as error:
                failures += error.errors
                self._unresolved[pipeline.name] = str(error)
                telemetry.alarm("USER_CONFIG_ALARM", "cannot run the pipeline", pipeline=pipeline.name, reason=error.message)
        if failures and not resolved and not self._managed:
            raise ConfigErrors(failures)
        return resolved


def _built_of(settings: AgentSettings) -> tuple[object, ...]:
    """What a session takes from the settings when it begins."""
    threads = settings.process_thread_count or (settings.cpu_usage_limit, settings.scaled_cpu_usage_limit, settings.resource_auto_scale)
    return threads, settings.send_request_concurrency, settings.buffer_file_num
