"""What the store knows of agents' streams, so that every part of every sequence is stored once (DESIGN §4.3).

Per stream: a low watermark, which follows what the agent calls acknowledged, and above it each stored sequence with its content's
fingerprint. A stream that has ended and is acknowledged is forgotten when no late repeat can come any more, any other after 30 days without
a word.
"""

import enum
from collections import deque
from collections.abc import Iterator

from tailrace.batch import fingerprint
from tailrace.errors import ForkError
from tailrace.pipeline.contract import Identity
from tailrace.server.store.records import PackageRecord, RequestRecord, SequenceState, StateRecord, StreamKey, StreamState
from tailrace.wire.identity import StoredEnd

MAX_ABOVE = 4096
"""Sequences kept above the watermark; an agent that never acknowledges does not grow the state beyond that."""
RECENT = 32
"""Sequences below the watermark of which a digest is kept, and all that the last word of the agent has put there. An agent that was killed
repeats what it had not yet noted as acknowledged: that of half a second. One that sends anything else went back to an older state, and one
that is taken for that loses nothing by it."""
DIGEST_BYTES = 8
EXPIRY_MS = 30 * 86_400_000
ENDED_MS = 600_000
"""How long an ended stream is known: a repeat may lie that long in a proxy or in a queue (docs/specs/batch-form.md)."""


class Verdict(enum.Enum):
    NEW = "new"
    DUPLICATE = "duplicate"


def stream_key(logstore: int, agent: str, identity: Identity) -> StreamKey:
    return logstore, agent, identity.epoch, int(identity.stream, 16)


