"""What is under way to one target: ranges from the moment that they are put in until the checkpoint knows that they are acknowledged.

A range is prepared, that is durable in the checkpoint, before it is first sent; all that of one request in one transaction.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tailrace.agent.checkpoint import Acknowledged, CheckpointWriter
from tailrace.agent.lanes.streams import Entry, Sender, Stream
from tailrace.agent.spool import release
from tailrace.pipeline.contract import Range

Durable = Callable[[Range], None]
Ended = Callable[[Stream, Callable[[], object]], None]


class UnderWay:
    """Belongs to the event loop.

    `ended` is told of a stream that has ended and is acknowledged, with what forgets it; `forgotten` when that is durable; `moved` when
    the oldest range of a stream is another one now; `released`, from any thread, when something has left the spool.
    """

    def __init__(
        self,
        checkpoint: CheckpointWriter,
        *,
        ended: Ended,
        forgotten: Callable[[Stream], None],
        moved: Callable[[Stream], None],
        released: Callable[[], None],
    ) -> None:
        self._checkpoint = checkpoint
        self._loop = asyncio.get_running_loop()
        self._ended = ended
        self._forgotten = forgotten
        self._moved = moved
        self._released = released
        self.ranges = 0
        """How many are not acknowledged."""
        self._prepared: dict[Entry, asyncio.Future[None]] = {}
        self._durable: dict[Stream, Durable] = {}

    @property
    def waiting_since(self) -> tuple[float, float] | None:
        """When the first and the last of those that are prepared and not acknowledged were put in; None when there is none. Any thread."""
        entries = list(self._prepared)
        return (entries[0].since, entries[-1].since) if entries else None

    # --- coming in --------------------------------------------------------------------------------------------------------------
    def put(self, entry: Entry, durable: Durable) -> bool:
        """Whether it is new; else it takes the place of one that had to be read again."""
        before = entry.stream.put(entry)
        self._durable[entry.stream] = durable
        if before is None:
            self.ranges += 1
            return True
        if before in self._prepared:
            self._prepared[entry] = self._prepared.pop(before)
        if before.sender is not None:
            before.sender.handed_over()
        return False

    def adopt(self, entry: Entry) -> None:
        """It is prepared already, by a former run or just now, and lies in the spool."""
        stream = entry.stream
        stream.committed_end = entry.range.start if stream.committed_end is None else stream.committed_end
        stream.put(entry)
        self._durable.setdefault(stream, _nobody)
        self.ranges += 1
        if entry not in self._prepared:
            self._prepared[entry] = durable = self._loop.create_future()
            durable.set_result(None)

    def make_durable(self, entries: Sequence[Entry]) -> "list[asyncio.Future[None]]":
        """Prepare those that are not, in this order; each is done when its range is."""
        new = [entry for entry in entries if entry not in self._prepared]
        if new:
            durable: asyncio.Future[None] = self._loop.create_future()
            self._prepared.update(dict.fromkeys(new, durable))
            self._checkpoint.prepare(
                [(entry.stream.row, entry.range, entry.parts) for entry in new],
                lambda: self._loop.call_soon_threadsafe(_resolve, durable),
            )
        return [self._prepared[entry] for entry in entries]

    async def durable(self, entries: Sequence[Entry]) -> None:
        """Until these are prepared."""
        for durable in dict.fromkeys(self.make_durable(entries)):
            await asyncio.shield(durable)

    async def reserve(self, stream: Stream, count: int) -> int:
        """The first of so many sequences that nothing else of the stream will have; durable."""
        first = stream.take_sequences(count)
        reserved = self._loop.create_future()
        self._checkpoint.reserve(stream.row, first, first + count, lambda: self._loop.call_soon_threadsafe(_resolve, reserved))
        await reserved
        return first

    def withdraw(self, entry: Entry) -> None:
        """It was prepared and is not to be sent after all."""
        self._prepared.pop(entry, None)
        self._checkpoint.acknowledge(entry.stream.row, [entry.range.sequence], None, lambda: None)

    # --- acknowledged -----------------------------------------------------------------------------------------------------------
    def part_done(self, entries: Sequence[Entry]) -> None:
        """One part of each of these is acknowledged, or is in the dead letters; an entry may be there several times."""
        done: dict[Stream, list[Entry]] = {}
        for entry in entries:
            entry.unacknowledged -= 1
            if not entry.unacknowledged:
                done.setdefault(entry.stream, []).append(entry)
        self._settle(done)

    def settle(self, stream: Stream, entries: Sequence[Entry]) -> None:
        """Entries have no part left that is not acknowledged: tell the checkpoint, then their input."""
        self._settle({stream: entries})

    def _settle(self, done: Mapping[Stream, Sequence[Entry]]) -> None:
        """Of many streams at once: thousands of files may have a line each in a request."""
        entries = [entry for whole in done.values() for entry in whole]
        self.ranges -= len(entries)
        _tell_senders(entries)
        for entry in entries:
            self._prepared.pop(entry, None)
        moved = {stream: stream.advance() for stream in done}
        acknowledged = [
            Acknowledged(stream.row, [entry.range.sequence for entry in whole], moved[stream]) for stream, whole in done.items()
        ]
        self._checkpoint.acknowledge_all(acknowledged, self._when_durable(entries))
        for stream, place in moved.items():
            if place is not None:
                self._moved(stream)
            if stream.ended:
                self._forget_if_done(stream)

    def _when_durable(self, entries: Sequence[Entry]) -> Callable[[], None]:
        told = [(self._durable[entry.stream], entry.range) for entry in entries]
        kept = [entry.kept for entry in entries if entry.kept is not None]

        def done() -> None:
            if kept:
                release(kept)
                self._released()
            for durable, one in told:
                durable(one)

        return done

    def end(self, stream: Stream, opening: int) -> None:
        """Nothing more comes of what was opened as the `opening`-th."""
        if stream.openings == opening:  # else its reader came back to it meanwhile
            stream.ended = True
            self._forget_if_done(stream)

    def _forget_if_done(self, stream: Stream) -> None:
        if stream.ended and not stream.under_way:
            self._durable.pop(stream, None)
            forget = partial(self._checkpoint.forget, stream.id, lambda: self._loop.call_soon_threadsafe(self._forgotten, stream))
            self._ended(stream, forget)


def _tell_senders(entries: Sequence[Entry]) -> None:
    """What of theirs is acknowledged as a whole."""
    told: dict[Sender, tuple[int, int]] = {}
    for entry in entries:
        if entry.sender is not None:
            ranges, events = told.get(entry.sender, (0, 0))
            told[entry.sender] = ranges + 1, events + entry.events
    for sender, (ranges, events) in told.items():
        sender.acknowledged(ranges, events)


def _nobody(_done: Range) -> None:
    """Whose input is not there: it is told nothing."""


def _resolve(durable: "asyncio.Future[None]") -> None:
    if not durable.done():
        durable.set_result(None)
