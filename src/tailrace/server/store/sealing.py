"""From the journal into the engine: requests become sealed blocks, blocks are inserted once each (DESIGN §4.6).

A block's bounds and token are fixed by a durable seal record before the engine sees it; replay inserts the same block under the same token,
which the engine takes for a repeat if it has it. One bad block, logstore or engine start never stops the others.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tailrace import telemetry
from tailrace.batch import DecodeError, EventBatch
from tailrace.errors import BusyError, EngineError, StateError
from tailrace.journal import Journal
from tailrace.journal.group import GroupCommit
from tailrace.server.store import columns, records, schema
from tailrace.server.store.block_file import BlockFiles
from tailrace.server.store.buffers import LONGEST_SECS, Block, Buffer, Pending
from tailrace.server.store.engine import Engine, EngineGoneError
from tailrace.server.store.pace import Pace
from tailrace.server.store.port import FieldIndex, TableSpec

BLOCKS_PER_SEC_PER_CORE = 10, 20
"""At least and at most, by how long the engine takes for one."""
GROUPS_BYTES = 128 << 20
"""Of decoded groups kept for blocks to come; beyond that they are decoded a second time."""
RETRY_SECS = 5.0
SMALL_ROWS = 5_000
"""Below that an insertion costs about the same, most of it waiting for the disk."""
LARGE_SLOTS = 2
"""Slots of a block that is not small."""

UNKNOWN_TABLE, NO_SUCH_COLUMN = 60, 16
TRANSIENT = {74, 75, 76, 159, 173, 202, 209, 210, 243, 252, 394}
"""Engine errors that pass: files that cannot be read or written, time-outs, too many queries, no space, too many parts, cancelled."""
MEMORY_LIMIT = 241
PATIENCE = {MEMORY_LIMIT: 20}
"""Attempts before a block is set aside, by engine error; 5 for those that do not pass by themselves."""
MAX_CRASHES = 5
QUARANTINE = "quarantine"
"""Directory of the blocks that were set aside, each a journal."""
PAUSE_SECS = 60.0
"""How long a pause waits for blocks that are with the engine."""

_log = telemetry.logger("server.store")
_inserted = telemetry.counter("tailrace_store_inserted_rows_total", "Rows that went into the storage engine.")
_blocks = telemetry.counter("tailrace_store_blocks_total", "Blocks by outcome.", "outcome")
_searchable = telemetry.histogram("tailrace_store_searchable_seconds", "From a write that is durable to where it can be found.")
_inserting = telemetry.histogram("tailrace_store_insert_seconds", "Of one block: its columns, and the engine's answer that it has it.")
_interval = telemetry.gauge("tailrace_store_seal_interval_seconds", "Time the insert budget leaves between two blocks of one logstore.")


class Sealer:
    """Owns the buffers. All methods run on the event loop; only building columns and engine calls leave it."""

    def __init__(
        self, engine: Engine, commits: GroupCommit, directory: Path, tables: dict[int, TableSpec], on_progress: Callable[[], None]
    ) -> None:
        self.backlog_bytes = 0
        """Bytes of bodies in the journal that the engine does not have."""
        self._engine = engine
        self._commits = commits
        self._quarantine = directory / QUARANTINE
        self._tables = tables
        self._on_progress = on_progress
        self._buffers: dict[int, Buffer] = {}
        self._groups_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._flushing = 0
        self._pauses = 0
        cores = os.cpu_count() or 1
        self._slots = _Slots(engine.settings.insert_threads)
        least, most = BLOCKS_PER_SEC_PER_CORE
        self._pace = Pace(least * cores, most * cores, self._slots.size)
        self._builders = ThreadPoolExecutor(cores, "columns")
        self._files = BlockFiles(engine.directory)
        self._scheduler: asyncio.Task[None] | None = None

    # --- life -------------------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        for buffer in self._buffers.values():
            for block in buffer.blocks:
                if block.logstore in self._tables:
                    self._spawn(self._insert(buffer, block))
                else:
                    self._spawn(self._set_aside_orphan(buffer, block))
        self._scheduler = asyncio.create_task(self._schedule(), name="sealer")

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._scheduler] if self._scheduler else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._builders.shutdown(wait=True)
        self._files.trim(0)

    # --- what comes in ----------------------------------------------------------------------------------------------------------
    def add(self, pending: Pending) -> None:
        """A durable request, in journal order."""
        self._account(pending)
        self._buffer(pending.request.logstore).add(pending)
        self._wake.set()

    def add_sealed(self, block: Block) -> None:
        """During recovery: a block that was sealed and may or may not be in the engine."""
        for pending in block.requests:
            self._account(pending)
        self._buffer(block.logstore).blocks.append(block)

    def forget(self, logstore: int) -> None:
        """The logstore was dropped: nothing of it goes into the engine any more."""
        buffer = self._buffers.pop(logstore, None)
        if buffer is None:
            return
        for pending in buffer.requests():
            self._release(pending)
        self._on_progress()

    # --- what others ask --------------------------------------------------------------------------------------------------------
    def oldest(self) -> Pending | None:
        """The oldest request that the engine does not have."""
        found = [pending for buffer in self._buffers.values() if (pending := buffer.oldest()) is not None]
        return min(found, key=lambda pending: pending.id, default=None)

    def lag(self, logstore: int) -> float:
        """Seconds for which the oldest request of a logstore has waited; 0 when none waits."""
        buffer = self._buffers.get(logstore)
        oldest = buffer.oldest() if buffer is not None else None
        return time.monotonic() - oldest.added_at if oldest is not None else 0.0

    def unreadable(self, logstore: int, shard: int) -> records.ShardState | None:
        """The lowest numbers of what the engine does not have of a shard, None when it has everything."""
        buffer = self._buffers.get(logstore)
        waiting = buffer.requests() if buffer is not None else ()
        places = [
            records.ShardState(package.seq, package.group_cursor)
            for pending in waiting
            for package in pending.request.packages
            if package.shard == shard and package.events
        ]
        return min(places, key=lambda place: place.group_cursor, default=None)

    async def flush(self) -> None:
        """Until everything that is here now is in the engine."""
        self._flushing += 1
        try:
            newest = {buffer.logstore: buffer.newest() for buffer in self._buffers.values()}
            self._wake.set()
            while any(buffer.holds_up_to(newest.get(buffer.logstore, 0)) for buffer in self._buffers.values()):
                self._moved.clear()
                await self._moved.wait()
        finally:
            self._flushing -= 1

    @asynccontextmanager
    async def paused(self) -> AsyncGenerator[None]:
        """Nothing is with the engine, and nothing goes there. Raises BusyError where blocks do not come to an end."""
        self._pauses += 1
        try:
            try:
                async with asyncio.timeout(PAUSE_SECS):
                    while self._tasks:
                        self._moved.clear()
                        await self._moved.wait()
            except TimeoutError as error:
                raise BusyError("blocks wait for the storage engine", hint="see its alarms, and try again") from error
            yield
        finally:
            self._pauses -= 1
            self._wake.set()

    # --- scheduling -------------------------------------------------------------------------------------------------------------
    async def _schedule(self) -> None:
        while True:
            self._wake.clear()
            self._files.trim()
            active = sorted((buffer for buffer in self._buffers.values() if buffer.waiting), key=Buffer.due_at)
            _interval.set(self._pace.interval(len(active)))
            later = [self._seal_or_wait(buffer, time.monotonic()) for buffer in active]
            try:
                async with asyncio.timeout(min(later, default=LONGEST_SECS)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _seal_or_wait(self, buffer: Buffer, now: float) -> float:
        """Seal what is due, within the budget; seconds until the buffer is worth another look."""
        if self._pauses or len(self._tasks) >= 2 * self._slots.size:
            return LONGEST_SECS  # a task that ends wakes the scheduler
        at = buffer.not_before if self._flushing else min(max(buffer.due_at(), self._pace.next_at), buffer.overdue_at())
        if at > now:
            return at - now
        self._pace.spend(now)
        self._seal(buffer)
        return buffer.due_at() - now if buffer.waiting else LONGEST_SECS

    def _seal(self, buffer: Buffer) -> None:
        block = Block(buffer.logstore, buffer.take(), secrets.token_hex(12))
        buffer.blocks.append(block)
        self._spawn(self._seal_and_insert(buffer, block))

    async def _seal_and_insert(self, buffer: Buffer, block: Block) -> None:
        seal = records.SealRecord(block.logstore, block.first, block.last, block.token, block.day)
        try:
            await self._commits.submit(lambda: [records.encode(seal)])
        except (BusyError, StateError) as error:
            buffer.blocks.remove(block)
            buffer.put_back(block.requests)
            buffer.not_before = time.monotonic() + RETRY_SECS
            telemetry.alarm("STORE_JOURNAL_ALARM", "cannot seal a block", logstore=block.logstore, error=error.message)
            return
        await self._insert(buffer, block)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._wake.set()
        self._moved.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            telemetry.alarm("STORE_INSERT_ALARM", "a block's task failed and its requests wait for a restart", error=repr(error))

    # --- inserting --------------------------------------------------------------------------------------------------------------
    async def _insert(self, buffer: Buffer, block: Block) -> None:
        while True:
            try:
                async with self._slots.take(block):
                    if self._buffers.get(block.logstore) is not buffer:
                        return
                    await self._engine.ready()
                    if block.rows:
                        await self._build_and_insert(block)
            except EngineGoneError:
                block.crashes += 1
                if block.crashes < MAX_CRASHES or not await self._set_aside(buffer, block, "the engine dies of it"):
                    continue
                return
            except (EngineError, DecodeError, OSError) as error:
                if await self._failed(buffer, block, error):
                    return
                continue
            _inserted.inc(block.rows)
            self._finish(buffer, block, quarantined=False)
            return

    async def _build_and_insert(self, block: Block) -> None:
        table = self._tables.get(block.logstore)
        fields = schema.given_fields(table) if table is not None and not block.bare else ()
        began = time.monotonic()
        with self._files.take() as rows:
            await asyncio.get_running_loop().run_in_executor(self._builders, _build, block, rows, fields)
            await self._engine.insert(schema.table_name(block.logstore), rows, block.token, fields)
        took = time.monotonic() - began
        self._pace.took(took)
        _inserting.observe(took)

    async def _failed(self, buffer: Buffer, block: Block, error: Exception) -> bool:
        """Whether the block is done with."""
        code = error.engine_code if isinstance(error, EngineError) else 0
        if code == NO_SUCH_COLUMN and not block.bare:
            block.bare = True
            return False
        block.attempts += 1
        telemetry.alarm(
            "STORE_INSERT_ALARM", "cannot insert a block", logstore=block.logstore, error=str(error)[:500], attempt=block.attempts
        )
        if code == UNKNOWN_TABLE and block.logstore in self._tables:
            await self._create_again(self._tables[block.logstore])
        passes = code in TRANSIENT or isinstance(error, OSError)
        if not passes and block.attempts >= PATIENCE.get(code, 5) and await self._set_aside(buffer, block, str(error)):
            return True
        await asyncio.sleep(min(0.1 * 2**block.attempts, RETRY_SECS))
        return False

    async def _create_again(self, table: TableSpec) -> None:
        try:
            await self._engine.execute(schema.create_statement(table))
        except EngineError as error:
            _log.warning("cannot create an engine table", logstore=table.logstore, error=error.message[:500])

    async def _set_aside(self, buffer: Buffer, block: Block, reason: str) -> bool:
        """Keep a block that can never be inserted as a journal of its own; False when that fails too."""
        path = self._quarantine / f"{schema.table_name(block.logstore)}-{block.token}"
        try:
            await asyncio.to_thread(_write_aside, path, block)
        except (BusyError, StateError, OSError) as error:
            telemetry.alarm("STORE_QUARANTINE_ALARM", "cannot set a block aside", logstore=block.logstore, error=str(error))
            await asyncio.sleep(RETRY_SECS)
            return False
        telemetry.alarm(
            "STORE_QUARANTINE_ALARM", "a block was set aside", logstore=block.logstore, rows=block.rows, path=str(path), reason=reason[:500]
        )
        self._finish(buffer, block, quarantined=True)
        return True

    def _finish(self, buffer: Buffer, block: Block, *, quarantined: bool) -> None:
        _blocks.labels("quarantined" if quarantined else "inserted").inc()
        done = records.InsertedRecord(block.logstore, block.first, block.last, block.token, quarantined)
        # Nobody waits for this record: should it be lost, the replay's insert is taken for the repeat that it is.
        self._commits.submit(lambda: [records.encode(done)]).add_done_callback(_note_failure)
        if self._buffers.get(block.logstore) is not buffer:
            return
        buffer.blocks.remove(block)
        now = time.monotonic()
        for pending in block.requests:
            self._release(pending)
            if not quarantined:
                _searchable.observe(now - pending.added_at)
        if not buffer.waiting and not buffer.blocks:
            del self._buffers[block.logstore]
        self._on_progress()

    async def _set_aside_orphan(self, buffer: Buffer, block: Block) -> None:
        """Requests of a logstore that nobody knows (the metadata is older than the journal): kept, out of the way of the rest."""
        seal = records.SealRecord(block.logstore, block.first, block.last, block.token, block.day)
        await self._commits.submit(lambda: [records.encode(seal)])
        while not await self._set_aside(buffer, block, "its logstore is unknown"):
            pass

    # --- accounts ---------------------------------------------------------------------------------------------------------------
    def _buffer(self, logstore: int) -> Buffer:
        return self._buffers.setdefault(logstore, Buffer(logstore))

    def _account(self, pending: Pending) -> None:
        self.backlog_bytes += pending.stored_size
        if pending.groups is None:
            return
        size = sum(group.memory for group in pending.groups)
        if self._groups_bytes + size > GROUPS_BYTES:
            pending.groups = None
        else:
            self._groups_bytes += size

    def _release(self, pending: Pending) -> None:
        self.backlog_bytes -= pending.stored_size
        if pending.groups is not None:
            self._groups_bytes -= sum(group.memory for group in pending.groups)


class _Slots:
    """How many blocks are with the engine at once.

    A small block mostly waits for the disk, a large one keeps a core busy and takes memory, and one that the engine may have died of goes
    alone.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = asyncio.Semaphore(size)
        self._alone = asyncio.Lock()

    def take(self, block: Block) -> "_Slot":
        if block.crashes:
            return _Slot(self._free, self._alone, self.size)
        return _Slot(self._free, self._alone, 1 if block.rows < SMALL_ROWS else min(LARGE_SLOTS, self.size))


