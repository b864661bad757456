"""The store on one machine: a journal that acknowledges, and chDB in a process of its own behind it (docs/adr/0001).

DIRECTORY/journal/      segments, 0600
DIRECTORY/engine/       owned by the engine process
DIRECTORY/quarantine/   blocks that could not be inserted, each a journal
"""

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tailrace import telemetry
from tailrace.errors import ApiError, BusyError, StateError
from tailrace.journal import Journal
from tailrace.journal.group import GroupCommit
from tailrace.server.store import records
from tailrace.server.store.buffers import Pending
from tailrace.server.store.checking import Checking
from tailrace.server.store.cursors import Cursors
from tailrace.server.store.engine import Engine
from tailrace.server.store.engine_settings import EngineSettings
from tailrace.server.store.freezing import Freezing
from tailrace.server.store.gaps import Check
from tailrace.server.store.identities import ENDED_MS, Identities
from tailrace.server.store.intake import Intake
from tailrace.server.store.port import Committed, Dropped, EngineQuery, Filling, Found, Frontier, Rows, Snapshot, TableSpec, Usage, Write
from tailrace.server.store.recovery import Recovered, recover
from tailrace.server.store.sealing import QUARANTINE, Sealer, set_aside
from tailrace.server.store.space import Space
from tailrace.server.store.tables import Tables
from tailrace.server.store.turns import Use
from tailrace.wire.identity import StoredEnd

SEGMENT_BYTES = 64 << 20

_log = telemetry.logger("server.store")
_backlog = telemetry.gauge("tailrace_store_backlog_bytes", "Acknowledged bytes that the storage engine does not have yet.")


