"""The commit path: from a request to the moment when it may be acknowledged (DESIGN §4.3 "Server", §4.6).

Repeats first, then room, then the bodies; then one journal record for the whole request, and its fdatasync.
"""

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tailrace.batch import EventBatch
from tailrace.errors import ApiError, BusyError
from tailrace.journal.group import GroupCommit
from tailrace.pipeline.contract import Identity
from tailrace.server.store import columns, identities, records
from tailrace.server.store.buffers import Pending
from tailrace.server.store.cursors import Cursors, ShardChooser
from tailrace.server.store.identities import Identities, Verdict
from tailrace.server.store.port import Committed, Package, Write

MARK_AHEAD_SECS = 900.0
"""Events that lie further in the future are marked when the write has no window of its own."""
MAX_BACKLOG_BYTES = 256 << 20
MIN_FREE_DISK = 0.05
LATER = "try again in a few seconds"

SequenceKey = tuple[records.StreamKey, int]


@dataclass(slots=True)
class _InFlight:
    """A sequence with parts that are being written and not durable yet."""

    content: records.SequenceState
    parts: dict[int, "asyncio.Future[None]"] = field(default_factory=dict)


class Intake:
    """Takes requests in. All methods run on the event loop; bodies are decoded on threads of their own."""

    def __init__(
        self,
        *,
        commits: GroupCommit,
        known: Identities,
        cursors: Cursors,
        directory: Path,
        clock: Callable[[], float],
        backlog: Callable[[], int],
        lag: Callable[[int], float],
        max_lag_secs: float,
        applied: Callable[[Pending], None],
    ) -> None:
        """`lag`: seconds for which the oldest request of a logstore has waited for the engine. Above `max_lag_secs` no new ones are
        taken in, nor while one has waited so long for the journal; 0 is no bound."""
        self._commits = commits
        self._known = known
        self._cursors = cursors
        self._shards = ShardChooser()
        self._clock = clock
        self._backlog, self._lag, self._max_lag = backlog, lag, max_lag_secs or float("inf")
        self._taking: dict[asyncio.Task[None], float] = {}
        """Requests on their way into the journal, the oldest first, and since when."""
        self._applied = applied
        self._disk = _Disk(directory)
        self._in_flight: dict[SequenceKey, _InFlight] = {}
        self._placing: Counter[records.ShardKey] = Counter()
        """Packages whose shard is chosen and which are not durable yet."""
        self._decoders = ThreadPoolExecutor(os.cpu_count() or 1, "decode")

    def close(self) -> None:
        self._decoders.shutdown(wait=True)

    async def commit(self, write: Write) -> list[Committed]:
        """See `Store.commit`."""
        while True:
            verdicts, others = self._classify(write)
            if not others:
                break
            await asyncio.wait(others)
        new = [package for package, verdict in zip(write.packages, verdicts, strict=True) if verdict is Committed.NEW]
        if new:
            self._check_room(write.table.logstore)
            shards = self._shards.choose(write, new)
            if write.admit is not None:
                write.admit(new, shards)
            task = asyncio.create_task(self._take(write, new, shards, self._reserve(write, new, shards)))
            self._taking[task] = time.monotonic()
            task.add_done_callback(self._taking.pop)
            # A caller that goes away must not free the reservation while the record may still become durable.
            await asyncio.shield(task)
        return verdicts

    def is_placing(self, shard: records.ShardKey) -> bool:
        """Whether something is on its way into the journal that will stand in this shard."""
        return shard in self._placing

    # --- repeats ----------------------------------------------------------------------------------------------------------------
    def _classify(self, write: Write) -> tuple[list[Committed], set["asyncio.Future[None]"]]:
        """What each package is, and the commits to wait for before that can be told. Raises ForkError."""
        verdicts: list[Committed] = []
        others: set[asyncio.Future[None]] = set()
        own: dict[SequenceKey, records.SequenceState] = {}
        for package in write.packages:
            verdict = Committed.NEW
            if package.agent and package.identity is not None:
                key = identities.stream_key(write.table.logstore, package.agent, package.identity)
                if self._known.check(key, package.identity) is Verdict.DUPLICATE:
                    verdict = Committed.DUPLICATE
                elif not identities.is_farewell(package.identity):
                    others |= self._first_copies(key, package.identity)
                    verdict = _within_request(own, key, package.identity)
            verdicts.append(verdict)
        return verdicts, others

    def _first_copies(self, key: records.StreamKey, identity: Identity) -> set["asyncio.Future[None]"]:
        flying = self._in_flight.get((key, identity.sequence))
        if flying is None:
            return set()
        if not identities.same_content(flying.content, identity):
            raise identities.fork(key, identity)
        return {flying.parts[identity.part]} if identity.part in flying.parts else set()

    def _reserve(self, write: Write, new: Sequence[Package], shards: Sequence[int]) -> Callable[[], None]:
        """Mark identities and shards as being written; the result ends that."""
        places = Counter((write.table.logstore, shard) for shard in shards)
        self._placing += places
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        reserved: list[tuple[SequenceKey, int]] = []
        for package in new:
            if package.agent and (identity := package.identity) is not None and not identities.is_farewell(identity):
                key = (identities.stream_key(write.table.logstore, package.agent, identity), identity.sequence)
                content = records.SequenceState(identity.start, identity.end, identity.fingerprint, identity.parts)
                self._in_flight.setdefault(key, _InFlight(content)).parts[identity.part] = done
                reserved.append((key, identity.part))

        def release() -> None:
            self._placing -= places
            for key, part in reserved:
                flying = self._in_flight[key]
                del flying.parts[part]
                if not flying.parts:
                    del self._in_flight[key]
            done.set_result(None)

        return release

    # --- new packages -------------------------------------------------------------------------------------------------------------
    async def _take(self, write: Write, new: Sequence[Package], shards: Sequence[int], release: Callable[[], None]) -> None:
        try:
            loop = asyncio.get_running_loop()
            decoded = await loop.run_in_executor(self._decoders, _decode, new, write.window, self._clock())
            now = self._clock()
            packages = [_package_record(package, group, shard) for package, group, shard in zip(new, decoded, shards, strict=True)]
            ahead = MARK_AHEAD_SECS if write.window is None else None
            await self._append(records.RequestRecord(write.table.logstore, int(now * 1000), packages, ahead), decoded)
        finally:
            release()

    async def _append(self, request: records.RequestRecord, decoded: list[EventBatch]) -> None:
        def build() -> list[tuple[int, bytes]]:
            self._cursors.place(request)
            return [records.encode(request)]

        def applied(ids: list[int]) -> None:
            self._known.apply(request)
            self._cursors.apply(request)
            self._applied(Pending(ids[0], request, decoded, time.monotonic()))

        await self._commits.submit(build, undo=lambda: self._cursors.undo(request), applied=applied)

    # --- room ---------------------------------------------------------------------------------------------------------------------
    def _check_room(self, logstore: int) -> None:
        if time.monotonic() - next(iter(self._taking.values()), float("inf")) > self._max_lag:
            raise BusyError(f"the journal has not been written for more than {self._max_lag:.0f} s", hint=LATER)
        if self._lag(logstore) > self._max_lag:
            raise BusyError(f"logs have waited for the storage engine for more than {self._max_lag:.0f} s", hint=LATER)
        if self._backlog() > MAX_BACKLOG_BYTES:
            raise BusyError(f"more than {MAX_BACKLOG_BYTES >> 20} MB wait for the storage engine", hint=LATER)
        if self._disk.free() < MIN_FREE_DISK:
            raise BusyError(f"less than {MIN_FREE_DISK:.0%} of the disk is free", hint="free some space or shorten a logstore's ttl")


