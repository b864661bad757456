"""kill -9 of the server's process and of the engine's: what was acknowledged is there once, what was not at most once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tailrace.errors import EngineError
from tailrace.server.store.embedded import EmbeddedStore
from tailrace.server.store.port import EngineQuery, Limits, TableSpec, Write
from tailrace.telemetry import recent_alarms
from tests.integration.store.groups import commit_forever, names, plain, spec
from tests.integration.store.test_embedded import open_embedded

LOGSTORE = 77
LONGEST_SECS = 15.0
WRITER = """
import asyncio, sys
from pathlib import Path
from tailrace.server.store.embedded import EmbeddedStore
from tests.integration.store.groups import commit_forever, spec

async def main():
    table = spec(logstore=int(sys.argv[2]))
    store = EmbeddedStore(Path(sys.argv[1]), segment_bytes=200_000)
    await store.open([table])
    await asyncio.gather(*(commit_forever(store, table, seed, lambda line: print(line, flush=True)) for seed in range(4)))

asyncio.run(main())
"""


class Ledger:
    """What a writer said it tried, and what was acknowledged to it."""

    def __init__(self) -> None:
        self.tried: dict[str, list[str]] = {}
        """The events of each write."""
        self.acknowledged: set[str] = set()

    def read(self, line: str) -> None:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "try":
            self.tried[rest.partition(" ")[0].rpartition("-")[0]] = rest.split()
        elif verb == "ack":
            self.acknowledged.update(self.tried[rest])

    def check(self, found: list[str]) -> None:
        counted = Counter(found)
        assert not [name for name, times in counted.items() if times > 1]
        assert self.acknowledged <= counted.keys()
        assert counted.keys() <= {name for names in self.tried.values() for name in names}


def run_and_kill(directory: Path, ledger: Ledger, lines: int) -> None:
    """Kills it when it has said so many lines, or on a machine that is slow after some time, but never before it has said anything."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", WRITER, str(directory), str(LOGSTORE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        assert writer.stdout is not None
        deadline = time.monotonic() + LONGEST_SECS
        for number in range(lines):
            if number and time.monotonic() > deadline:
                break
            ledger.read(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        for line in writer.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                ledger.read(line)


async def check_store(directory: Path, ledger: Ledger) -> None:
    table = spec(logstore=LOGSTORE)
    async with open_embedded(directory, [table]) as store:
        await store.flush()
        ledger.check(await names(store, table))
        sql = f"SELECT shard, count(), uniqExact(seq), max(seq) + 1 FROM ls_{LOGSTORE} GROUP BY shard"
        assert all(row[1] == row[2] == row[3] for row in (await store.query(EngineQuery(sql))).rows)


async def verify_across_kills(directory: Path, kills: int, longest: int) -> None:
    chance = random.Random(kills)
    ledger = Ledger()
    for _ in range(kills):
        await asyncio.to_thread(run_and_kill, directory, ledger, chance.randint(1, longest))
    assert ledger.acknowledged
    await check_store(directory, ledger)


async def test_kill_9_of_the_server_loses_and_repeats_nothing(tmp_path: Path) -> None:
    await verify_across_kills(tmp_path, kills=3, longest=600)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_kill_9_of_the_server_many_times(tmp_path: Path) -> None:
    await verify_across_kills(tmp_path, kills=50, longest=3000)


async def verify_across_engine_kills(directory: Path, kills: int) -> None:
    table: TableSpec = spec(logstore=LOGSTORE)
    ledger = Ledger()
    chance = random.Random(kills)
    async with open_embedded(directory, [table]) as store:
        writers = [asyncio.create_task(commit_forever(store, table, seed, ledger.read)) for seed in range(3)]
        meanwhile: list[int] = []
        for number in range(kills):
            await asyncio.sleep(chance.random())
            os.kill(store.engine.pid, signal.SIGKILL)
            while store.engine.is_up:
                await asyncio.sleep(0.001)
            before = len(ledger.acknowledged)
            await store.engine.ready()
            meanwhile.append(len(ledger.acknowledged) - before)
            assert store.engine.restarts == number + 1
        assert min(meanwhile) > 0, "commits wait for the engine"
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        await asyncio.sleep(0.2)
        await store.flush()
        assert store.health()["backlog_bytes"] == 0
        ledger.check(await names(store, table))
        assert not (directory / "quarantine").exists()


async def test_kill_9_of_the_engine_during_ingestion(tmp_path: Path) -> None:
    await verify_across_engine_kills(tmp_path, kills=3)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_kill_9_of_the_engine_many_times(tmp_path: Path) -> None:
    await verify_across_engine_kills(tmp_path, kills=60)


async def test_an_abort_of_the_engine_is_noticed_at_once_and_survived(tmp_path: Path) -> None:
    """The engine handles its own crashes, slowly: without our care it would hang for a minute before it dies."""
    table = spec()
    async with open_embedded(tmp_path, [table]) as store:
        for number, fatal in enumerate((signal.SIGABRT, signal.SIGSEGV)):
            os.kill(store.engine.pid, fatal)
            await store.commit(Write(table, [plain([str(number)])]))
            began = time.monotonic()
            while store.engine.restarts == number:
                await asyncio.sleep(0.01)
            assert time.monotonic() - began < 30, "it prints a stack for a minute"
            await store.engine.ready()
        await store.flush()
        assert await names(store, table) == ["0", "1"]
        assert "STORE_ENGINE_ALARM" in {alarm.kind for alarm in recent_alarms()}


async def test_a_query_that_runs_out_of_memory_leaves_ingestion_alive(tmp_path: Path) -> None:
    table = spec()
    async with open_embedded(tmp_path, [table]) as store:
        pid = store.engine.pid
        greedy = EngineQuery("SELECT groupArray(number) FROM numbers(10000000000)", limits=Limits("analytics", memory=400 << 20))
        queries = [asyncio.create_task(store.query(greedy)) for _ in range(4)]
        for n in range(20):
            await store.commit(Write(table, [plain([f"{n:02}"])]))
        results = await asyncio.gather(*queries, return_exceptions=True)
        assert [result.engine_code for result in results if isinstance(result, EngineError)] == [241] * 4
        await store.flush()
        assert await names(store, table) == [f"{n:02}" for n in range(20)]
        assert store.engine.pid == pid


async def test_the_engine_goes_with_its_server(tmp_path: Path) -> None:
    """An orphaned engine would keep the directory from the next server."""
    ledger = Ledger()
    await asyncio.to_thread(run_and_kill, tmp_path, ledger, 30)
    store = EmbeddedStore(tmp_path)
    await store.open([spec(logstore=LOGSTORE)])
    assert store.health()["engine"] == "up"
    await store.close()
