"""The thread that writes the checkpoint: everything that waits goes into one transaction (group commit).

What must be durable before something happens (a range before its first send) is committed at once and calls back; what only saves work
after a crash (acknowledgements) rides along, or waits at most LAZY_SECS. The thread is woken only for what is urgent: waking it costs more
than most of what it is told.
"""

import contextlib
import json
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tailrace import telemetry
from tailrace.agent.checkpoint.database import CAUGHT_UP, MISSING, ROLLED_BACK, Database
from tailrace.agent.checkpoint.opening import COPY
from tailrace.agent.checkpoint.rows import StreamRow, Values
from tailrace.pipeline.contract import Position, Range

LAZY_SECS = 0.5
COPY_SECS = 600.0
RETRY_SECS = 1.0

Callback = Callable[[], object]


class Acknowledged(NamedTuple):
    """Of one stream: its row as it was opened, ranges of it by their sequences, and the acknowledged prefix where that moved."""

    opened: StreamRow
    sequences: Iterable[int]
    prefix: tuple[int, Position] | None


@dataclass(slots=True)
class _Batch:
    """The operations of one transaction, folded."""

    configs: dict[str, str] = field(default_factory=dict[str, str])
    streams: dict[str, StreamRow] = field(default_factory=dict[str, StreamRow])
    prepared: list[Values] = field(default_factory=list[Values])
    acknowledged: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    forgotten: list[str] = field(default_factory=list[str])
    callbacks: list[Callback] = field(default_factory=list[Callback])
    notes: dict[str, bytes] = field(default_factory=dict[str, bytes])
    urgent: bool = False
    pending: bool = False


