"""The streams of the agent at work: who reads each of them, what of it is under way, where its acknowledged prefix ends.

A stream belongs to (target, input key, stream key), not to a pipeline, so that a renamed pipeline takes over its streams and two flushers
never share a cursor. Its id follows from those three and the agent's id: even when the whole checkpoint is lost, the server can still be
asked about it. Sequences begin at the time of opening in ms, so that a stream that was forgotten and came back repeats no number.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from tailrace.agent.checkpoint import StreamRow
from tailrace.agent.delivery.precedence import LAST
from tailrace.agent.spool import Kept, Ref
from tailrace.agent.status.tally import StreamTally
from tailrace.batch import fingerprint
from tailrace.pipeline.contract import Flusher, Outcome, Position, Range, StreamState
from tailrace.wire.identity import StoredEnd

WINDOW: Final = 1024
"""Sequences, from the oldest one that is not acknowledged on, that may be sent. A server keeps at most 4096 above the first that it lacks
and, with more, takes all below the middle of them for stored: these and MOST_HALVES together never reach that middle."""
MOST_HALVES: Final = 1023


class Sender(Protocol):
    """Who put a range in and wants to know what became of it. Called on the event loop."""

    def acknowledged(self, ranges: int, events: int) -> None:
        """So many ranges of its own are acknowledged as a whole, with so many events."""
        ...

    def handed_over(self) -> None:
        """A range of its own had to be read again: it is another one's from now on."""
        ...

    def retried(self, events: int, outcome: Outcome) -> None:
        """A request with events of its own has to be sent again."""
        ...


@dataclass(slots=True, eq=False)
class Entry:
    """One range under way. Only the event loop touches it once it is queued."""

    stream: "Stream"
    range: Range
    parts: int
    unacknowledged: int
    """Parts that are not acknowledged yet."""
    events: int = 0
    sender: Sender | None = None
    kept: Ref | None = None
    """Where its payloads lie in the spool: it belongs to that then, and its source is not needed any more."""
    since: float = field(default_factory=time.monotonic)
    """When it was put in, in this session; monotonic seconds."""

    def comes_after(self, other: "Entry") -> bool:
        """In their stream."""
        return self.range.sequence > other.range.sequence


_NUMBERING = threading.Lock()


@dataclass(slots=True, eq=False)
class Stream:
    """One stream of one target."""

    row: StreamRow
    """As it was when it was opened or loaded; from then on it belongs to the checkpoint."""
    next_sequence: int
    """Taken with `take_sequences`."""
    acknowledged_below: int
    """Written by the event loop, read by all."""
    committed_end: int | None = None
    """End of the acknowledged prefix; None before anything was put in: then all that was read before is acknowledged."""
    tally: StreamTally = field(default_factory=StreamTally)
    owner: object | None = None
    ended: bool = False
    source_goes: bool = False
    """Its bytes cannot be read again: what is submitted belongs into the spool."""
    openings: int = 0
    """How often it was opened: an end that is told late ends only what was open then."""
    precedence: int = LAST
    """Class of its pipeline (`delivery.precedence`)."""
    left_at: Position | None = None
    """How far its readers have come, for the next one; None: as the checkpoint has it."""
    is_proven: bool = True
    """Whether its target has taken something of it, since it was loaded: until then its first range goes alone. Where our state is an older
    one, that is refused, and nothing behind it may be there by then. The event loop's."""
    to_replay: int = 0
    """Ranges that a former run prepared and that are not put in again yet."""
    under_way: deque[Entry] = field(default_factory=deque[Entry])
    """In sequence order. The event loop's."""
    halves: list[int] = field(default_factory=list[int])
    """Sequences that halves of refused log groups were given and that a server may have, above what is acknowledged. The event loop's."""

    @property
    def id(self) -> str:
        return self.row.id

    def take_sequences(self, count: int) -> int:
        """The first of `count` sequences that nothing else will have. From any thread."""
        with _NUMBERING:
            first, self.next_sequence = self.next_sequence, self.next_sequence + count
            return first

    def put(self, entry: Entry) -> Entry | None:
        """Under way now, in sequence order; the entry that it replaces, when its range had to be read again."""
        if not self.under_way or self.under_way[-1].range.sequence < entry.range.sequence:
            self.under_way.append(entry)
            return None
        index = next(at for at, one in enumerate(self.under_way) if one.range.sequence >= entry.range.sequence)
        before = self.under_way[index]
        if before.range.sequence != entry.range.sequence:
            self.under_way.insert(index, entry)
            return None
        self.under_way[index] = entry
        return before

    def admits(self, entry: Entry) -> bool:
        """Whether the range may be sent: not far beyond the oldest one that is not acknowledged, which may have to be sent again."""
        window = WINDOW if self.is_proven else 1
        return not self.under_way or entry.range.sequence < self.under_way[0].range.sequence + window

    def waits_for(self, done: Range) -> bool:
        """Whether the range is the oldest one that is not acknowledged; from any thread, so that it may be so no more."""
        oldest = next(iter(self.under_way.copy()), None)
        return oldest is not None and oldest.range.sequence == done.sequence

    def advance(self) -> tuple[int, Position] | None:
        """Drop what is acknowledged from the front; (last sequence, position) of the prefix when it moved."""
        done: Range | None = None
        while self.under_way and not self.under_way[0].unacknowledged:
            done = self.under_way.popleft().range
        if done is None:
            return None
        self.acknowledged_below, self.committed_end = done.sequence + 1, done.end
        self.halves = [half for half in self.halves if half > done.sequence]
        return done.sequence, done.position


