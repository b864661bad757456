"""The embedded store keeps the conformance suite, and what is its own: one owner, damaged journals, quarantine, back-pressure."""

import asyncio
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tailrace.errors import BusyError, EngineError, NewerFormatError, StateError
from tailrace.journal import Entry
from tailrace.server.store import intake, schema, sealing
from tailrace.server.store.embedded import EmbeddedStore
from tailrace.server.store.port import Committed, EngineQuery, Found, Store, TableSpec, Write
from tailrace.server.store.records import RecordType
from tailrace.telemetry import recent_alarms
from tests.integration.store.conformance import StoreConformance
from tests.integration.store.groups import eventually, names, package, plain, spec


@asynccontextmanager
async def open_embedded(directory: Path, tables: list[TableSpec], clock: Callable[[], float] = time.time) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(directory, clock=clock)
    await store.open(tables)
    try:
        yield store
    finally:
        await store.close()


class TestEmbeddedConformance(StoreConformance):
    @staticmethod
    def open_store(directory: Path, tables: list[TableSpec], clock: Callable[[], float] = time.time):
        return open_embedded(directory, tables, clock)


async def test_a_store_has_one_owner(tmp_path: Path) -> None:
    from subprocess import run
    from sys import executable

    other = "import asyncio, sys; from pathlib import Path; from tailrace.server.store.embedded import EmbeddedStore\n"
    other += "asyncio.run(EmbeddedStore(Path(sys.argv[1])).open([]))"
    async with open_embedded(tmp_path, []):
        result = await asyncio.to_thread(run, [executable, "-c", other, str(tmp_path)], capture_output=True, text=True, check=False)
    assert StateError.__name__ in result.stderr
    assert "is in use by another process" in result.stderr


async def test_a_store_tells_what_it_holds_of_logstores_that_nobody_names(tmp_path: Path) -> None:
    table = spec()
    store = EmbeddedStore(tmp_path)
    assert await store.open([table]) == Found(frozenset(), 0)
    await store.commit(Write(table, [plain(["kept"])]))
    await store.flush()
    await store.close()
    store = EmbeddedStore(tmp_path)
    assert await store.open([]) == Found(frozenset({table.logstore}), table.logstore)
    await store.close()
    shutil.rmtree(tmp_path / "engine")
    store = EmbeddedStore(tmp_path)
    assert await store.open([]) == Found(frozenset(), table.logstore)
    await store.close()


async def test_the_journal_is_cut_and_its_state_kept(tmp_path: Path) -> None:
    table = spec()
    store = EmbeddedStore(tmp_path, segment_bytes=4000)
    await store.open([table])
    for sequence in range(60):
        await store.commit(Write(table, [package(sequence, acknowledged_below=max(0, sequence - 3))]))
    await store.flush()

    async def is_cut() -> bool:
        return len(list((tmp_path / "journal").glob("*.seg"))) < 4

    await eventually(is_cut)
    await store.close()
    async with open_embedded(tmp_path, [table]) as again:
        repeats = await again.commit(Write(table, [package(sequence) for sequence in (30, 40, 57, 59, 60)]))
        assert [verdict is Committed.NEW for verdict in repeats] == [False] * 4 + [True]
        await again.flush()
        assert len(await names(again, table)) == 61 * 3
        assert (await again.stream_ends("agent-1"))["00000000000000AB"].end == 6100


