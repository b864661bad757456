"""The targets of a session: how each is made, set to work, and let go."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.assembly import TARGET_BYTES
from tailrace.agent.bystander import foreign
from tailrace.agent.checkpoint import Content
from tailrace.agent.delivery.concurrency import Concurrency
from tailrace.agent.delivery.letters import DeadLetters
from tailrace.agent.delivery.missing import Missing
from tailrace.agent.delivery.share import Share
from tailrace.agent.delivery.target import Target
from tailrace.agent.identity.identity import AgentIdentity
from tailrace.agent.lanes.lane import Surroundings
from tailrace.agent.lanes.streams import Entry, Stream, names_of
from tailrace.agent.spool import Spool
from tailrace.errors import TailraceError
from tailrace.pipeline.contract import Flusher
from tailrace.pipeline.model import ConfiguredPlugin

FINISH_SECS: Final = 3.0
"""How long targets have to take what was put in, and the disk to keep what they did not take, when the session ends."""


class Targets:
    """Belongs to the event loop. `spawn` runs a part of the session, `forked` is called when a server has other data under our identities,
    `unreadable` takes ranges that are to be read again."""

    def __init__(
        self,
        content: Content,
        spool: Spool,
        letters: DeadLetters,
        around: Surroundings,
        identity: AgentIdentity,
        *,
        concurrency: int,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        forked: Callable[[], None],
        unreadable: Callable[[Target, Entry], None],
    ) -> None:
        self._spool = spool
        self._letters = letters
        self._around = around
        self._identity = identity
        self._concurrency = concurrency
        self._spawn = spawn
        self._forked = forked
        self._unreadable = unreadable
        self._missing = Missing(content.missing, around.checkpoint.missing)
        self._at_work: dict[Target, asyncio.Task[None]] = {}

    def __contains__(self, target: Target) -> bool:
        """Whether it was set to work."""
        return target in self._at_work

    def make(self, flusher: Flusher) -> Target:
        """One that is not at work yet; `drop` it, or set it to work. ConfigError."""
        flusher.start(self._identity)
        around = self._around
        around.checkpoint.keep(around.streams.rename(flusher.formerly, flusher.destination))

        def unreadable(entry: Entry) -> None:
            self._unreadable(target, entry)

        target = Target(
            flusher,
            around.checkpoint,
            Share(flusher.target, TARGET_BYTES),
            shelf=self._spool.shelf(flusher.destination),
            letters=self._letters,
            epoch=around.epoch,
            concurrency=Concurrency(self._concurrency),
            forked=self._forked,
            ended=self._ended,
            unreadable=unreadable,
            bandwidth=around.guard.bandwidth,
            missing=self._missing,
        )
        return target

    def drop(self, target: Target) -> None:
        """It is not to be set to work after all, or is over."""
        self._spool.give_up_share(target.flusher.destination)

    def set_to_work(self, targets: Iterable[Target]) -> None:
        """Those that are not yet."""
        for target in targets:
            if target not in self._at_work:
                self._at_work[target] = self._spawn(target.run())

    async def let_go(self, target: Target) -> None:
        """It has delivered all that it had, and nothing more comes."""
        if (delivery := self._at_work.pop(target, None)) is not None:
            delivery.cancel()
        await _close(target.flusher)
        self.drop(target)

    async def close(self, targets: Iterable[Target], *, keep: bool) -> None:
        """After their work has ended; `keep`: what was not sent goes into the spool."""
        for target in targets:
            if keep:
                with contextlib.suppress(TimeoutError):  # a disk that is full, or away: the ranges stay prepared
                    async with asyncio.timeout(FINISH_SECS):
                        await target.keep_rest()
            await _close(target.flusher)

    def destinations(self, plugin: ConfiguredPlugin, at_work: Target | None) -> Sequence[str]:
        """The names that a flusher's streams have; it knows them when it has started."""
        if at_work is not None:
            return [at_work.flusher.destination]
        flusher: Flusher = plugin.build()
        flusher.start(self._identity)
        return names_of(flusher)

    def _ended(self, stream: Stream, forget: Callable[[], object]) -> None:
        """All of a stream is acknowledged, and nothing more comes."""
        self._around.streams.drop(stream, forget)
        self._around.supervision.let_go(stream.id)


async def _close(flusher: Flusher) -> None:
    try:
        with foreign(target=flusher.target):
            await flusher.close()
    except TailraceError as error:
        telemetry.alarm("PLUGIN_ALARM", "the flusher failed while it was closed", target=flusher.target, reason=error.message)
