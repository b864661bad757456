"""Carries rollouts on: who has which version of a config, and when the next agents get theirs. Each step is in the database before an agent
sees it, so that a server that was killed goes on where it was."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.db.collection import Collection
from tailrace.server.db.records import Config, MachineGroup, Project
from tailrace.server.db.tables import RolloutRow
from tailrace.server.db.transactions import Transactions
from tailrace.server.fleet.alongside import alongside
from tailrace.server.fleet.membership import Membership
from tailrace.server.fleet.report import Report
from tailrace.server.fleet.reports import Reports
from tailrace.server.fleet.rollout import HOLDING, MAX_STAGES, STAGE, Progress, Rollout, State, chosen, is_settled, trouble
from tailrace.server.fleet.status import Status
from tailrace.server.fleet.waking import Waking
from tailrace.wire.control import ConfigStatus

LOOK_SECS: Final = 2.0
AT_ONCE: Final = 500
"""Agents that are looked at before others get their turn."""

log = telemetry.logger("server.rollouts")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a version is to go out."""

    stages: Sequence[str]
    soak_secs: int = 60
    max_failures: int = 0
    max_lag_bytes: int = 0


class Rollouts:
    """One per server. Changing raises ApiError."""

    def __init__(
        self,
        transactions: Transactions,
        collection: Collection,
        reports: Reports,
        membership: Membership,
        waking: Waking,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._run = transactions.run
        self._collection = collection
        self._reports = reports
        self._membership = membership
        self._waking = waking
        self._clock = clock
        self._changing = asyncio.Lock()
        self._all: dict[int, Rollout] = {}
        self._holding: dict[int, tuple[Rollout, Config | None]] = {}
        """Config → the rollout that holds a version of it back, and what the others have meanwhile."""
        self._settled_at: dict[int, float] = {}
        self._seen: dict[int, tuple[int, frozenset[str]]] = {}
        """Rollout → the stage and the members that were looked at last."""
        self.runs: Callable[[Config, MachineGroup], int | None] = lambda _config, _group: None
        """Number of the present version of a config, as agents are to run it because of a group."""

    async def open(self) -> None:
        """Those that were under way go on."""
        self._all = await self._run(_load)
        for rollout in list(self._all.values()):
            if rollout.state in HOLDING:
                config = self._config(rollout)
                if config is None or config.version != rollout.version:
                    await self._put(replace(rollout, state="superseded"))
                    continue
                self._holding[config.id] = rollout, await self._former(config, rollout.before)

    def version_for(self, config: Config, agent: str) -> Config | None:
        """What of a config an agent is to have: the version before while a rollout has not come to it; None for nothing."""
        rollout, former = self._holding.get(config.id, (None, None))
        if (
            rollout is None
            or rollout.state not in HOLDING
            or config.version not in (rollout.version, rollout.before)
            or agent in rollout.admitted
        ):
            return config
        return former

    # --- asking -----------------------------------------------------------------------------------------------------------------
    def of(self, project: str) -> list[Rollout]:
        """The latest first."""
        return [self._all[id_] for id_ in sorted(self._all, reverse=True) if self._all[id_].project == project]

    def get(self, project: str, id_: int) -> Rollout:
        """ApiError 404 RolloutNotExist."""
        found = self._all.get(id_)
        if found is None or found.project != project:
            raise ApiError(404, "RolloutNotExist", f"there is no rollout {id_} in project `{project}`")
        return found

    def members(self, rollout: Rollout) -> dict[str, int | None]:
        """The agents of the groups that the config is applied to, each with the number of the version that it is to run: that of the first
        group that gives it."""
        config = self._config(rollout)
        groups = self._collection.groups_of(config) if config is not None else []
        found: dict[str, int | None] = {}
        for group in reversed(groups):
            assert config is not None, "it has groups"
            found |= dict.fromkeys(self._membership.member_ids(group), self.runs(config, group))
        return found

    def _config(self, rollout: Rollout) -> Config | None:
        return next((one for one in self._collection.configs(rollout.project) if one.id == rollout.config_id), None)

    async def progress(self, rollout: Rollout) -> list[Progress]:
        """Of the agents that it has come to, and that are still members. Others go on meanwhile: there may be thousands."""
        members, found = self.members(rollout), list[Progress]()
        for count, agent in enumerate(sorted(rollout.admitted), 1):
            report = self._reports.get(agent) if agent in members else None
            if report is not None:
                found.append(self._progress(rollout, report, members[agent]))
            if not count % AT_ONCE:
                await asyncio.sleep(0)
        return found

    def _progress(self, rollout: Rollout, report: Report, wanted: int | None) -> Progress:
        info = report.continuous.get(f"{rollout.project}@{rollout.config}")
        behind = max(0, report.vitals.lag_bytes - rollout.admitted[report.agent])
        if self._reports.standing(report).status in (Status.SILENT, Status.RETIRED):
            if report.vitals.ephemeral or not rollout.was_heard(report):
                return Progress(report.agent, "silent")
            return Progress(report.agent, "failed", "it has been silent since it got the version", behind)
        if info is None and wanted is None:
            return Progress(report.agent, "applied", behind=behind)  # a version that is not enabled runs nowhere
        if info is None or info.version != wanted or info.status == ConfigStatus.APPLYING:
            return Progress(report.agent, "applying", behind=behind)
        if info.status == ConfigStatus.FAILED:
            return Progress(report.agent, "failed", info.message, behind)
        return Progress(report.agent, "applied", behind=behind)

    # --- changing ---------------------------------------------------------------------------------------------------------------
    async def begin(self, project: Project, name: str, document: Mapping[str, Any], author: str, plan: Plan) -> Rollout:
        """Save a new version of a config, and let it out in stages. 400 InvalidParameter, 404 ConfigNotExist, 409 RolloutExist
        and ConfigChanged."""
        if not 0 < len(plan.stages) <= MAX_STAGES or not all(STAGE.fullmatch(stage) for stage in plan.stages):
            raise ApiError(
                400, "InvalidParameter", f"stages are 1 to {MAX_STAGES} numbers of agents, such as `3`, or shares, such as `25%`"
            )
        async with self._changing:
            config = self._collection.config(project.name, name)
            if config.id in self._holding:
                raise ApiError(409, "RolloutExist", f"rollout {self._holding[config.id][0].id} of config `{name}` is not over")
            now = int(self._clock())
            rollout = Rollout(
                0,
                project.name,
                name,
                config.id,
                config.version,
                config.version + 1,
                (*plan.stages, *(() if plan.stages[-1] == "100%" else ("100%",))),
                plan.soak_secs,
                plan.max_failures,
                plan.max_lag_bytes,
                author,
                now,
                changed=now,
            )
            rollout = replace(rollout, id=await self._run(_insert, rollout))
            self._all[rollout.id] = rollout
            self._holding[config.id] = rollout, config  # before the version is there: nobody may get it by the way
            try:
                changed = await self._collection.change_config(project.name, name, document, author, expected=config)
            except (TailraceError, SQLAlchemyError):
                await self._give_up(rollout)
                raise
            if changed.version == config.version:
                await self._put(replace(rollout, state="superseded", reason="it is what the config was before"))
            else:
                await self._admit(rollout)
            return self.get(project.name, rollout.id)

    async def _give_up(self, rollout: Rollout) -> None:
        """Its version was not saved. From now on it holds nothing, also where that cannot be written down yet: the next look does."""
        ended = replace(rollout, state="superseded", reason="the version was not saved")
        self._all[rollout.id] = ended
        self._holding[rollout.config_id] = ended, None
        try:
            await self._put(ended)
        except (TailraceError, SQLAlchemyError) as error:
            log.warning("cannot write down that a rollout is over", config=rollout.config, reason=str(error))

    async def pause(self, project: str, id_: int) -> Rollout:
        return await self._move(project, id_, ("running",), "paused")

    async def resume(self, project: str, id_: int) -> Rollout:
        """Also one that has stopped: what failed so far is put up with."""
        async with self._changing:
            rollout = self._in(project, id_, ("paused", "stopped"))
            progress = await self.progress(rollout)
            allowed = max(rollout.max_failures, sum(one.outcome == "failed" for one in progress))
            lag = {one.agent: rollout.admitted[one.agent] + one.behind for one in progress}
            self._settled_at.pop(id_, None)  # the time that it stood still is no time of running well
            await self._put(replace(rollout, state="running", reason="", max_failures=allowed, admitted={**rollout.admitted, **lag}))
            return self._all[id_]

    async def roll_back(self, project: str, id_: int, author: str) -> Rollout:
        """Make the version before the next one, for all agents. 409 RolloutNotMovable, ConfigChanged."""
        async with self._changing:
            rollout = self._in(project, id_, ("running", "paused", "stopped"))
            former = self._holding[rollout.config_id][1]
            if former is None:
                raise ApiError(409, "RolloutNotMovable", f"the version before of config `{rollout.config}` is not known any more")
            expected = replace(former, version=rollout.version)
            await self._collection.change_config(project, rollout.config, former.document, author, expected=expected)
            await self._put(replace(rollout, state="rolled back"))  # only now: what holds the version back must not end before it
            return self._all[id_]

    async def _move(self, project: str, id_: int, states: Sequence[State], state: State) -> Rollout:
        async with self._changing:
            rollout = self._in(project, id_, states)
            self._settled_at.pop(id_, None)
            await self._put(replace(rollout, state=state))
            return self._all[id_]

    def _in(self, project: str, id_: int, states: Sequence[State]) -> Rollout:
        rollout = self.get(project, id_)
        if rollout.state not in states:
            raise ApiError(409, "RolloutNotMovable", f"rollout {id_} is {rollout.state}, not {' or '.join(states)}")
        return rollout

    # --- going on ---------------------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Within it rollouts go on by themselves."""
        async with alongside(self._look_on()):
            yield

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECS)
            try:
                await self.look()
            except (TailraceError, SQLAlchemyError) as error:
                log.warning("rollouts cannot go on for now", reason=str(error))

    async def look(self) -> None:
        """See what became of each, and take the next step."""
        for rollout, _ in list(self._holding.values()):
            async with self._changing:
                if self._all.get(rollout.id) is rollout:
                    await self._look(rollout)

    async def _look(self, rollout: Rollout) -> None:
        if rollout.state not in HOLDING:
            await self._put(rollout)
            return
        config = self._config(rollout)
        if config is None or config.version != rollout.version:
            await self._put(replace(rollout, state="superseded", reason="the config was changed meanwhile" if config else "it was deleted"))
            return
        if rollout.state != "running":
            return
        progress = await self.progress(rollout)
        if why := trouble(rollout, progress):
            log.warning("a rollout has stopped; the other agents keep the version before", config=rollout.config, reason=why)
            await self._put(replace(rollout, state="stopped", reason=why))
            return
        before = len(rollout.admitted)
        rollout = await self._admit(rollout)  # agents that have joined meanwhile; the first ones after a kill in `begin`
        if len(rollout.admitted) != before:
            progress = await self.progress(rollout)
        if not is_settled(progress):
            self._settled_at.pop(rollout.id, None)
        elif self._clock() - self._settled_at.setdefault(rollout.id, self._clock()) >= rollout.soak_secs:
            self._settled_at.pop(rollout.id)
            await self._next(rollout)

    async def _next(self, rollout: Rollout) -> None:
        if rollout.stage + 1 == len(rollout.stages):
            log.info("a rollout is done", config=rollout.config, version=rollout.version, agents=len(rollout.admitted))
            await self._put(replace(rollout, state="done"))
        else:
            await self._admit(replace(rollout, stage=rollout.stage + 1))

    async def _admit(self, rollout: Rollout) -> Rollout:
        """Let the stage's agents have it; none that had it loses it. The rollout as it is then."""
        members = frozenset(self.members(rollout))
        if self._seen.get(rollout.id) == (rollout.stage, members):
            return rollout
        new = [agent for agent in chosen(rollout, sorted(members)) if agent not in rollout.admitted]
        if new or self._all[rollout.id].stage != rollout.stage:
            reports = [report for agent in new if (report := self._reports.get(agent)) is not None]
            lag = {report.agent: report.vitals.lag_bytes for report in reports}
            heard = {report.agent: report.moment for report in reports}
            rollout = replace(rollout, admitted={**rollout.admitted, **lag}, heard={**rollout.heard, **heard})
            await self._put(rollout)
        self._seen[rollout.id] = rollout.stage, members
        return self._all.get(rollout.id, rollout)

    async def _put(self, rollout: Rollout) -> None:
        """Durable, then in force."""
        rollout = replace(rollout, changed=int(self._clock()))
        await self._run(_save, rollout)
        if rollout.id not in self._all:
            return  # its project was deleted meanwhile
        self._all[rollout.id] = rollout
        if rollout.state not in HOLDING:
            self._holding.pop(rollout.config_id, None)
            self._settled_at.pop(rollout.id, None)
            self._seen.pop(rollout.id, None)
        elif rollout.config_id in self._holding:
            self._holding[rollout.config_id] = rollout, self._holding[rollout.config_id][1]
        self._waking.changed(rollout.project)

    def project_deleted(self, project: str) -> None:
        """The catalog has deleted it in the database, and with it its rollouts."""
        for id_ in [rollout.id for rollout in self._all.values() if rollout.project == project]:
            self._holding.pop(self._all.pop(id_).config_id, None)
            self._settled_at.pop(id_, None)
            self._seen.pop(id_, None)

    async def _former(self, config: Config, version: int) -> Config | None:
        versions = await self._collection.config_versions(config.project, config.name)
        found = next((one for one in versions if one.version == version), None)
        return replace(config, version=version, document=found.document) if found is not None else None


def _load(session: Session) -> dict[int, Rollout]:
    return {row.id: Rollout.of(row.id, row.document) for row in session.scalars(select(RolloutRow))}


def _insert(session: Session, rollout: Rollout) -> int:
    row = RolloutRow(config_id=rollout.config_id, state=rollout.state, document=rollout.document(), created=rollout.created)
    session.add(row)
    session.flush()
    return row.id


def _save(session: Session, rollout: Rollout) -> None:
    values = {"state": rollout.state, "document": rollout.document()}
    session.execute(update(RolloutRow).where(RolloutRow.id == rollout.id).values(**values))