async def test_a_damaged_journal_does_not_stop_the_start(tmp_path: Path) -> None:
    table = spec()
    store = EmbeddedStore(tmp_path)
    await store.open([table])
    store.engine.insert = never  # type: ignore[method-assign]
    for name in ("one", "two", "three"):
        await store.commit(Write(table, [plain([name])]))
    await store.close()
    segment = next((tmp_path / "journal").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[data.index(b"two")] ^= 1
    segment.write_bytes(data)
    async with open_embedded(tmp_path, [table]) as again:
        await again.flush()
        assert await names(again, table) == ["one", "three"]
    assert list((tmp_path / "journal" / "set-aside").iterdir())
    assert "STORE_JOURNAL_ALARM" in {alarm.kind for alarm in recent_alarms()}


async def test_a_logstore_that_lags_takes_no_more_while_repeats_reads_and_others_go_on(tmp_path: Path) -> None:
    slow, other = spec(), spec()
    store = EmbeddedStore(tmp_path, max_lag_secs=0.5)
    await store.open([slow, other])
    held = asyncio.Event()
    insert = store.engine.insert

    async def only_the_other(table: str, *rest: object) -> None:
        if table == schema.table_name(slow.logstore):
            await held.wait()
        await insert(table, *rest)  # type: ignore[arg-type]

    store.engine.insert = only_the_other  # type: ignore[method-assign]
    await store.commit(Write(slow, [package(1)]))

    async def is_refused() -> bool:
        try:
            await store.commit(Write(slow, [plain(["more"])]))
        except BusyError as error:
            return "logs have waited for the storage engine" in error.message
        return False

    await eventually(is_refused)
    assert await store.commit(Write(slow, [package(1)])) == [Committed.DUPLICATE]
    assert await store.commit(Write(other, [plain(["fine"])])) == [Committed.NEW]
    assert await names(store, slow) == []
    held.set()
    await store.flush()
    assert await store.commit(Write(slow, [package(2)])) == [Committed.NEW]
    await store.close()


async def test_a_journal_that_is_not_written_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = spec()
    store = EmbeddedStore(tmp_path, max_lag_secs=0.2)
    await store.open([table])
    written = threading.Event()
    sync = store._journal.sync
    monkeypatch.setattr(store._journal, "sync", lambda: written.wait() and sync())
    first = asyncio.create_task(store.commit(Write(table, [plain(["first"])])))
    await asyncio.sleep(0.3)
    with pytest.raises(BusyError, match="the journal has not been written"):
        await store.commit(Write(table, [plain(["second"])]))
    written.set()
    assert await first == [Committed.NEW]
    await store.close()


async def never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_a_newer_table_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = spec()
    with monkeypatch.context() as newer:
        newer.setattr(schema, "FORMAT_VERSION", 4)
        async with open_embedded(tmp_path, [table]):
            pass
    store = EmbeddedStore(tmp_path)
    with pytest.raises(NewerFormatError, match=f"engine table `ls_{table.logstore}` has format 4, this release knows up to 3"):
        await store.open([table])
    await store.close()


async def nothing_else() -> None:
    """Of the moment of a snapshot."""


async def test_a_block_that_can_never_be_inserted_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad, good = spec(), spec()
    async with open_embedded(tmp_path, [bad, good]) as store:
        await store.engine.execute(f"ALTER TABLE ls_{bad.logstore} DROP COLUMN topic")
        await store.commit(Write(bad, [plain(["lost to the engine"])]))
        await store.commit(Write(good, [plain(["fine"])]))

        async def is_there() -> bool:
            return await names(store, good) == ["fine"]

        await eventually(is_there, seconds=5)
        await store.flush()
        assert store.health()["backlog_bytes"] == 0
        async with store.snapshot(nothing_else) as snapshot:
            shutil.move(tmp_path / "quarantine", tmp_path / "quarantine-elsewhere")
            copied = snapshot.quarantine.glob("*/*.seg")
            assert b"lost to the engine" in b"".join(path.read_bytes() for path in copied), "a backup has what no table and no journal has"
    kept = next((tmp_path / "quarantine-elsewhere").iterdir())
    assert b"lost to the engine" in b"".join(path.read_bytes() for path in kept.glob("*.seg"))
    assert {"STORE_INSERT_ALARM", "STORE_QUARANTINE_ALARM"} <= {alarm.kind for alarm in recent_alarms()}


async def test_requests_of_an_unknown_logstore_are_kept_aside(tmp_path: Path) -> None:
    table = spec()
    store = EmbeddedStore(tmp_path)
    await store.open([table])
    store.engine.insert = never  # type: ignore[method-assign]
    await store.commit(Write(table, [plain(["whose is it"])]))
    await store.close()
    async with open_embedded(tmp_path, []) as again:
        await again.flush()
        assert again.health()["backlog_bytes"] == 0
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


async def test_a_full_backlog_or_disk_refuses_new_writes_and_takes_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = spec()
    async with open_embedded(tmp_path, [table]) as store:
        await store.commit(Write(table, [package(1)]))
        with monkeypatch.context() as full:
            full.setattr(intake, "MAX_BACKLOG_BYTES", -1)
            with pytest.raises(BusyError, match="wait for the storage engine"):
                await store.commit(Write(table, [package(2)]))
            assert await store.commit(Write(table, [package(1)])) == [Committed.DUPLICATE]
        monkeypatch.setattr(intake, "MIN_FREE_DISK", 2.0)
        with pytest.raises(BusyError, match="of the disk is free"):
            await store.commit(Write(table, [package(2)]))


async def test_a_crash_between_the_insert_and_its_note_repeats_nothing(tmp_path: Path) -> None:
    """The seal is durable before the insert: replay finds the same block under the same token, which the engine has already."""
    table = spec()
    store = EmbeddedStore(tmp_path)
    await store.open([table])
    store._sealer._finish = lambda *_, **__: None  # type: ignore[method-assign]
    await store.commit(Write(table, [package(1), plain(["x"])]))

    async def is_there() -> bool:
        return len(await names(store, table)) == 4

    await eventually(is_there)
    await store.commit(Write(table, [plain(["y"])]))
    await store.close()
    async with open_embedded(tmp_path, [table]) as again:
        assert int(str(again.health()["backlog_bytes"])) > 0
        await again.flush()
        assert await names(again, table) == ["s1-0", "s1-1", "s1-2", "x", "y"]


async def test_a_seal_that_finds_no_room_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "RETRY_SECS", 0.1)
    table = spec()
    async with open_embedded(tmp_path, [table]) as store:
        append, refused = store._journal.append, []

        def full(entries: Sequence[Entry]) -> list[int]:
            if [kind for kind, _ in entries] == [RecordType.SEAL] and len(refused) < 3:
                refused.append(entries)
                raise BusyError("the disk is full")
            return append(entries)

        monkeypatch.setattr(store._journal, "append", full)
        await store.commit(Write(table, [package(1), plain(["x"])]))
        await store.flush()
        assert len(refused) == 3
        assert await names(store, table) == ["s1-0", "s1-1", "s1-2", "x"]


