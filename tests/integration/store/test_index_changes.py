"""Indexes change while there is writing and searching, and kill -9 strikes at any moment: no answer is wrong, the change is finished."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.errors import EngineError
from tailrace.server.store import changing, schema
from tailrace.server.store.embedded import EmbeddedStore
from tailrace.server.store.port import EngineQuery, FieldIndex, Filling, TableSpec, Write
from tailrace.telemetry import recent_alarms
from tests.integration.store.groups import eventually, plain, spec
from tests.integration.store.index_changer import counted, in_use, opened
from tests.integration.store.test_embedded import open_embedded


def run_and_kill(home: Path, seed: int, until: int, after: float) -> list[str]:
    """What it said. It is killed `after` seconds after it asked for the index number `until`."""
    command = [sys.executable, "-m", "tests.integration.store.index_changer", str(home), str(seed)]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as changer:
        assert changer.stdout is not None
        while (line := changer.stdout.readline()) != f"index {until}\n":
            assert line, "it ended by itself"
            said.append(line.strip())
        with pytest.raises(subprocess.TimeoutExpired):
            changer.wait(after)
        os.kill(changer.pid, signal.SIGKILL)
        return [*said, *(line.strip() for line in changer.stdout.read().splitlines(keepends=True) if line.endswith("\n"))]


async def must_be_whole(home: Path, said: list[str]) -> None:
    assert [line for line in said if line.startswith("wrong")] == []
    rows = max((int(line.split()[1]) for line in said if line.startswith("rows")), default=0)
    async with opened(home) as (catalog, store):
        await catalog.builds.wait(1, 600)
        await store.flush()
        table = in_use(catalog)
        found = await counted(store, table)
        assert found[0] == found[1] >= rows
        logstore = catalog.logstore("web", "access")
        assert logstore is not None
        assert logstore.building is None
        await must_hold_only(store, table)


async def must_hold_only(store: EmbeddedStore, table: TableSpec) -> None:
    async def narrow() -> bool:
        held = changing.held((await store.engine.execute(changing.held_statement(table.logstore))).rows)[table.logstore]
        return held.columns == schema.columns_of(table).keys() and held.indexes == schema.indexes_of(table).keys()

    await eventually(narrow, 60)


async def kill_often(home: Path, kills: int, longest: float) -> None:
    chance = random.Random(kills)
    seed, said = 1, list[str]()
    for _ in range(kills):
        until = seed + chance.randrange(3)
        said += await asyncio.to_thread(run_and_kill, home, seed, until, chance.random() * longest)
        seed = until + 1
    await must_be_whole(home, said)


async def test_a_table_that_was_made_before_a_setting_has_it_after_the_next_start(tmp_path: Path) -> None:
    table = spec()
    for _ in range(2):
        async with open_embedded(tmp_path, [table]) as store:
            (found,) = changing.held((await store.engine.execute(changing.held_statement())).rows).values()
            assert {schema.IDLE_MERGE, "fsync_after_insert"} <= found.settings
            await store.engine.execute(f"ALTER TABLE ls_{table.logstore} RESET SETTING {schema.IDLE_MERGE}")


@pytest.mark.timeout(300)
async def test_an_index_that_changes_while_its_server_is_killed_answers_rightly_and_is_finished(tmp_path: Path) -> None:
    await kill_often(tmp_path, kills=2, longest=0.3)
    assert (tmp_path / "meta.db").exists()


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_the_same_many_times(tmp_path: Path) -> None:
    await kill_often(tmp_path, kills=40, longest=1.0)
    assert (tmp_path / "meta.db").exists()


WIDER = (FieldIndex("c3", "name", "text", (" ",)), FieldIndex("c4", "other", "text", (" ",)))


async def test_the_engine_dies_while_an_index_is_filled(tmp_path: Path) -> None:
    table = spec()
    wider = replace(table, fields=(*table.fields, *WIDER))
    async with open_embedded(tmp_path, [table]) as store:
        for _ in range(5):
            await store.commit(Write(table, [plain(["a word"] * 2000)]))
            await store.flush()
        await store.widen(wider)
        heard: list[Filling] = []
        filling = asyncio.create_task(store.fill(wider, table, heard.append))
        while not heard:
            await asyncio.sleep(0.001)
        os.kill(store.engine.pid, signal.SIGKILL)
        await filling
        assert heard[-1] == Filling(10_000, 10_000)
        await store.narrow(wider)
        answer = await store.query(EngineQuery(f"SELECT count() FROM ls_{table.logstore} WHERE hasAllTokens(c3, 'word')"))
        assert answer.rows == [(10_000,)]
        await must_hold_only(store, wider)


async def test_an_index_that_cannot_be_filled_says_why(tmp_path: Path) -> None:
    """A part that cannot be read, as a bad disk would have it: the change waits, what there was goes on answering."""
    table = spec()
    wider = replace(table, fields=(*table.fields, *WIDER))
    async with open_embedded(tmp_path, [table]) as store:
        await store.commit(Write(table, [plain(["a word"])]))
        await store.flush()
        await store.widen(wider)
        await store.engine.execute(f"ALTER TABLE ls_{table.logstore} {UNREADABLE}")
        heard: list[Filling] = []
        filling = asyncio.create_task(store.fill(wider, table, heard.append))

        async def told() -> bool:
            return bool(heard) and "bad disk" in heard[-1].trouble and "STORE_INDEX_ALARM" in {alarm.kind for alarm in recent_alarms()}

        await eventually(told, 60)
        assert not filling.done()
        assert (await store.query(EngineQuery(f"SELECT fields['name'] FROM ls_{table.logstore}"))).rows == [("a word",)]
        filling.cancel()
        await store.narrow(table)
        with pytest.raises(EngineError):
            await store.query(EngineQuery(f"SELECT c4 FROM ls_{table.logstore}"))
        await must_hold_only(store, table)


UNREADABLE = "MODIFY COLUMN c4 MATERIALIZED toString(throwIf(1, 'bad disk'))"


async def begin_to_fill(store: EmbeddedStore, table: TableSpec, wider: TableSpec, change: str = "") -> None:
    """Until its mutation is there; `change` is made to the table beforehand."""
    await store.commit(Write(table, [plain(["a word"])]))
    await store.flush()
    await store.widen(wider)
    if change:
        await store.engine.execute(f"ALTER TABLE ls_{table.logstore} {change}")
    heard: list[Filling] = []
    filling = asyncio.create_task(store.fill(wider, table, heard.append))

    async def begun() -> bool:
        return bool(heard)

    await eventually(begun, 60)
    filling.cancel()


async def test_a_start_takes_away_an_index_whose_filling_was_interrupted(tmp_path: Path) -> None:
    table = spec()
    wider = replace(table, fields=(*table.fields, *WIDER))
    async with open_embedded(tmp_path, [table]) as store:
        await begin_to_fill(store, table, wider, UNREADABLE)
    async with open_embedded(tmp_path, [table]) as store:
        await must_hold_only(store, table)
        assert (await store.query(EngineQuery(f"SELECT fields['name'] FROM ls_{table.logstore}"))).rows == [("a word",)]


async def test_an_index_that_cannot_be_taken_away_does_not_stop_the_start(tmp_path: Path) -> None:
    """A column that another one needs: the engine does not let it go."""
    table, other = spec(), spec()
    wider = replace(table, fields=(*table.fields, *WIDER))
    async with open_embedded(tmp_path, [table, other]) as store:
        await store.widen(wider)
        await store.engine.execute(f"ALTER TABLE ls_{table.logstore} ADD COLUMN needs String ALIAS c4")
    store = EmbeddedStore(tmp_path)
    try:
        found = await store.open([table, other])
        assert found.unfinished == {table.logstore}
        assert "STORE_INDEX_ALARM" in {alarm.kind for alarm in recent_alarms()}
        await store.engine.execute(f"ALTER TABLE ls_{table.logstore} DROP COLUMN needs")
        await store.narrow(table)
        await must_hold_only(store, table)
    finally:
        await store.close()


async def test_another_filling_with_the_same_last_step_is_not_taken_for_ours(tmp_path: Path) -> None:
    """A number beside the text: the text's index is the last step of both, as it stands last in an ALTER."""
    table = spec()
    text = replace(table, fields=(*table.fields, WIDER[0]))
    both = replace(text, fields=(*text.fields, FieldIndex("c4", "status", "long")))
    async with open_embedded(tmp_path, [table]) as store:
        await begin_to_fill(store, table, text)
        await store.widen(both)
        await store.fill(both, table, lambda _: None)
        columns = await store.engine.execute(
            "SELECT column FROM system.parts_columns WHERE active AND table = {table:String} AND column IN ('c3', 'c4')",
            {"table": f"ls_{table.logstore}"},
        )
        assert sorted({str(row[0]) for row in columns.rows}) == ["c3", "c4"]


async def test_an_old_index_stays_until_no_query_can_ask_it(tmp_path: Path) -> None:
    table = spec()
    bare = replace(table, fields=())
    async with open_embedded(tmp_path, [table]) as store:
        await store.commit(Write(table, [plain(["a word"])]))
        await store.flush()
        asked = f"SELECT count() FROM ls_{table.logstore} WHERE c1 = 0 AND NOT ignore(sleep(0.4))"
        running = [asyncio.create_task(store.query(EngineQuery(asked))) for _ in range(9)]
        await asyncio.sleep(0)
        await store.narrow(bare)
        assert [(await query).rows for query in running] == [[(1,)]] * 9
        with pytest.raises(EngineError):
            await store.query(EngineQuery(asked))
