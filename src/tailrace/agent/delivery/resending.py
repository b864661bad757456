"""Dead letters go out again, each under a new name in a stream of its own, and none of them twice.

Made durable one after the other are: its new name (the checkpoint), the letter under that name (the spool), and that it is a dead letter no
more. Only then is it sent. A crash in between leaves a dead letter, and a copy in the spool that nobody has sent: the copy is dropped.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.delivery.letters import DeadLetters, name_of
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.streams import Entry, Stream, StreamTable
from tailrace.agent.spool import Found, Kept, Ref, release
from tailrace.batch import fingerprint
from tailrace.errors import BusyError, StateError
from tailrace.pipeline.contract import Identity, Range

INPUT: Final = "dead-letters"
"""Input and key of the streams in which dead letters are sent again."""
PATIENCE_SECS: Final = 60.0


class Resending:
    """Of one session. `target_of` finds the target that has, or had, a name."""

    def __init__(
        self, letters: DeadLetters, streams: StreamTable, checkpoint: CheckpointWriter, target_of: Callable[[str], Target | None]
    ) -> None:
        self._letters = letters
        self._streams = streams
        self._checkpoint = checkpoint
        self._target_of = target_of
        self._task: asyncio.Task[None] | None = None

    # --- asked for --------------------------------------------------------------------------------------------------------------
    def rows(self, *, loop: asyncio.AbstractEventLoop, resend: bool) -> list[dict[str, Any]]:
        """The dead letters, once all were sent again where that is wanted; from any other thread. BusyError, StateError."""
        if resend:
            try:
                asyncio.run_coroutine_threadsafe(self._all_sent(), loop).result(PATIENCE_SECS)
            except (TimeoutError, concurrent.futures.CancelledError):
                hint = "ask again in a while: none is sent twice"
                raise BusyError("the dead letters are not all on their way yet", hint=hint) from None
        return self._letters.rows()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _all_sent(self) -> None:
        """Whoever asks while they are sent waits for the same."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all())
        await asyncio.shield(self._task)

    async def _send_all(self) -> None:
        """Each that can be. StateError, BusyError when some cannot."""
        orphaned: set[str] = set()
        full: BusyError | None = None
        for ref, letter in await asyncio.to_thread(self._letters.letters):
            target = self._target_of(letter.stream.target)
            if target is None:
                orphaned.add(letter.stream.target)
                continue
            try:
                await self._send(target, ref, letter)
            except BusyError as error:  # another target may have room
                full = error
        if full is not None:
            raise full
        if orphaned:
            names = ", ".join(f"`{one}`" for one in sorted(orphaned))
            raise StateError(
                f"no pipeline sends to {names} any more; the dead letters of all other targets are on their way",
                hint="run a pipeline that does, then send the dead letters again",
            )

    async def _send(self, target: Target, ref: Ref, letter: Kept) -> None:
        stream = self._streams.open(self, target.flusher.destination, INPUT, INPUT, {"v": 1})
        assert stream is not None, "nobody else opens it"
        entry, copy = await self._named(target, stream, letter)
        await target.underway.durable([entry])
        entry.kept = await target.keep(copy)
        if entry.kept is None:
            target.underway.withdraw(entry)
            raise BusyError("there is no room in the spool", hint="try again when the target has taken what waits for it")
        try:
            await asyncio.to_thread(self._letters.remove, ref)
        except BusyError:
            target.underway.withdraw(entry)
            await asyncio.to_thread(release, [entry.kept])
            raise
        target.take_on(entry)

    async def _named(self, target: Target, stream: Stream, letter: Kept) -> tuple[Entry, Kept]:
        sequence, [payload] = await target.underway.reserve(stream, 1), letter.payloads
        position = {"v": 1, "letter": name_of(letter)}
        done = Range(stream.id, sequence, sequence, sequence + 1, position, fingerprint(payload.body), letter.range.config_version)
        identity = Identity(target.epoch, stream.id, sequence, done.start, done.end, done.fingerprint)
        copy = Kept(stream.row, done, 1, [replace(payload, identity=identity)])
        return Entry(stream, done, 1, 1, payload.events), copy

    # --- after a restart --------------------------------------------------------------------------------------------------------
    def settle(self, found: Found, closed: Callable[[str], str]) -> None:
        """Put in order what the last end has interrupted, before anything is taken on of what the spool has: `found`, out of which copies
        are taken that must not be sent. `closed` says of a target's name why its part of the spool is not known."""
        copies = {key: one for key, one in found.items() if one[1].stream.input == INPUT}
        prepared = [(stream, done) for stream, done in self._streams.prepared_of(INPUT) if not closed(stream.row.target)]
        if not copies and not prepared:
            return
        try:
            dead = self._letters.names()
        except BusyError as error:
            for key in copies:
                del found[key]
            message = "the dead letters cannot be read now; those that were being sent again wait for the next start"
            telemetry.alarm("SECONDARY_READ_WRITE_ALARM", message, reason=error.message)
            return
        for key, (ref, copy) in copies.items():
            if _letter_of(copy.range) in dead:
                del found[key]
                release([ref])
        for stream, done in prepared:
            if (stream.id, done.sequence) in found:
                continue
            if _letter_of(done) not in dead:
                self._tell_lost(stream, done)
            self._streams.withdraw(stream, done)
            self._checkpoint.acknowledge(stream.row, [done.sequence], None, lambda: None)

    def lost(self, entry: Entry) -> None:
        """The copy of a letter cannot be read from the spool, and there is no other one."""
        self._tell_lost(entry.stream, entry.range)
        if (target := self._target_of(entry.stream.row.target)) is not None:
            target.settle(entry)

    def _tell_lost(self, stream: Stream, done: Range) -> None:
        message = "a dead letter that was being sent again is damaged, and lost unless it had arrived"
        telemetry.alarm("DISCARD_DATA_ALARM", message, target=stream.row.target, letter=_letter_of(done), events=1)


def _letter_of(done: Range) -> str:
    return str(done.position.get("letter", ""))