class _Disk:
    """Share of the disk that is free, asked at most once a second."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._asked_at = float("-inf")
        self._free = 1.0

    def free(self) -> float:
        if time.monotonic() - self._asked_at > 1.0:
            usage = shutil.disk_usage(self._directory)
            self._free, self._asked_at = usage.free / usage.total, time.monotonic()
        return self._free


def _within_request(own: dict[SequenceKey, records.SequenceState], key: records.StreamKey, identity: Identity) -> Committed:
    """The second copy within one request is a repeat too. Raises ForkError."""
    fresh = records.SequenceState(identity.start, identity.end, identity.fingerprint, identity.parts)
    known = own.setdefault((key, identity.sequence), fresh)
    if not identities.same_content(known, identity):
        raise identities.fork(key, identity)
    if known.stored >> identity.part & 1:
        return Committed.DUPLICATE
    known.stored |= 1 << identity.part
    return Committed.NEW


def _decode(packages: Sequence[Package], window: tuple[float, float] | None, now: float) -> list[EventBatch]:
    decoded = [columns.decode(package.body, package.compression, package.raw_size) for package in packages]
    if window is not None:
        _check_window(window, decoded, now)
    return decoded


def _check_window(window: tuple[float, float], decoded: Iterable[EventBatch], now: float) -> None:
    before, after = window
    for group in decoded:
        times = group.times
        if not times:
            continue
        oldest, newest = (ns / columns.NS - now for ns in (min(times), max(times)))
        if oldest < -before or newest > after:
            off = oldest if oldest < -before else newest
            raise ApiError(
                400, "PostBodyInvalid", f"the time of a log is {off:+.0f} s off, more than -{before:.0f} to +{after:.0f} s are refused"
            )


def _package_record(package: Package, group: EventBatch, shard: int) -> records.PackageRecord:
    record = records.PackageRecord(package.body, package.compression, package.raw_size, len(group), shard, 0, 0)
    identity = package.identity
    if not package.agent or identity is None:
        record.stream, record.sequence = _pack_id(group)
        return record
    record.agent, record.epoch, record.stream = package.agent, identity.epoch, int(identity.stream, 16)
    record.sequence, record.part, record.parts = identity.sequence, identity.part, identity.parts
    record.start, record.end, record.fingerprint = identity.start, identity.end, identity.fingerprint
    record.acknowledged_below, record.ended, record.has_identity = identity.acknowledged_below, identity.ended, True
    return record


def _pack_id(group: EventBatch) -> tuple[int, int]:
    """(stream, sequence) of a `__pack_id__` tag, `<up to 16 hex digits>-<hex>`; zeros without one or when it reads otherwise."""
    text = dict(group.tags).get(b"__pack_id__", b"")
    stream, _, sequence = text.partition(b"-")
    try:
        return int(stream, 16) & (1 << 64) - 1, int(sequence, 16) & (1 << 64) - 1
    except ValueError:
        return 0, 0