class _Slot:
    def __init__(self, free: asyncio.Semaphore, alone: asyncio.Lock, count: int) -> None:
        self._free, self._alone, self._wanted, self._held = free, alone, count, 0

    async def __aenter__(self) -> None:
        try:
            async with self._alone:
                while self._held < self._wanted:
                    await self._free.acquire()
                    self._held += 1
        except asyncio.CancelledError:
            await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        while self._held:
            self._held -= 1
            self._free.release()


def _build(block: Block, path: Path, fields: Sequence[FieldIndex]) -> None:
    columns.write_block(path, _groups(block), fields)


def _groups(block: Block) -> Iterator[tuple[columns.Placement, EventBatch]]:
    for pending in block.requests:
        request = pending.request
        decoded = pending.groups or [columns.decode(package.body, package.compression, package.raw_size) for package in request.packages]
        yield from ((_placement(request, package), group) for package, group in zip(request.packages, decoded, strict=True) if len(group))


def _placement(request: records.RequestRecord, package: records.PackageRecord) -> columns.Placement:
    return columns.Placement(
        request.recv_ms, package.shard, package.seq, package.group_cursor, package.agent, package.epoch,
        package.stream, package.sequence, package.part, request.mark_ahead,
    )  # fmt: skip


def set_aside(directory: Path, logstore: int) -> int:
    """How many blocks of a logstore lie in the quarantine of a store's directory."""
    return len(list((directory / QUARANTINE).glob(f"{schema.table_name(logstore)}-*")))


def _write_aside(path: Path, block: Block) -> None:
    journal = Journal(path)
    journal.append([records.encode(pending.request) for pending in block.requests])
    journal.close()


def _note_failure(future: "asyncio.Future[list[int]]") -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.warning("cannot note that a block was inserted", error=str(error))