class Identities:
    """Changed only by `apply` and `forget`, in journal order."""

    def __init__(self, ended_ms: int = ENDED_MS) -> None:
        self._streams: dict[StreamKey, StreamState] = {}
        self._ended: deque[tuple[int, StreamKey]] = deque()
        """When a stream ended, in ms, oldest first."""
        self._ended_ms = ended_ms

    def __len__(self) -> int:
        return len(self._streams)

    def check(self, key: StreamKey, identity: Identity) -> Verdict:
        """Raises ForkError when the sequence is known with other content."""
        stream = self._streams.get(key)
        if is_farewell(identity):
            return Verdict.NEW if stream is not None and not (stream.ended and stream.low >= identity.sequence) else Verdict.DUPLICATE
        if stream is None:
            return Verdict.NEW
        known = stream.above.get(identity.sequence)
        if identity.sequence < stream.low:
            if not _was_there(stream, identity):
                raise fork(key, identity)
            return Verdict.DUPLICATE
        if known is None:
            return Verdict.NEW
        if not same_content(known, identity):
            raise fork(key, identity)
        return Verdict.DUPLICATE if known.stored >> identity.part & 1 else Verdict.NEW

    def apply(self, request: RequestRecord) -> None:
        """Take in what a durable request record says."""
        for package in request.packages:
            if package.has_identity:
                self._apply(request, package)

    def forget(self, logstore: int) -> None:
        self._streams = {key: stream for key, stream in self._streams.items() if key[0] != logstore}

    def ends(self, agent: str, epoch: bytes | None) -> dict[str, StoredEnd]:
        """Per stream the end of its stored prefix; over all epochs unless one is named."""
        ends: dict[str, StoredEnd] = {}
        for (_, owner, known_epoch, stream), state in self._streams.items():
            if owner == agent and epoch in (None, known_epoch) and (found := _prefix_end(state)).end:
                name = f"{stream:016X}"
                ends[name] = max(ends.get(name, found), found, key=lambda one: one.end)
        return ends

    def stored(self, agent: str, epoch: bytes, stream: int) -> list[tuple[int, int]]:
        """The ranges `[start, end)` of a stream that are stored whole, in order and joined. What its agent called acknowledged is stored,
        or there was nothing of it to store."""
        found: list[tuple[int, int]] = []
        for (_, owner, known_epoch, known_stream), state in self._streams.items():
            if (owner, known_epoch, known_stream) == (agent, epoch, stream):
                found += [(0, state.low_end)] if state.low_end else []
                found += [(one.start, one.end) for one in state.above.values() if _is_whole(one)]
        return _joined(found)

    def acknowledged_below(self, key: StreamKey) -> int | None:
        """The sequence below which all is acknowledged, for all that the agent has said; None for a stream that nothing is known of."""
        stream = self._streams.get(key)
        return None if stream is None else stream.low

    def forget_ended(self, now_ms: int) -> None:
        """Drop the streams whose end lies long enough back."""
        while self._ended and self._ended[0][0] + self._ended_ms <= now_ms:
            at_ms, key = self._ended.popleft()
            stream = self._streams.get(key)
            if stream is not None and _is_over(stream) and stream.seen_ms <= at_ms:
                del self._streams[key]

    def snapshot(self, now_ms: int) -> list[tuple[StreamKey, StreamState]]:
        """The state to journal; what has expired is left out, here and there."""
        self.forget_ended(now_ms)
        self._streams = {key: state for key, state in self._streams.items() if now_ms - state.seen_ms < EXPIRY_MS}
        return list(self._streams.items())

    def restore(self, snapshot: StateRecord) -> None:
        self._streams = dict(snapshot.streams)
        self._ended = deque(sorted((stream.seen_ms, key) for key, stream in snapshot.streams if _is_over(stream)))

    def _apply(self, request: RequestRecord, package: PackageRecord) -> None:
        key = (request.logstore, package.agent, package.epoch, package.stream)
        stream = self._streams.setdefault(key, StreamState(above={}))
        stream.seen_ms = max(stream.seen_ms, request.recv_ms)
        # A stream whose file comes back under the same name goes on with higher sequences.
        stream.ended = package.ended or (stream.ended and package.sequence < stream.low)
        if package.sequence >= stream.low and not is_farewell(package):
            fresh = SequenceState(package.start, package.end, package.fingerprint, package.parts)
            stream.above.setdefault(package.sequence, fresh).stored |= 1 << package.part
        _raise_low(stream, package.acknowledged_below)
        if len(stream.above) > MAX_ABOVE:
            _raise_low(stream, sorted(stream.above)[MAX_ABOVE // 2])
            stream.recent = b""  # its agent has not said that it will repeat none of these
        if _is_over(stream):
            self._ended.append((stream.seen_ms, key))


def is_farewell(identity: Identity | PackageRecord) -> bool:
    """Whether it says only that the stream has ended and is acknowledged: it covers nothing, and its sequence stays free."""
    return identity.ended and identity.start == identity.end and identity.sequence <= identity.acknowledged_below


def _is_over(stream: StreamState) -> bool:
    return stream.ended and not stream.above


def same_content(known: SequenceState, identity: Identity) -> bool:
    return (known.start, known.end, known.fingerprint, known.parts) == (identity.start, identity.end, identity.fingerprint, identity.parts)


def _was_there(stream: StreamState, identity: Identity) -> bool:
    """Whether a sequence below the watermark may be a repeat."""
    if stream.recent:
        digest = _digest(identity.sequence, identity)
        return any(stream.recent[at : at + DIGEST_BYTES] == digest for at in range(0, len(stream.recent), DIGEST_BYTES))
    # What is stored below the watermark ends at `low_end`: a range that goes beyond it cannot be one of those.
    return identity.end <= max(stream.low_end, identity.start)


def _digest(sequence: int, one: Identity | SequenceState) -> bytes:
    return fingerprint(b"%d %d %d %d " % (sequence, one.start, one.end, one.parts) + one.fingerprint)[:DIGEST_BYTES]


def fork(key: StreamKey, identity: Identity) -> ForkError:
    return ForkError(
        f"agent `{key[1]}` sent other content under pack id `{identity.pack_id}`, part {identity.part}",
        hint="the agent's state was copied or rolled back: it has to renew its epoch and resume at the stored ends",
    )


def _raise_low(stream: StreamState, low: int) -> None:
    if low <= stream.low:
        return
    # A sequence of which nothing had to be sent (all filtered out) is acknowledged and not here: the end is that of the last one that is.
    last = max((state for sequence, state in stream.above.items() if sequence < low), key=lambda state: state.end, default=None)
    if last is not None and last.end > stream.low_end:
        stream.low_start, stream.low_end, stream.low_fingerprint = last.start, last.end, last.fingerprint
    passed = b"".join(_digest(sequence, stream.above[sequence]) for sequence in sorted(stream.above) if sequence < low)
    stream.recent = (stream.recent + passed)[-max(RECENT * DIGEST_BYTES, len(passed)) :]
    stream.low = low
    stream.above = {sequence: state for sequence, state in stream.above.items() if sequence >= low}


def _complete(stream: StreamState, first: int) -> Iterator[SequenceState]:
    while (state := stream.above.get(first)) is not None and _is_whole(state):
        yield state
        first += 1


def _is_whole(state: SequenceState) -> bool:
    """Whether all its parts are stored."""
    return state.stored == (1 << state.parts) - 1


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _prefix_end(stream: StreamState) -> StoredEnd:
    """At 0 when nothing is known to be whole. Sequences of a stream begin at 0 or 1."""
    first = stream.low if stream.low or 0 in stream.above else 1
    end = StoredEnd(stream.low_end, stream.low_start, stream.low_fingerprint)
    for state in _complete(stream, first):
        end = StoredEnd(state.end, state.start, state.fingerprint)
    return end
