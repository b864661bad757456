"""What every store adapter has to keep. An adapter's test module subclasses `StoreConformance` and says how to open one."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from tailrace.batch import DecodeError
from tailrace.errors import ApiError, EngineError, ForkError
from tailrace.server.store.port import (
    Committed,
    EngineQuery,
    FieldIndex,
    Filling,
    Frontier,
    Limits,
    LineIndex,
    Package,
    Store,
    TableSpec,
    Write,
)
from tests.integration.store import groups
from tests.integration.store.conftest import Clock
from tests.integration.store.groups import eventually, names, numbers, package, plain, spec

NEW, DUPLICATE = Committed.NEW, Committed.DUPLICATE
SECOND_PART = {"part": 1, "parts": 2}


class OpenStore(Protocol):
    def __call__(
        self, directory: Path, tables: list[TableSpec], clock: Callable[[], float] = ...
    ) -> AbstractAsyncContextManager[Store]: ...


@pytest.mark.asyncio(loop_scope="class")
class StoreConformance:
    open_store: OpenStore

    # --- commit and read ----------------------------------------------------------------------------------------------------------
    async def test_what_is_committed_can_be_read_as_it_was(self, store: Store, table: TableSpec) -> None:
        body, size = groups.body(["a", "b"], at=1_800_000_000, tags={"host": "h1", "__pack_id__": "00000000000000CD-1F"})
        assert await store.commit(Write(table, [Package(body, "lz4", size)])) == [NEW]
        await store.flush()
        answer = await store.query(
            EngineQuery(
                f"SELECT time, source, topic, tags, fields, c1, stream, pack_seq, group_size, agent FROM ls_{table.logstore} ORDER BY seq"
            )
        )
        assert answer.columns == ["time", "source", "topic", "tags", "fields", "c1", "stream", "pack_seq", "group_size", "agent"]
        assert answer.types[5] == "Nullable(Int64)"
        tags = {"host": "h1", "__pack_id__": "00000000000000CD-1F", "__time_ahead__": answer.rows[0][3]["__time_ahead__"]}  # pyright: ignore[reportIndexIssue]
        first = ("2027-01-15 08:00:00.000000000", "10.0.0.7", "web", tags, {"name": "a", "status": "0"}, 0, 0xCD, 0x1F, 2, "")
        assert answer.rows[0] == first
        assert answer.rows[1][0] == "2027-01-15 08:00:00.000000001"

    async def test_any_bytes_survive(self, store: Store, table: TableSpec) -> None:
        from tailrace.batch import EventBatch

        fields = [(b"k\xff", b"v\xfe\x00"), (b"same", b"1"), (b"same", b"2"), (b"", b""), ("中".encode(), "文".encode())]
        encoded = EventBatch.from_events([(time.time_ns(), fields)]).encode()
        await store.commit(Write(table, [Package(encoded.body, "lz4", encoded.raw_size)]))
        await store.flush()
        rows = (await store.query(EngineQuery(f"SELECT mapKeys(fields), mapValues(fields) FROM ls_{table.logstore}"))).rows
        assert rows == [([b"k\xff", "same", "same", "", "中"], [b"v\xfe\x00", "1", "2", "", "文"])]

    async def test_a_write_without_events_stores_nothing(self, store: Store, table: TableSpec) -> None:
        assert await store.commit(Write(table, [package(1, [], ended=True), package(2)])) == [NEW, NEW]
        await store.flush()
        assert await names(store, table) == ["s2-0", "s2-1", "s2-2"]
        assert await numbers(store, table, "group_cursor") in ({0: [0]}, {1: [0]})

    # --- once each ----------------------------------------------------------------------------------------------------------------
    async def test_a_repeat_is_a_duplicate_and_stores_nothing(self, store: Store, table: TableSpec) -> None:
        assert await store.commit(Write(table, [package(1), package(2)])) == [NEW, NEW]
        assert await store.commit(Write(table, [package(2), package(3)])) == [DUPLICATE, NEW]
        assert await store.commit(Write(table, [package(3, acknowledged_below=4)])) == [DUPLICATE]
        await store.flush()
        assert await names(store, table) == [f"s{s}-{i}" for s in (1, 2, 3) for i in range(3)]

    async def test_the_same_package_twice_in_one_request_is_stored_once(self, store: Store, table: TableSpec) -> None:
        assert await store.commit(Write(table, [package(1), package(1)])) == [NEW, DUPLICATE]
        await store.flush()
        assert len(await names(store, table)) == 3

    async def test_parts_of_a_sequence_are_told_apart(self, store: Store, table: TableSpec) -> None:
        assert await store.commit(Write(table, [package(1, ["a"], parts=2), package(1, ["b"], **SECOND_PART)])) == [NEW, NEW]
        assert await store.commit(Write(table, [package(1, ["b"], **SECOND_PART)])) == [DUPLICATE]
        await store.flush()
        assert await names(store, table) == ["a", "b"]

    async def test_below_the_watermark_everything_is_a_repeat(self, store: Store, table: TableSpec) -> None:
        for sequence in (1, 2):
            await store.commit(Write(table, [package(sequence)]))
        await store.commit(Write(table, [package(3, acknowledged_below=3)]))
        assert await store.commit(Write(table, [package(1)])) == [DUPLICATE]

    async def test_other_agents_epochs_and_writers_without_agent_are_no_repeats(self, store: Store, table: TableSpec) -> None:
        await store.commit(Write(table, [package(1)]))
        assert await store.commit(Write(table, [package(1, agent="agent-2")])) == [NEW]
        assert await store.commit(Write(table, [package(1, epoch=b"another epoch...")])) == [NEW]
        assert await store.commit(Write(table, [package(1, agent="")])) == [NEW]
        assert await store.commit(Write(table, [package(1, agent="")])) == [NEW]

    @pytest.mark.parametrize("change", [{"fingerprint": b"other"}, {"end": 150}, {"parts": 2}], ids=["content", "range", "parts"])
    async def test_other_content_under_one_identity_is_a_fork(self, store: Store, table: TableSpec, change: dict[str, object]) -> None:
        await store.commit(Write(table, [package(1)]))
        with pytest.raises(ForkError, match="pack id `00000000000000AB-1`"):
            await store.commit(Write(table, [package(2), package(1, **change)]))
        with pytest.raises(ForkError):
            await store.commit(Write(table, [package(3), package(3, **change)]))
        await store.flush()
        assert await names(store, table) == ["s1-0", "s1-1", "s1-2"]

    async def test_racing_repeats_wait_for_the_first_copy(self, store: Store, table: TableSpec) -> None:
        answers = await asyncio.gather(*(store.commit(Write(table, [package(n), package(n + 1)])) for n in (1, 2, 1, 2, 3, 1)))
        assert [verdict for answer in answers for verdict in answer].count(NEW) == 4
        await store.flush()
        assert len(await names(store, table)) == 12

    async def test_a_writer_that_leaves_and_comes_back_is_stored_once(self, store: Store, table: TableSpec) -> None:
        for sequence in range(1, 31):
            leaving = asyncio.create_task(store.commit(Write(table, [package(sequence, ["x"])])))
            await asyncio.sleep(sequence % 6 / 2000)
            leaving.cancel()
            await store.commit(Write(table, [package(sequence, ["x"])]))
        await store.flush()
        assert len(await names(store, table)) == 30

    async def test_a_racing_fork_is_found(self, store: Store, table: TableSpec) -> None:
        answers = await asyncio.gather(
            store.commit(Write(table, [package(1)])), store.commit(Write(table, [package(1, fingerprint=b"x")])), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [list, ForkError]

    async def test_a_repeat_whose_first_copy_was_refused_is_new(self, store: Store, table: TableSpec) -> None:
        good = package(1)
        bad = replace(good, body=b"\xff" * 40, raw_size=100)
        answers = await asyncio.gather(store.commit(Write(table, [bad])), store.commit(Write(table, [good])), return_exceptions=True)
        assert isinstance(answers[0], DecodeError)
        assert answers[1] == [NEW]

    async def test_the_frontier_of_a_shard_is_reached_when_all_is_readable(self, store: Store, table: TableSpec) -> None:
        assert await store.frontier(table.logstore, 0) == Frontier()
        key = "0" * 32
        writing = asyncio.create_task(store.commit(Write(table, [plain(["a", "b"]), plain(["c"])], hash_key=key)))
        await asyncio.sleep(0)
        assert not (await store.frontier(table.logstore, 0)).final
        await writing
        assert await store.frontier(table.logstore, 0) == Frontier(0, 0, 2, final=False)
        await store.flush()
        assert await store.frontier(table.logstore, 0) == Frontier(3, 2, 2)
        assert await store.frontier(table.logstore, 1) == Frontier()

    # --- all or nothing -----------------------------------------------------------------------------------------------------------
    async def test_one_bad_body_refuses_the_whole_write(self, store: Store, table: TableSpec) -> None:
        with pytest.raises(DecodeError):
            await store.commit(Write(table, [package(1), plain(["x"]), Package(b"\x0a\xff", "none", 2)]))
        assert await store.commit(Write(table, [package(1)])) == [NEW]
        await store.flush()
        assert len(await names(store, table)) == 3

    async def test_a_window_refuses_old_and_future_events(self, store: Store, table: TableSpec) -> None:
        for seconds in (-1000, 1000):
            with pytest.raises(ApiError, match="the time of a log is") as refused:
                await store.commit(Write(table, [plain(["a"]), plain(["b"], at=time.time() + seconds)], window=(900, 900)))
            assert (refused.value.status, refused.value.error_code) == (400, "PostBodyInvalid")
        assert await store.commit(Write(table, [plain(["c"])], window=(900, 900))) == [NEW]
        await store.flush()
        assert await names(store, table) == ["c"]

    async def test_without_a_window_all_is_kept_and_the_future_is_marked(self, store: Store, table: TableSpec) -> None:
        now = time.time()
        await store.commit(Write(table, [plain(["old"], at=now - 1e8), plain(["now"]), plain(["ahead"], at=now + 2000)]))
        await store.flush()
        answer = await store.query(EngineQuery(f"SELECT fields['name'], tags['__time_ahead__'] FROM ls_{table.logstore}"))
        marked = dict(answer.rows)
        assert marked["old"] == marked["now"] == ""
        assert 1990 <= int(str(marked["ahead"])) <= 2000

    # --- shards -------------------------------------------------------------------------------------------------------------------
    async def test_cursors_have_no_holes_and_no_repeats(self, store: Store, table: TableSpec) -> None:
        writes = [Write(table, [plain([f"{n}-{i}" for i in range(n % 5 + 1)]), plain(["x"])]) for n in range(30)]
        bad = Write(table, [plain(["y"]), Package(b"\x0a\xff", "none", 2)])
        await asyncio.gather(*(store.commit(write) for write in [*writes[:15], bad, *writes[15:]]), return_exceptions=True)
        await store.flush()
        cursors, rows = await numbers(store, table, "group_cursor"), await numbers(store, table, "seq")
        assert set(cursors) == {0, 1}
        assert sum(len(found) for found in cursors.values()) == 60
        assert all(found == list(range(len(found))) for found in [*cursors.values(), *rows.values()])

    async def test_a_hash_key_chooses_the_shard(self, store: Store, table: TableSpec) -> None:
        await store.commit(Write(table, [plain(["low"])], hash_key="0" * 32))
        await store.commit(Write(table, [plain(["high"])], hash_key="8" + "0" * 31))
        await store.flush()
        answer = await store.query(EngineQuery(f"SELECT fields['name'], shard FROM ls_{table.logstore}"))
        assert dict(answer.rows) == {"low": 0, "high": 1}

    async def test_a_stream_stays_on_its_shard(self, store: Store, table: TableSpec) -> None:
        for sequence in range(6):
            await store.commit(Write(table, [package(sequence), package(sequence, stream="00000000000000AC")]))
        await store.flush()
        answer = await store.query(EngineQuery(f"SELECT stream, uniqExact(shard) FROM ls_{table.logstore} GROUP BY stream"))
        assert [row[1] for row in answer.rows] == [1, 1]

    async def test_stream_ends_are_the_ends_of_stored_prefixes(self, store: Store, table: TableSpec) -> None:
        me = "agent-ends"

        async def ends(epoch: bytes | None = None) -> dict[str, int]:
            return {stream: one.end for stream, one in (await store.stream_ends(me, epoch)).items()}

        for sequence in (1, 2, 4):
            await store.commit(Write(table, [package(sequence, agent=me)]))
        assert await ends() == {groups.STREAM: 300}
        await store.commit(Write(table, [package(3, agent=me)]))
        assert await ends(groups.EPOCH) == {groups.STREAM: 500}
        assert await ends(b"no such epoch...") == {}
        await store.commit(Write(table, [package(5, agent=me, acknowledged_below=5)]))
        assert await ends() == {groups.STREAM: 600}

    async def test_stored_ranges_are_those_that_are_stored_whole(self, store: Store, table: TableSpec) -> None:
        me, stream = "agent-ranges", int(groups.STREAM, 16)
        for sequence in (1, 2, 4):
            await store.commit(Write(table, [package(sequence, agent=me)]))
        await store.commit(Write(table, [package(6, agent=me, **SECOND_PART)]))
        assert await store.stored_ranges(me, groups.EPOCH, stream) == [(100, 300), (400, 500)]
        await store.commit(Write(table, [package(7, agent=me, acknowledged_below=4)]))
        assert await store.stored_ranges(me, groups.EPOCH, stream) == [(0, 300), (400, 500), (700, 800)]
        assert await store.stored_ranges("another", groups.EPOCH, stream) == []

    # --- tables -------------------------------------------------------------------------------------------------------------------
    async def test_indexes_change_and_old_rows_stay_readable(self, store: Store, table: TableSpec) -> None:
        await store.commit(Write(table, [plain(["Old Name"])]))
        await store.flush()
        changed = replace(
            table,
            line=LineIndex(groups.DELIMITERS, case_sensitive=True, column="l5"),
            fields=(FieldIndex("c3", "name", "text", groups.DELIMITERS, chinese=True), FieldIndex("c4", "status", "double")),
        )
        heard: list[Filling] = []
        for _ in range(2):
            await store.widen(changed)
            await store.fill(changed, table, heard.append)
        assert heard[-1] == Filling(1, 1)
        assert await names(store, table) == ["Old Name"]
        assert (await store.query(EngineQuery(f"SELECT c1 FROM ls_{table.logstore}"))).rows == [(0,)]
        for _ in range(2):
            await store.narrow(changed)
        await store.commit(Write(changed, [plain(["New Name"])]))
        await store.flush()
        sql = f"SELECT fields['name'] AS name, c4 FROM ls_{table.logstore} WHERE hasAllTokens(c3, 'name') ORDER BY name"
        assert (await store.query(EngineQuery(sql))).rows == [("New Name", 0.0), ("Old Name", 0.0)]
        sql = f"SELECT count() FROM ls_{table.logstore} WHERE hasAllTokens(l5, 'Name')"
        assert (await store.query(EngineQuery(sql))).rows == [(2,)]
        with pytest.raises(EngineError, match="c1"):
            await store.query(EngineQuery(f"SELECT c1 FROM ls_{table.logstore}"))

    async def test_retention_removes_what_is_too_old(self, store: Store, table: TableSpec, clock: Clock) -> None:
        clock.ahead = -40 * 86400
        try:
            await store.widen(replace(table, ttl_days=60))
            await store.commit(Write(table, [plain(["old"])]))
        finally:
            clock.ahead = 0.0
        await store.commit(Write(table, [plain(["fresh"])]))
        await store.flush()
        assert await names(store, table) == ["fresh", "old"]
        await store.widen(replace(table, ttl_days=3650))
        await store.widen(replace(table, ttl_days=30))

        async def gone() -> bool:
            return await names(store, table) == ["fresh"]

        await eventually(gone)

    async def test_a_dropped_logstore_is_gone_with_all_it_had(self, store: Store, table: TableSpec) -> None:
        await store.commit(Write(table, [package(1, agent="agent-drop")]))
        await store.drop(table.logstore)
        with pytest.raises(EngineError):
            await names(store, table)
        assert await store.stream_ends("agent-drop") == {}
        await store.flush()

    async def test_a_write_that_was_under_way_brings_no_dropped_logstore_back(self, store: Store, table: TableSpec) -> None:
        writes = [asyncio.create_task(store.commit(Write(table, [package(number, agent="agent-late")]))) for number in range(20)]
        await asyncio.sleep(0)
        await store.drop(table.logstore)
        writes.append(asyncio.create_task(store.commit(Write(table, [package(99, agent="agent-late")]))))
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(results[-1], ApiError)
        assert results[-1].error_code == "LogStoreNotExist"
        await store.flush()
        with pytest.raises(EngineError):
            await names(store, table)
        assert await store.stream_ends("agent-late") == {}

    # --- queries ------------------------------------------------------------------------------------------------------------------
    async def test_parameters_are_bound_and_never_pasted(self, store: Store, table: TableSpec) -> None:
        hostile = "x' OR 1=1 -- \\ \n\t{p:String}"
        sql = "SELECT {p:String} AS p, {n:Int64} AS n, {a:Array(String)} AS a"
        answer = await store.query(EngineQuery(sql, {"p": hostile, "n": -5, "a": [hostile, b"\xff"]}))
        assert answer.rows == [(hostile, -5, [hostile, b"\xff"])]

    async def test_queries_speak_trino_when_asked(self, store: Store, table: TableSpec) -> None:
        sql = "SELECT date_format(timestamp '2026-01-02 03:04:05', '%i') AS minute, approx_distinct(1) AS one"
        answer = await store.query(EngineQuery(sql, dialect="trino"))
        assert answer.rows == [("04", 1)]

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO ls_1 (seq) VALUES (1)",
            "SELECT 1 SETTINGS max_threads = 9",
            "SELECT * FROM file('/etc/hostname', 'LineAsString')",
            "DROP TABLE ls_1",
        ],
    )
    async def test_queries_only_read(self, store: Store, table: TableSpec, sql: str) -> None:
        with pytest.raises(EngineError):
            await store.query(EngineQuery(sql))

    async def test_a_query_keeps_to_its_limits(self, store: Store, table: TableSpec) -> None:
        endless = "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)"
        with pytest.raises(EngineError) as slow:
            await store.query(EngineQuery(endless, limits=Limits(seconds=0.3)))
        assert slow.value.engine_code == 159
        with pytest.raises(EngineError) as big:
            await store.query(EngineQuery("SELECT groupArray(number) FROM numbers(100000000)", limits=Limits(memory=50 << 20)))
        assert big.value.engine_code == 241
        with pytest.raises(EngineError) as many:
            await store.query(EngineQuery("SELECT number FROM numbers(1000)", limits=Limits(rows=100)))
        assert many.value.engine_code == 396

    async def test_a_query_can_be_cancelled_by_its_id_or_by_leaving(self, store: Store, table: TableSpec) -> None:
        endless = EngineQuery("SELECT sum(cityHash64(number)) FROM numbers(1000000000000)", query_id="it's mine")
        running = asyncio.create_task(store.query(endless))
        await asyncio.sleep(0.3)
        await store.cancel("it's mine")
        with pytest.raises(EngineError) as cancelled:
            await running
        assert cancelled.value.engine_code == 394
        leaving = asyncio.create_task(store.query(replace(endless, query_id="left")))
        await asyncio.sleep(0.3)
        leaving.cancel()

        async def nothing_runs() -> bool:
            sql = "SELECT count() FROM system.processes WHERE query LIKE '%cityHash64(number)%' AND query NOT LIKE '%processes%'"
            return (await store.query(EngineQuery(sql))).rows == [(0,)]

        await eventually(nothing_runs)

    # --- reopening ----------------------------------------------------------------------------------------------------------------
    async def test_a_reopened_store_knows_all_and_goes_on(self, tmp_path: Path) -> None:
        table, dropped = spec(), spec()
        async with self.open_store(tmp_path, [table, dropped]) as store:
            await store.commit(Write(table, [package(1), package(2)]))
            await store.commit(Write(dropped, [plain(["x"])]))
            await store.flush()
            await store.commit(Write(table, [package(3), plain(["only in the journal"])]))
            await store.drop(dropped.logstore)
        changed = replace(table, ttl_days=7, fields=(*table.fields, FieldIndex("c9", "name", "text")))
        async with self.open_store(tmp_path, [changed]) as store:
            assert await store.commit(Write(changed, [package(2), package(3), package(4)])) == [DUPLICATE, DUPLICATE, NEW]
            with pytest.raises(ForkError):
                await store.commit(Write(changed, [package(1, fingerprint=b"other")]))
            await store.flush()
            assert await names(store, changed) == sorted([*(f"s{s}-{i}" for s in (1, 2, 3, 4) for i in range(3)), "only in the journal"])
            for column in ("seq", "group_cursor"):
                assert all(found == list(range(len(found))) for found in (await numbers(store, changed, column)).values())
            assert (await store.query(EngineQuery(f"SELECT count() FROM ls_{table.logstore} WHERE c9 = 's1-0'"))).rows == [(1,)]
