"""A check of a logstore: what was deleted behind the store's back is found and told apart from what was never stored, or may be gone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tailrace.server.store import checking
from tailrace.server.store.embedded import EmbeddedStore
from tailrace.server.store.gaps import Hole, StreamGap
from tailrace.server.store.port import Package, TableSpec, Write
from tests.integration.store.conftest import Clock
from tests.integration.store.groups import EPOCH, STREAM, package, plain, spec

DAYS = 86_400


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path_factory.mktemp("checked"), clock=CLOCK)
    await store.open([])
    yield store
    await store.close()


CLOCK = Clock()
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def table(store: EmbeddedStore) -> TableSpec:
    CLOCK.ahead = 0.0
    table = spec(shards=1)
    await store.create(table)
    return table


async def write(store: EmbeddedStore, table: TableSpec, *packages: Package) -> None:
    for one in packages:
        await store.commit(Write(table, [one]))
    await store.flush()


async def delete(store: EmbeddedStore, table: TableSpec, condition: str) -> None:
    await store.engine.execute(f"ALTER TABLE ls_{table.logstore} DELETE WHERE {condition} SETTINGS mutations_sync = 2")


def holes(found: checking.Check) -> list[tuple[int, int, str]]:
    return [(hole.first, hole.last, hole.judged) for hole in found.holes]


def gaps(found: checking.Check) -> list[tuple[int, int, str]]:
    return [(gap.first, gap.last, gap.cause) for gap in found.gaps]


async def test_nothing_is_missing_where_all_is_there(store: EmbeddedStore, table: TableSpec) -> None:
    assert await store.check(table) == checking.Check()
    await write(store, table, *(package(sequence) for sequence in (0, 1, 2)), plain(["another writer"]))
    assert await store.check(table) == checking.Check(rows=10)


async def test_rows_deleted_in_the_engine_are_missing_of_shard_and_stream(store: EmbeddedStore, table: TableSpec) -> None:
    await write(store, table, *(package(sequence) for sequence in range(6)))
    await delete(store, table, "pack_seq IN (2, 3)")
    found = await store.check(table)
    assert (found.rows, found.missing, holes(found), gaps(found)) == (12, 6, [(6, 11, "missing")], [(2, 3, "missing")])
    (hole,), (gap,) = found.holes, found.gaps
    assert isinstance(hole, Hole)
    assert isinstance(gap, StreamGap)
    assert (gap.agent, gap.epoch, f"{gap.stream:016X}") == ("agent-1", EPOCH, STREAM)
    assert (hole.before_ms, hole.after_ms) == (gap.before.at_ms, gap.after.at_ms)


async def test_the_last_rows_and_single_ones_are_missed_too(store: EmbeddedStore, table: TableSpec) -> None:
    await write(store, table, *(package(sequence) for sequence in range(4)))
    await delete(store, table, "pack_seq = 3 OR seq = 4")
    found = await store.check(table)
    assert (found.missing, holes(found), gaps(found)) == (4, [(4, 4, "missing"), (9, 11, "missing")], [])


async def test_a_sequence_of_which_nothing_had_to_be_sent_is_no_loss(store: EmbeddedStore, table: TableSpec) -> None:
    await write(store, table, package(0), package(1), package(4, acknowledged_below=4), package(6))
    found = await store.check(table)
    assert (found.missing, holes(found), gaps(found)) == (0, [], [(5, 5, "pending"), (2, 3, "empty")])


async def test_a_loss_is_told_from_what_a_filter_took(store: EmbeddedStore, table: TableSpec) -> None:
    await write(store, table, package(0), package(2), package(3), package(4, acknowledged_below=4), package(5), package(6))
    await write(store, table, package(0, stream="00000000000000AC"), package(3, stream="00000000000000AC", acknowledged_below=3))
    await delete(store, table, "pack_seq = 3 AND stream = 171")
    found = await store.check(table)
    assert (holes(found), gaps(found)) == ([(6, 8, "missing")], [(3, 3, "missing"), (1, 1, "unclear"), (1, 2, "unclear")])


async def test_what_retention_takes_is_not_missing(store: EmbeddedStore, table: TableSpec) -> None:
    """Files go one by one, and their rows need not be in order: around the oldest row that is left nothing is judged."""
    await write(store, table, *(package(sequence) for sequence in range(4)))
    CLOCK.ahead = 2 * DAYS
    await write(store, table, *(package(sequence) for sequence in range(4, 8)))
    await delete(store, table, "pack_seq IN (0, 2)")
    found = await store.check(table)
    assert (found.missing, holes(found), gaps(found)) == (0, [(0, 2, "retention"), (6, 8, "retention")], [(2, 2, "retention")])
    await delete(store, table, "pack_seq = 5")
    found = await store.check(table)
    assert (found.missing, holes(found)) == (3, [(0, 2, "retention"), (6, 8, "retention"), (15, 17, "missing")])
    CLOCK.ahead = 33 * DAYS
    assert {hole.judged for hole in (await store.check(table)).holes} == {"retention"}
    await delete(store, table, "1")
    assert holes(await store.check(table)) == [(0, 23, "retention")]


async def test_what_is_on_its_way_is_not_missing(store: EmbeddedStore, table: TableSpec) -> None:
    await write(store, table, package(0))
    async with store._sealer.paused():
        await store.commit(Write(table, [package(2)]))
        assert await store.check(table) == checking.Check(rows=3)


async def test_many_rows_are_counted_in_buckets(store: EmbeddedStore, table: TableSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "BUCKET_ROWS", 10)
    monkeypatch.setattr(checking, "SLICE_SEQUENCES", 3)
    await write(store, table, *(package(sequence) for sequence in range(20)))
    assert await store.check(table) == checking.Check(rows=60)
    await delete(store, table, "seq IN (8, 9, 10, 25) OR seq BETWEEN 33 AND 51")
    found = await store.check(table)
    assert holes(found) == [(8, 10, "missing"), (25, 25, "missing"), (33, 51, "missing")]
    assert (found.missing, gaps(found)) == (23, [(3, 3, "missing"), (11, 17, "missing")])


async def test_no_more_are_told_than_fit(store: EmbeddedStore, table: TableSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MOST", 2)
    await write(store, table, package(0, [str(number) for number in range(12)]))
    await delete(store, table, "seq IN (1, 3, 5, 7)")
    found = await store.check(table)
    assert (found.cut, holes(found)) == (True, [(1, 1, "missing"), (3, 3, "missing")])


async def test_blocks_that_were_set_aside_are_named(store: EmbeddedStore, table: TableSpec, tmp_path: Path) -> None:
    (store.directory / "quarantine" / f"ls_{table.logstore}-token").mkdir(parents=True)
    (store.directory / "quarantine" / f"ls_{table.logstore}0-token").mkdir()
    assert (await store.check(table)).set_aside == 1