class EmbeddedStore:
    """See `port.Store` for what it promises. One process may own a directory."""

    def __init__(
        self,
        directory: Path,
        *,
        settings: EngineSettings | None = None,
        clock: Callable[[], float] = time.time,
        segment_bytes: int = SEGMENT_BYTES,
        ended_stream_secs: float = ENDED_MS / 1000,
        max_lag_secs: float = 0.0,
    ) -> None:
        """`max_lag_secs`: writes get BusyError while older ones have waited longer for the journal or the engine; 0 is no bound."""
        self.directory = directory
        self.engine = Engine(directory / "engine", settings)
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._max_lag_secs = max_lag_secs
        self._engine_tables = Tables(self.engine)
        self._space = Space(self.engine)
        self._tables: dict[int, TableSpec] = {}
        """What the engine's tables hold: where indexes are being built, these as well."""
        self._dropped: set[int] = set()
        """So that a write that was under way brings nothing back."""
        self._known = Identities(int(ended_stream_secs * 1000))
        self._cursors = Cursors()
        self._applied = 0
        self._cutting = False
        self._closing = AsyncExitStack()

    # --- life -------------------------------------------------------------------------------------------------------------------
    async def open(self, tables: Sequence[TableSpec], building: Sequence[TableSpec] = ()) -> Found:
        """Recover from the journal, start the engine, make its tables what they should be, go on where it stopped.

        Raises StateError (the directory is in use), NewerFormatError, EngineError.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._closing.callback(os.close, _lock(self.directory / "lock"))
        await asyncio.to_thread(self._forget_snapshots)
        for table in [*tables, *building]:
            self._tables[table.logstore] = _both(self._tables.get(table.logstore), table)
        self._journal = await asyncio.to_thread(lambda: Journal(self.directory / "journal", segment_bytes=self._segment_bytes))
        self._closing.callback(self._journal.close)
        self._report_damage()
        recovered = await asyncio.to_thread(recover, self._journal, self._known, self._cursors, self._tables.keys())
        self._applied = recovered.applied
        self._closing.push_async_callback(self.engine.close)
        await self.engine.open()
        found, unfinished = await self._engine_tables.open(tables, building)
        self._start()
        self._resume(recovered)
        return Found(found, max(recovered.highest, *found, 0), unfinished)

    async def close(self) -> None:
        """What is committed and not in the engine yet stays in the journal. Also after an `open` that failed."""
        await self._closing.aclose()

    # --- tables -----------------------------------------------------------------------------------------------------------------
    async def create(self, table: TableSpec) -> None:
        await self._engine_tables.create(table)
        self._tables[table.logstore] = table
        self._dropped.discard(table.logstore)

    async def widen(self, table: TableSpec) -> None:
        await self._engine_tables.widen(table)
        self._tables[table.logstore] = _both(self._tables.get(table.logstore), table)

    async def fill(self, table: TableSpec, beside: TableSpec, note: Callable[[Filling], None]) -> None:
        await self._engine_tables.fill(table, beside, note)

    async def narrow(self, table: TableSpec) -> None:
        await self.engine.settled()
        self._tables[table.logstore] = table
        await self._engine_tables.narrow(table)

    async def drop(self, logstore: int) -> None:
        """The logstore is gone once this is durable, even if the engine has to be told again."""
        self._tables.pop(logstore, None)
        self._dropped.add(logstore)
        dropped = records.DroppedRecord(logstore)

        def applied(_: list[int]) -> None:
            self._known.forget(logstore)
            self._sealer.forget(logstore)

        await self._commits.submit(lambda: [records.encode(dropped)], applied=applied)
        await self._engine_tables.drop(logstore)

    async def usage(self) -> dict[int, Usage]:
        return await self._space.usage()

    async def trim(self, bounds: Mapping[int, int], whole: int) -> list[Dropped]:
        return await self._space.trim(bounds, whole)

    @asynccontextmanager
    async def snapshot(self, also: Callable[[], Awaitable[None]]) -> AsyncGenerator[Snapshot]:
        """Blocks wait meanwhile, so that each event is in a table, the journal or aside. Links keep the files when the store goes on."""
        name, freezing = f"snapshot{secrets.token_hex(8)}", Freezing(self.engine)
        links = self.directory / name
        journal: list[tuple[Path, int]] = []
        try:
            async with self._sealer.paused():
                tables = await freezing.freeze(name)
                await self._commits.submit(lambda: journal.extend(_linked(self._journal, links)) or [])
                await asyncio.to_thread(_link_all, self.directory / QUARANTINE, links / QUARANTINE)
                await also()
            yield Snapshot(tables, journal, links / QUARANTINE)
        finally:
            await asyncio.to_thread(freezing.forget, name)
            await asyncio.to_thread(shutil.rmtree, links, ignore_errors=True)

    # --- data -------------------------------------------------------------------------------------------------------------------
    async def commit(self, write: Write) -> list[Committed]:
        if write.table.logstore in self._dropped:
            raise ApiError(404, "LogStoreNotExist", "the logstore was deleted")
        self._tables.setdefault(write.table.logstore, write.table)
        return await self._intake.commit(write)

    async def query(self, query: EngineQuery) -> Rows:
        return await self.engine.query(query)

    async def cancel(self, query_id: str) -> None:
        await self.engine.cancel(query_id)

    def use(self) -> Mapping[str, Mapping[str, Use]]:
        return self.engine.use()

    async def flush(self) -> None:
        await self._sealer.flush()

    async def frontier(self, logstore: int, shard: int) -> Frontier:
        end, unreadable = self._cursors.end((logstore, shard)), self._sealer.unreadable(logstore, shard)
        if unreadable is not None:
            return Frontier(unreadable.seq, unreadable.group_cursor, end.group_cursor, final=False)
        return Frontier(end.seq, end.group_cursor, end.group_cursor, final=not self._intake.is_placing((logstore, shard)))

    async def stream_ends(self, agent: str, epoch: bytes | None = None) -> dict[str, StoredEnd]:
        return self._known.ends(agent, epoch)

    async def stored_ranges(self, agent: str, epoch: bytes, stream: int) -> list[tuple[int, int]]:
        return self._known.stored(agent, epoch, stream)

    async def check(self, table: TableSpec) -> Check:
        ends = {shard: (await self.frontier(table.logstore, shard)).row for shard in self._cursors.shards(table.logstore)}
        checking = Checking(self.engine, table, ends, int(self._clock() * 1000))
        found = await checking.run(self._known.acknowledged_below)
        return replace(found, set_aside=await asyncio.to_thread(set_aside, self.directory, table.logstore))

    def health(self) -> dict[str, object]:
        oldest = self._sealer.oldest()
        self._known.forget_ended(int(self._clock() * 1000))
        return {
            "engine": "up" if self.engine.is_up else "restarting",
            "engine_restarts": self.engine.restarts,
            "backlog_bytes": self._sealer.backlog_bytes,
            "backlog_secs": 0.0 if oldest is None else time.monotonic() - oldest.added_at,
            "journal_bytes": self._journal.size,
            "streams": len(self._known),
        }

    # --- inside -----------------------------------------------------------------------------------------------------------------
    def _start(self) -> None:
        self._commits = GroupCommit(self._journal)
        self._closing.push_async_callback(self._commits.close)
        self._sealer = Sealer(self.engine, self._commits, self.directory, self._tables, self._progressed)
        self._closing.push_async_callback(self._sealer.stop)
        self._intake = Intake(
            commits=self._commits,
            known=self._known,
            cursors=self._cursors,
            directory=self.directory,
            clock=self._clock,
            backlog=lambda: self._sealer.backlog_bytes,
            lag=self._sealer.lag,
            max_lag_secs=self._max_lag_secs,
            applied=self._take,
        )
        self._closing.callback(self._intake.close)

    def _take(self, pending: Pending) -> None:
        """A request has become durable."""
        self._applied = pending.id
        self._known.forget_ended(int(self._clock() * 1000))
        if pending.request.logstore in self._dropped:
            self._known.forget(pending.request.logstore)
            return
        self._sealer.add(pending)
        _backlog.set(self._sealer.backlog_bytes)

    def _progressed(self) -> None:
        """A block has left the journal's backlog: perhaps segments can go."""
        _backlog.set(self._sealer.backlog_bytes)
        oldest = self._sealer.oldest()
        before = self._applied + 1 if oldest is None else oldest.id
        if not self._cutting and self._journal.would_cut(before):
            self._cutting = True
            self._cut_task = asyncio.create_task(self._cut(before))

    async def _cut(self, before: int) -> None:
        """A snapshot of the state first, for the records that are about to go."""
        try:
            state = records.StateRecord(self._applied, self._known.snapshot(int(self._clock() * 1000)), self._cursors.snapshot())
            encoded = records.encode(state)
            await self._commits.submit(lambda: [encoded])
            await self._commits.cut(before)
        except (BusyError, StateError) as error:
            _log.warning("cannot cut the journal", error=error.message)
        finally:
            self._cutting = False

    def _resume(self, recovered: Recovered) -> None:
        for block in [*recovered.blocks, *recovered.orphans]:
            self._sealer.add_sealed(block)
        for pending in recovered.waiting:
            self._sealer.add(pending)
        self._sealer.start()

    def _forget_snapshots(self) -> None:
        """Those that a crash has left."""
        for path in [*self.directory.glob("snapshot*"), self.engine.directory / "shadow"]:
            shutil.rmtree(path, ignore_errors=True)

    def _report_damage(self) -> None:
        for damage in self._journal.damage:
            values = {"segment": str(damage.segment), "offset": damage.offset, "bytes": damage.length}
            if damage.torn_tail:
                _log.info("journal: a record that was never acknowledged was cut off", **values)
            else:
                telemetry.alarm("STORE_JOURNAL_ALARM", "a part of the journal is damaged and was skipped", **values)


def _linked(journal: Journal, links: Path) -> list[tuple[Path, int]]:
    """Links to the journal's segments, and how long they are. What is appended later goes into the last of them, too."""
    links.mkdir(mode=0o700)
    found: list[tuple[Path, int]] = []
    for first in journal.segments:
        path = journal.path(first)
        link = links / path.name
        os.link(path, link)
        found.append((link, link.stat().st_size))
    return found


def _link_all(directory: Path, links: Path) -> None:
    """The directory, if it is there, made of links: what is removed from it later stays here."""
    if directory.exists():
        shutil.copytree(directory, links, copy_function=os.link)


def _both(one: TableSpec | None, other: TableSpec) -> TableSpec:
    """A table that holds the fields of both."""
    if one is None:
        return other
    columns = {index.column for index in other.fields}
    return replace(other, fields=(*other.fields, *(index for index in one.fields if index.column not in columns)))


def _lock(path: Path) -> int:
    """Held until the file is closed, by us or by our death."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.lockf(fd, os.F_TLOCK, 0)
    except OSError as error:
        os.close(fd)
        raise StateError(f"store `{path.parent}` is in use by another process", hint="stop the other server first") from error
    return fd
