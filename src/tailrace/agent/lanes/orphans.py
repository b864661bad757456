"""What pipelines have left behind that were removed, or send elsewhere now: it is sent all the same, to where it was to go.

Ranges in the spool need nothing but their target. Ranges that are prepared and have no lane any more, because neither the network nor the
spool has taken them, get a *replay-only lane*: it is made from the config that they were made with, which the checkpoint keeps; it reads
them again, puts them in, and ends. It opens no stream and starts no input.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.aside import aside
from tailrace.agent.assembly import Assembly, Built, name_of
from tailrace.agent.bystander import foreign
from tailrace.agent.delivery.resending import INPUT as LETTERS
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.adoption import Adoption
from tailrace.agent.lanes.catching_up import CatchingUp
from tailrace.agent.lanes.lane import Lane, Surroundings
from tailrace.agent.lanes.replay import Replay
from tailrace.agent.lanes.streams import Entry, names_of
from tailrace.agent.spool import Spool
from tailrace.errors import ConfigError, TailraceError
from tailrace.pipeline.contract import Flusher, FlusherContext
from tailrace.pipeline.loading import from_canonical, resolve
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig

AGAIN_SECS: Final = 5.0
"""How long a replay is left alone when the system is short of something."""

Key = tuple[str, str]
"""(target, input key)."""

log = telemetry.logger("agent")


@dataclass(frozen=True, slots=True)
class FormerConfigs:
    """The configs that the checkpoint keeps, canonical, by version."""

    texts: dict[str, str]
    context: FlusherContext
    around: Surroundings

    def leading_to(self, target: str, versions: Sequence[str], input_key: str = "") -> tuple[PipelineConfig, ConfiguredPlugin]:
        """The first of these that sends there, from an input of that kind where one is named; and its flusher. ConfigError."""
        reason = "its config is not known any more"
        for version in versions:
            if version in self.texts:
                try:
                    with foreign(version=version):
                        return self._leading_to(target, version, input_key)
                except ConfigError as error:
                    reason = error.message
        raise ConfigError(reason)

    def _leading_to(self, target: str, version: str, input_key: str) -> tuple[PipelineConfig, ConfiguredPlugin]:
        config = resolve(from_canonical(self.texts[version]), self.around.policy)
        if self.around.supervision.quarantine.holds(config.name, version):
            raise ConfigError("its pipeline is set aside, because the worker died of it again and again")
        plugin = self._flusher(config, target)
        if plugin is None or (input_key and input_key not in [one.build().key for one in config.inputs]):
            raise ConfigError("its config leads elsewhere")
        return config, plugin

    def _flusher(self, config: PipelineConfig, target: str) -> ConfiguredPlugin | None:
        for plugin in config.flushers:
            flusher: Flusher = plugin.build()
            flusher.start(self.context)
            if target in names_of(flusher):
                return plugin
        return None


class Orphans:
    """Of one session, on its event loop. `take_in` starts a target that was built; `replay` is made for a lane."""

    def __init__(
        self,
        parts: Assembly,
        around: Surroundings,
        former: FormerConfigs,
        adoption: Adoption,
        *,
        spool: Spool,
        catching_up: CatchingUp,
        make_target: Callable[[Flusher], Target],
        take_in: Callable[[Built], Awaitable[None]],
        replay: Callable[[Lane], Replay],
    ) -> None:
        self._parts = parts
        self._around = around
        self._former = former
        self._adoption = adoption
        self._spool = spool
        self._catching_up = catching_up
        self._make_target = make_target
        self._take_in = take_in
        self._replay = replay
        self._tasks: set[asyncio.Task[None]] = set()
        self._given_up: set[Key] = set()
        """They stay prepared; the next start tries again."""
        self.looked = False
        """Whether all that there was at the start is at work."""

    @property
    def idle(self) -> bool:
        return self.looked and not self._tasks

    async def look(self) -> None:
        """Take on whatever nobody else does."""
        for target, version in self._adoption.orphans(self._known()).items():
            await self._target(target, [version], "the spool has ranges")
        for key, versions in self._around.streams.prepared_groups().items():
            if not (key[1] == LETTERS or key in self._given_up or key in self._parts.replaying or self._is_cared_for(key)):
                await self._begin(key, versions)
        self.looked = True

    def lane_for(self, target: Target, entry: Entry) -> Lane | None:
        """A replay-only one, not started, for a range that is under way to a target; None, with an alarm, when it cannot be made."""
        return self._made(target, (target.flusher.destination, entry.stream.row.input), [entry.range.config_version])

    def stop(self) -> list[Lane]:
        """No lane is made any more; those that are at work are to be stopped."""
        for task in self._tasks:
            task.cancel()
        return list(self._parts.replaying.values())

    # --- inside -----------------------------------------------------------------------------------------------------------------
    def _known(self) -> set[str]:
        """Names of all targets that are at work, or cannot be made."""
        flushers = [target.flusher for target in self._parts.targets.values()]
        return {name for one in flushers for name in names_of(one)} | {target for target, _ in self._given_up.copy()}  # threads add to it

    def _is_cared_for(self, key: Key) -> bool:
        """Whether a lane of a pipeline has these ranges, or will have them; or nobody may touch them now."""
        if self._spool.closed([key[0]]):
            return True
        group = self._parts.groups.get(key)
        return group is not None and not all(lane.start_over.is_set() and not lane.stopping for lane in group.lanes)

    async def _target(self, name: str, versions: Sequence[str], what: str) -> Target | None:
        """The target that has this name, at work; None, with an alarm, when it cannot be made."""
        for target in self._parts.targets.values():
            if name in names_of(target.flusher):
                return target
        try:
            _, plugin = self._former.leading_to(name, versions)
            with foreign(target=name):
                made = self._make_target(plugin.build())
        except TailraceError as error:
            self._give_up((name, ""), f"{what} for a target that no pipeline names; they are kept until one does", error.message)
            return None
        await self._take_in(Built([], {name_of(plugin): made}))
        return made

    def _made(self, target: Target, key: Key, versions: Sequence[str]) -> Lane | None:
        name, input_key = key
        try:
            config, _ = self._former.leading_to(name, versions, input_key)
            with foreign(pipeline=config.name):
                input_ = next(one for plugin in config.inputs if (one := plugin.build()).key == input_key)
                processors = [plugin.build() for plugin in config.processors]
                return Lane(config, input_, processors, target, self._around)
        except TailraceError as error:
            self._give_up(key, "prepared ranges of a former pipeline cannot be sent; they are kept", error.message)
            return None

    async def _begin(self, key: Key, versions: Sequence[str]) -> None:
        target = await self._target(key[0], versions, "there are prepared ranges")
        lane = self._made(target, key, versions) if target is not None else None
        if lane is not None:
            self._parts.replaying[key] = lane
            self._spawn(self._run(key, lane))

    async def _run(self, key: Key, lane: Lane) -> None:
        try:
            await self._catching_up.asked(lane.target.flusher)
            replay = self._replay(lane)
            count = await aside(lambda: self._replayed(key, lane, replay), f"replay {lane.pipeline}")
            log.info("ranges of a former pipeline are sent", pipeline=lane.pipeline, target=lane.target.flusher.target, ranges=count)
        finally:
            lane.stop(0.0)
            del self._parts.replaying[key]

    def _replayed(self, key: Key, lane: Lane, replay: Replay) -> int:
        """On a thread, until all is put in, and what is gone was asked about."""
        count = 0
        try:
            while not lane.stopping:
                try:
                    count += replay.run()
                    replay.inquiry.run()
                    break
                except OSError as error:
                    message = "cannot read prepared ranges of a former pipeline now; it is tried again"
                    telemetry.alarm("CHECKPOINT_ALARM", message, target=key[0], pipeline=lane.pipeline, reason=str(error))
                    lane.pause(AGAIN_SECS)
        except TailraceError as error:
            self._give_up(key, "prepared ranges of a former pipeline cannot be read again; they are kept", error.message)
        replay.give_back()
        if not lane.stopping and key in self._around.streams.prepared_groups():
            self._give_up(key, "prepared ranges of a former pipeline are left; they are kept", "they belong to no target that is at work")
        elif lane.failure:
            self._given_up.add(key)
        return count

    def _give_up(self, key: Key, message: str, reason: str) -> None:
        self._given_up.add(key)
        telemetry.alarm("CHECKPOINT_ALARM", message, target=key[0], reason=reason)

    def _spawn(self, part: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(part)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            raise error
