"""What the last session has left, in the checkpoint and in the spool, and who takes it on now."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from tailrace import telemetry
from tailrace.agent.aside import aside
from tailrace.agent.assembly import Assembly, Built, Group
from tailrace.agent.checkpoint import Content
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.resending import INPUT as LETTERS
from tailrace.agent.delivery.resending import Resending
from tailrace.agent.delivery.target import Target
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.lanes.adoption import Adoption
from tailrace.agent.lanes.catching_up import CatchingUp
from tailrace.agent.lanes.going_back import GoingBack
from tailrace.agent.lanes.inquiry import inquiry_of
from tailrace.agent.lanes.lane import Lane, Surroundings
from tailrace.agent.lanes.orphans import FormerConfigs, Orphans
from tailrace.agent.lanes.reading_again import ReadingAgain
from tailrace.agent.lanes.replay import Replay
from tailrace.agent.lanes.streams import Entry, names_of
from tailrace.agent.spool import Spool
from tailrace.pipeline.contract import Flusher

AGAIN_SECS: Final = 5.0
"""How long a source is left alone when the system is short of something."""


class Inheritance:
    """Of one session, on its event loop. `take_in` starts a target that was built."""

    def __init__(
        self,
        content: Content,
        spool: Spool,
        letters: DeadLetters,
        around: Surroundings,
        identity: AgentIdentity,
        *,
        parts: Assembly,
        make_target: Callable[[Flusher], Target],
        take_in: Callable[[Built], Awaitable[None]],
    ) -> None:
        """NewerFormatError when a newer release has left something."""
        self._configs = content.configs
        self._spool = spool
        self._around = around
        self._identity = identity
        self._parts = parts
        streams, checkpoint = around.streams, around.checkpoint
        self.catching_up = CatchingUp(identity, streams, checkpoint, rolled_back=content.rolled_back, caught_up=content.caught_up)
        self.adoption = Adoption(spool.load(), streams, checkpoint, self.catching_up.is_behind)
        self._going_back = GoingBack(self.adoption.left, streams, checkpoint)
        self._settling: dict[str, asyncio.Lock] = {}
        self.resending = Resending(letters, streams, checkpoint, self._target_of)
        self.resending.settle(self.adoption.left, lambda name: spool.closed([name]))
        self.orphans = Orphans(
            parts,
            around,
            FormerConfigs(content.configs, identity, around),
            self.adoption,
            spool=spool,
            catching_up=self.catching_up,
            make_target=make_target,
            take_in=take_in,
            replay=self.replay,
        )
        self._reading = ReadingAgain(parts, self.replay, self.orphans.lane_for)

    def take_on(self, target: Target) -> None:
        """What the spool has for a target that is about to be at work. Where more may have arrived there than is known here, and lanes lead
        there, they wait for what the server says (`settle`)."""
        if not self.catching_up.is_behind(target.flusher.destination) or not self._groups_of(target):
            self.adoption.adopt(target)

    async def settle(self, lanes: Sequence[Lane]) -> None:
        """Until it is known what has arrived at the target of lanes, where that has to be asked, and what was left for it is taken on."""
        target = lanes[0].target
        await self.catching_up.asked(target.flusher)
        async with self._settling.setdefault(target.flusher.destination, asyncio.Lock()):
            for group in self._groups_of(target) if self._around.streams.stored_ends else ():
                await self._back_to_sources(group)
            if self.catching_up.is_behind(target.flusher.destination) and target in self._parts.targets.values():
                self.adoption.adopt(target)  # where it is not at work any more, whoever takes its place does that

    async def _back_to_sources(self, group: Group) -> None:
        """With any lane of a group; a reload may take them out while this waits, and what takes their place asks for itself."""
        while lane := next((one for one in group.lanes if not one.stopping), None):
            try:
                await aside(partial(self._going_back.run, self.replay(lane)), f"look at the sources of {lane.pipeline}")
            except OSError as error:
                message = "cannot look now at what was to be sent again, and the server may have; pipelines that send there wait"
                telemetry.alarm("CHECKPOINT_ALARM", message, pipeline=lane.pipeline, reason=error.strerror or str(error))
                await asyncio.sleep(AGAIN_SECS)
            else:
                telemetry.resolved("CHECKPOINT_ALARM", pipeline=lane.pipeline)
                return

    def _groups_of(self, target: Target) -> list[Group]:
        return [group for (name, _), group in self._parts.groups.items() if name == target.flusher.destination]

    def replay(self, lane: Lane) -> Replay:
        """Of what a lane's streams have prepared."""
        inquiry = inquiry_of(lane, self._identity, self._around.epoch)
        return Replay(lane, self._around.streams, self._configs, self._identity, inquiry, self.adoption.left)

    def read_again(self, target: Target, entry: Entry) -> None:
        """A range on its way to a target has lost its payloads, in the spool or elsewhere: it is read from its source."""
        if entry.stream.row.input == LETTERS:
            self.resending.lost(entry)
        else:
            self._reading.add(target, entry)

    def stop(self) -> list[Lane]:
        """Nothing more is begun; the lanes of former pipelines are to be stopped."""
        self.catching_up.stop()
        self._reading.stop()
        return self.orphans.stop()

    def closed(self, lane: Lane) -> str:
        """Why it is not known what the spool has of a lane, or nothing."""
        return self._spool.closed(names_of(lane.target.flusher))

    async def more_can_be_read(self) -> bool:
        """Waits until something of the spool can be read that could not be at the start; False at once when all of it could."""
        wait = Backoff()
        while self._spool.is_closed:
            await asyncio.sleep(wait.failed())
            if await asyncio.to_thread(self._spool.may_open):
                return True
        return False

    def _target_of(self, name: str) -> Target | None:
        """The one that has, or had, this name."""
        return next((one for one in self._parts.targets.values() if name in names_of(one.flusher)), None)