async def test_a_dropped_logstore_leaves_nothing_behind(tmp_path: Path) -> None:
    table = spec()
    store = EmbeddedStore(tmp_path)
    await store.open([table])
    store.engine.insert = never  # type: ignore[method-assign]
    await store.commit(Write(table, [package(1)]))
    await store.drop(table.logstore)
    await store.close()
    async with open_embedded(tmp_path, []) as again:
        await again.flush()
        assert again.health()["streams"] == 0
    assert not (tmp_path / "quarantine").exists()


async def test_one_block_per_token(tmp_path: Path) -> None:
    """The engine takes a second insert of the same token for the repeat that it is, also after it was reopened."""
    from tailrace.server.store import columns

    table = spec()
    body = plain(["once"])
    rows = tmp_path / "block"
    columns.write_block(rows, [(columns.Placement(1_800_000_000_000, 0, 0, 0), columns.decode(body.body, body.compression, body.raw_size))])
    for _ in range(2):
        async with open_embedded(tmp_path, [table]) as store:
            for _ in range(2):
                await store.engine.insert(f"ls_{table.logstore}", rows, "token")
            assert await names(store, table) == ["once"]


async def test_many_small_writes_make_few_blocks(tmp_path: Path) -> None:
    table = spec()
    async with open_embedded(tmp_path, [table]) as store:
        for n in range(100):
            await store.commit(Write(table, [plain([str(n)])]))
        await store.flush()
        answer = await store.query(EngineQuery(f"SELECT count(), uniqExact(_part) FROM ls_{table.logstore}"))
        assert answer.rows[0][0] == 100
        assert int(str(answer.rows[0][1])) < 10


async def test_queries_fail_with_a_reason_while_the_engine_restarts(tmp_path: Path) -> None:
    async with open_embedded(tmp_path, []) as store:
        store.engine._process.kill()  # type: ignore[union-attr]

        async def is_down() -> bool:
            return store.health()["engine"] == "restarting"

        await eventually(is_down)
        with pytest.raises(EngineError, match="the storage engine is restarting"):
            await store.query(EngineQuery("SELECT 1"))
        await store.engine.ready()
        assert (await store.query(EngineQuery("SELECT 1 AS one"))).rows == [(1,)]
        assert store.engine.reopen_secs < 10


def test_the_port_is_what_the_adapter_is() -> None:
    assert all(hasattr(EmbeddedStore, name) for name in vars(Store) if not name.startswith("_"))


async def test_an_open_that_failed_can_be_closed_and_the_directory_used_again(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("not a directory")
    store = EmbeddedStore(tmp_path)
    with pytest.raises((EngineError, FileExistsError)):
        await store.open([])
    await store.close()
    (tmp_path / "engine").unlink()
    async with open_embedded(tmp_path, []) as again:
        assert again.health()["engine"] == "up"