class CheckpointWriter:
    """Owns the database from `start` to `stop`. Its methods may be called from any thread and return at once.

    Callbacks run on the writer's thread after the commit, in the order of the calls; they must be short.
    """

    def __init__(self, database: Database, streams: dict[str, StreamRow], configs: dict[str, str]) -> None:
        """`streams` and `configs` are what the checkpoint knows; whoever holds them sees what is added."""
        self._database = database
        self._streams = streams
        self._configs = configs
        self._lock = threading.RLock()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sleeps_until = 0.0
        """Monotonic seconds; 0 while the thread is awake, or has been rung for."""
        self._due = 0.0
        """When what is not urgent has waited long enough."""
        self._batch = _Batch()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._commits = telemetry.counter("tailrace_agent_checkpoint_commits_total", "Durable commits of the checkpoint.")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, then close."""
        with self._lock:
            self._stopping = True
            self._ring()
        self._thread.join()

    # --- operations -------------------------------------------------------------------------------------------------------------
    def keep_config(self, version: str, text: str) -> None:
        """Becomes durable with the next prepared range, which may need it."""
        with self._lock:
            if version not in self._configs:
                self._configs[version] = text
                self._batch.configs[version] = text

    def prepare(self, ranges: list[tuple[StreamRow, Range, int]], done: Callback) -> None:
        """Make ranges durable, each (its stream as it was opened, the range, its number of parts); then call `done`."""
        with self._lock:
            for opened, prepared, parts in ranges:
                row = self._streams.get(opened.id) or self._row(opened)  # what the range says of a row that is durable need not be written
                self._batch.prepared.append(row.prepared(prepared, parts))
                if row.next is not prepared.position or row.first_free != prepared.sequence + 1:  # a load would not go on behind it
                    self._batch.streams[row.id] = row
            self._hurry(done)

    def reserve(self, opened: StreamRow, first: int, following: int, done: Callback) -> None:
        """Sequences of the stream from `first` to below `following` are used up; then call `done`."""
        with self._lock:
            self._row(opened).reserve(first, following)
            self._hurry(done)

    def acknowledge(self, opened: StreamRow, sequences: Iterable[int], prefix: tuple[int, Position] | None, done: Callback) -> None:
        """Prepared ranges are acknowledged; `prefix` is (last sequence, position) of the acknowledged prefix where it moved."""
        self.acknowledge_all([Acknowledged(opened, sequences, prefix)], done)

    def acknowledge_all(self, streams: Iterable["Acknowledged"], done: Callback) -> None:
        """The same for ranges of many streams."""
        with self._lock:
            now, sequences = int(time.time()), self._batch.acknowledged
            for one in streams:
                row = self._row(one.opened, now)
                if one.prefix is not None:
                    through, row.committed = one.prefix
                    if through >= row.next_sequence:  # its end was never prepared, because nothing of it was to be sent
                        row.goes_on(row.committed, through + 1)
                sequences += [(row.id, sequence) for sequence in one.sequences]
            self._batch.callbacks.append(done)
            self._wait_for_company()

    def keep(self, rows: Iterable[StreamRow]) -> None:
        """Streams whose row has changed otherwise."""
        with self._lock:
            for row in rows:
                self._batch.streams[row.id] = row
                self._wait_for_company()

    def remember(self, opened: StreamRow, position: Position, below: int = 0) -> None:
        """A position that no range led to. Where ranges with sequences `below` that number are still to be prepared, it is kept when they
        are: until then the stream must go on before them."""
        with self._lock:
            row = self._row(opened)
            if row.remember(position, below):
                self._wait_for_company()

    def forget(self, id_: str, done: Callback | None = None) -> None:
        """A stream that ended and is acknowledged to its end. Then `done`, when that is durable."""
        with self._lock:
            self._streams.pop(id_, None)
            self._batch.streams.pop(id_, None)
            self._batch.prepared = [values for values in self._batch.prepared if values[0] != id_]
            self._batch.forgotten.append(id_)
            if done is not None:
                self._batch.callbacks.append(done)
            self._wait_for_company()

    def barrier(self, done: Callback) -> None:
        """Call `done` when everything asked for before is durable."""
        with self._lock:
            self._hurry(done)

    def caught_up(self, targets: Iterable[str] | None = None) -> None:
        """What the servers of these targets said of our streams has been remembered; None: all that there is to ask was asked."""
        if targets is None:
            self._note(ROLLED_BACK, b"")
        self._note(CAUGHT_UP, json.dumps(sorted(targets)).encode() if targets is not None else b"")

    def missing(self, targets: Mapping[str, float]) -> None:
        """All targets that do not exist, each with the time since when."""
        self._note(MISSING, json.dumps(targets).encode())

    def _note(self, name: str, value: bytes) -> None:
        with self._lock:
            self._batch.notes[name] = value
            self._wait_for_company()

    def _row(self, opened: StreamRow, now: int = 0) -> StreamRow:
        row = self._streams.setdefault(opened.id, opened)
        self._batch.streams[row.id] = row
        row.updated = now or int(time.time())
        return row

    def _wait_for_company(self) -> None:
        if not self._batch.pending:
            self._batch.pending = True
            self._due = time.monotonic() + LAZY_SECS
            if self._sleeps_until > self._due:
                self._ring()

    def _hurry(self, done: Callback) -> None:
        self._batch.callbacks.append(done)
        self._batch.pending = True
        if not self._batch.urgent:
            self._batch.urgent = True
            self._ring()

    def _ring(self) -> None:
        if self._sleeps_until:
            self._sleeps_until = 0.0
            self._bell.put(None)

    # --- the thread -------------------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        copy_at = time.monotonic() + COPY_SECS
        while True:
            batch, rows, last = self._next(copy_at)
            if batch.pending:
                self._commit(batch, rows)
            if time.monotonic() >= copy_at:
                self._copy()
                copy_at = time.monotonic() + COPY_SECS
            if last:
                self._database.close()
                return

    def _next(self, copy_at: float) -> tuple[_Batch, list[Values], bool]:
        """The next transaction's operations, its stream rows as they are at this moment, and whether it is the last one."""
        # What was just committed is acknowledged within this time, most often: that finds the thread waking up by itself.
        rest_until = time.monotonic() + LAZY_SECS
        while True:
            with self._lock:
                now = time.monotonic()
                wake_at = self._wake_at(copy_at, rest_until if now < rest_until else math.inf)
                if wake_at <= now or (self._batch.pending and now >= rest_until):
                    return self._taken()
                self._sleeps_until = wake_at
            with contextlib.suppress(queue.Empty):
                self._bell.get(timeout=wake_at - now)

    def _wake_at(self, copy_at: float, rest_until: float) -> float:
        if self._batch.urgent or self._stopping:
            return 0.0
        return min(copy_at, rest_until, self._due if self._batch.pending else math.inf)

    def _taken(self) -> tuple[_Batch, list[Values], bool]:
        self._sleeps_until = 0.0
        if not self._batch.pending:  # woken for the copy: a config that waits for its first range waits on
            return _Batch(), [], self._stopping
        batch, self._batch = self._batch, _Batch()
        return batch, [row.values() for row in batch.streams.values()], self._stopping

    def _commit(self, batch: _Batch, rows: list[Values]) -> None:
        while True:
            try:
                self._database.commit(
                    configs=batch.configs,
                    prepared=batch.prepared,
                    acknowledged=batch.acknowledged,
                    streams=rows,
                    forgotten=batch.forgotten,
                    notes=batch.notes,
                )
                break
            except sqlite3.DatabaseError as error:
                # Nothing may be sent before it is durable: the whole agent waits for the disk.
                telemetry.alarm("CHECKPOINT_ALARM", "cannot write the checkpoint; sending waits for it", reason=str(error))
                if self._stopping:
                    return
                time.sleep(RETRY_SECS)
        self._commits.inc()
        for done in batch.callbacks:
            done()

    def _copy(self) -> None:
        try:
            self._database.copy(self._database.path.with_name(COPY))
        except (OSError, sqlite3.DatabaseError) as error:
            telemetry.alarm("CHECKPOINT_ALARM", "cannot write the copy of the checkpoint", reason=str(error))