class StreamTable:
    """All streams of the agent, by (target, input key) and stream key."""

    def __init__(self, agent_id: str, rows: Iterable[StreamRow], prepared: Mapping[str, list[Range]]) -> None:
        self._agent_id = agent_id
        self._lock = threading.Lock()
        self._streams: dict[tuple[str, str], dict[str, Stream]] = {}
        self._prepared = dict(prepared)
        self.stored_ends: dict[str, StoredEnd] = {}
        """What the server said of streams when it had to be asked."""
        self.spooled_ends: dict[str, StoredEnd] = {}
        """Where what the spool has of streams ends, of which the checkpoint may know less."""
        for row in rows:
            first = self._prepared[row.id][0].sequence if self._prepared.get(row.id) else row.next_sequence
            self._group(row.target, row.input)[row.key] = Stream(row, row.next_sequence, first, is_proven=False)

    @property
    def targets(self) -> set[str]:
        """Names of those that streams lead to."""
        with self._lock:
            return {target for (target, _), group in self._streams.items() if group}

    def states(self, target: str, input_key: str) -> list[StreamState]:
        """What the checkpoint knows of a group, for an input that starts."""
        with self._lock:
            return [self._state(stream) for stream in self._group(target, input_key).values()]

    def take_prepared(self, target: str, input_key: str) -> list[tuple[Stream, StreamState]]:
        """The streams of a group that have prepared ranges to replay; each is given out once."""
        with self._lock:
            found = [stream for stream in self._group(target, input_key).values() if stream.id in self._prepared]
            taken = [(stream, self._state(stream)) for stream in found]
            for stream in found:
                stream.to_replay = len(self._prepared.pop(stream.id))
            return taken

    def take_kept(self, kept: Kept) -> Stream | None:
        """The stream of a range in the spool, when that is the first of it which is prepared: the range is under way from now on."""
        with self._lock:
            prepared = self._prepared.get(kept.stream.id, [])
            if not prepared or not _same(prepared[0], kept.range):
                return None
            stream = self._find(kept.stream)
            if stream is not None:
                self._drop_prepared(stream.id, 1)
            return stream

    def prepared_of(self, input_key: str) -> list[tuple[Stream, Range]]:
        """All prepared ranges of an input that are not under way, in the order of their streams."""
        with self._lock:
            groups = [group for (_, key), group in self._streams.items() if key == input_key]
            return [(stream, one) for group in groups for stream in group.values() for one in self._prepared.get(stream.id, ())]

    def prepared_groups(self) -> dict[tuple[str, str], list[str]]:
        """(target, input key) → config versions of its prepared ranges, the oldest first, where there are some that nobody has taken on."""
        with self._lock:
            found: dict[tuple[str, str], list[str]] = {}
            for key, group in self._streams.items() if self._prepared else ():
                versions = [one.config_version for stream in group.values() for one in self._prepared.get(stream.id, ())]
                if versions:
                    found[key] = list(dict.fromkeys(versions))
            return found

    def withdraw(self, stream: Stream, done: Range) -> None:
        """A prepared range that nobody takes on any more."""
        with self._lock:
            left = [one for one in self._prepared.get(stream.id, ()) if one.sequence != done.sequence]
            if left:
                self._prepared[stream.id] = left
            else:
                self._prepared.pop(stream.id, None)

    def is_prepared(self, kept: Kept) -> bool:
        """Whether a range in the spool is not acknowledged, as far as the checkpoint knows; or may be one that a replay still takes on."""
        with self._lock:
            if (stream := self._find(kept.stream)) is not None and stream.to_replay:
                return True
            return any(_same(one, kept.range) for one in self._prepared.get(kept.stream.id, ()))

    def restore(self, kept: Kept) -> tuple[Stream, list[int]]:
        """The stream of a range in the spool that the checkpoint, lost or rolled back, may know nothing of; and the sequences before that
        range that were prepared: they are acknowledged, because the spool has all that were not.

        Called in the order of the sequences. What follows of the stream begins where the range ends, with higher sequences.
        """
        with self._lock:
            row, done = kept.stream, kept.range
            stream = self._find(row)
            if stream is None:
                stream = self._group(row.target, row.input)[row.key] = Stream(row, row.next_sequence, done.sequence)
            prepared = self._prepared.get(row.id, [])
            older = [one.sequence for one in prepared if one.sequence < done.sequence]
            self._drop_prepared(row.id, sum(one.sequence <= done.sequence for one in prepared))
            if not stream.under_way:
                stream.acknowledged_below = min(stream.next_sequence, done.sequence)
            stream.next_sequence = stream.row.next_sequence = max(stream.next_sequence, done.sequence + 1)
            if row.id not in self.spooled_ends or self.spooled_ends[row.id].end < done.end:
                self.spooled_ends[row.id] = StoredEnd(done.end, done.start, done.fingerprint)
            return stream, older

    def go_back(self, stream: Stream, ranges: Sequence[Range]) -> None:
        """These ranges, the last of the stream, are nobody's any more: its source is read anew from where the server has it."""
        with self._lock:
            self._prepared.pop(stream.id, None)
            stream.left_at = stream.row.next = stream.row.committed
            stream.next_sequence = stream.row.next_sequence = max(stream.next_sequence, ranges[-1].sequence + 1)
            stream.acknowledged_below = stream.next_sequence

    def ends_at(self, ids: Iterable[str]) -> StoredEnd | None:
        """Up to where the server, or the spool that goes to it, has a stream that had to be asked about; by any of its names."""
        ends = [known[id_] for id_ in ids for known in (self.stored_ends, self.spooled_ends) if id_ in known]
        return max(ends, key=lambda one: one.end, default=None)

    def take_up(self, stream: Stream, names: Iterable[str]) -> None:
        """A stream that had to be asked about was read on: whoever reads it next goes on where its reader stood, not at what was said."""
        for name in names if self.stored_ends or self.spooled_ends else ():
            id_ = self.stream_id(name, stream.row.input, stream.row.key)
            self.stored_ends.pop(id_, None)
            self.spooled_ends.pop(id_, None)

    def open(self, owner: object, target: str, input_key: str, key: str, position: Position, *, unmoved: bool = False) -> Stream | None:
        """The stream of `key`, made when it is new, now read by `owner`; None when another one reads it, or, `unmoved`, has read it on from
        `position` and left it."""
        with self._lock:
            group = self._group(target, input_key)
            stream = group.get(key)
            if stream is None:
                first = time.time_ns() // 1_000_000
                id_ = self.stream_id(target, input_key, key)
                stream = group[key] = Stream(StreamRow(id_, target, input_key, key, position, position, first), first, first)
            elif not _is_free(stream, owner, position if unmoved else None):
                return None
            stream.owner, stream.ended, stream.source_goes = owner, False, False
            stream.openings += 1
            return stream

    def find(self, target: str, input_key: str) -> dict[str, Stream]:
        """The streams of a group by id, as they are now."""
        with self._lock:
            return {stream.id: stream for stream in self._group(target, input_key).values()}

    def leave(self, stream: Stream, position: Position) -> None:
        """Its reader goes, the stream stays: another one may open it."""
        with self._lock:
            stream.left_at, stream.owner = position, None

    def release(self, stream: Stream, owner: object) -> None:
        """Its reader is over; another one may go on with what it has not put in."""
        with self._lock:
            if stream.owner is owner:
                stream.owner = None

    def give_back(self, stream: Stream, left: Sequence[Range]) -> None:
        """What `take_prepared` gave out and was not replayed: the next lane that asks for it has it."""
        with self._lock:
            self._prepared[stream.id] = list(left)
            stream.to_replay = 0

    def rename(self, formerly: Sequence[str], target: str) -> list[StreamRow]:
        """Streams of a target that had another name become the target's; the rows that changed. What is there already stays."""
        with self._lock:
            moved: list[StreamRow] = []
            for name, input_key in [both for both in self._streams if both[0] in formerly and both[0] != target]:
                before, after = self._streams[name, input_key], self._group(target, input_key)
                for key in [key for key in before if key not in after]:
                    stream = after[key] = before.pop(key)
                    stream.row.target = target
                    moved.append(stream.row)
            return moved

    def drop(self, stream: Stream, dropped: Callable[[], object]) -> None:
        """It ended and all of it is acknowledged. `dropped` is called before anyone can open its key again; not where someone has."""
        with self._lock:
            if not stream.ended:
                return
            dropped()
            self._group(stream.row.target, stream.row.input).pop(stream.row.key, None)

    def expire(self, before: int) -> list[str]:
        """Drop the streams that nobody reads and that did not change since `before` (seconds since the epoch); their ids.

        What has prepared ranges stays: it is data that was not delivered.
        """
        with self._lock:
            gone: list[str] = []
            for group in self._streams.values():
                for stream in list(group.values()):
                    undelivered = stream.under_way or stream.to_replay or stream.id in self._prepared
                    if stream.owner is None and not undelivered and stream.row.updated < before:
                        del group[stream.row.key]
                        gone.append(stream.id)
            return gone

    def stream_id(self, target: str, input_key: str, key: str) -> str:
        """16 upper-case hex digits."""
        name = f"{self._agent_id}\0{target}\0{input_key}\0{key}"
        return fingerprint(name.encode("utf-8", "surrogateescape"))[:8].hex().upper()

    def _find(self, row: StreamRow) -> Stream | None:
        groups = (group for (_, input_key), group in self._streams.items() if input_key == row.input and row.key in group)
        return next((group[row.key] for group in groups if group[row.key].id == row.id), None)

    def _drop_prepared(self, id_: str, count: int) -> None:
        left = self._prepared.get(id_, [])[count:]
        if left:
            self._prepared[id_] = left
        else:
            self._prepared.pop(id_, None)

    def _group(self, target: str, input_key: str) -> dict[str, Stream]:
        return self._streams.setdefault((target, input_key), {})

    def state_of(self, stream: Stream) -> StreamState:
        """What is known of it now."""
        with self._lock:
            return self._state(stream)

    def _state(self, stream: Stream) -> StreamState:
        row = stream.row
        return StreamState(row.id, row.key, row.committed, _stands_at(stream), stream.next_sequence, list(self._prepared.get(row.id, ())))


def _stands_at(stream: Stream) -> Position:
    return stream.left_at if stream.left_at is not None else stream.row.next


def _is_free(stream: Stream, owner: object, at: Position | None) -> bool:
    """For `owner`, who has looked it up when it stood `at` that position; None: wherever that is."""
    if stream.owner is not None:
        return stream.owner is owner
    return at is None or stream.ended or _stands_at(stream) == at


def names_of(flusher: Flusher) -> list[str]:
    """Those that its destination has and had, the present one first."""
    return [flusher.destination, *flusher.formerly]


def _same(prepared: Range, kept: Range) -> bool:
    return (prepared.sequence, prepared.start, prepared.end, prepared.fingerprint) == (
        kept.sequence,
        kept.start,
        kept.end,
        kept.fingerprint,
    )
