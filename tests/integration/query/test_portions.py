"""Events that are large: whatever is read of them, an answer holds some, none is lost, and none is given twice."""

import json
from itertools import pairwise

import pytest

from tailrace.server.query import context, portions
from tailrace.server.query.exporting import Export
from tailrace.server.query.pulling import ShardReader, decode, encode
from tailrace.server.query.service import Page
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import EngineQuery, Frontier, Rows
from tests.integration.query.logs import START, EngineThread, FilledLogstore, Log

LARGE = 40_000
PORTION = 200_000
EVENTS = 30


@pytest.fixture(scope="module")
def large(engine: EngineThread) -> FilledLogstore:
    """Some of them far larger than a portion."""
    return engine.logstore(
        [Log({"n": str(n), "text": "x" * (PORTION * 2 if n % 10 == 7 else LARGE)}, time=START + n, group=n) for n in range(EVENTS)]
    )


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "PORTION_BYTES", PORTION)


def test_a_page_of_events_is_shorter_and_paging_gives_them_all(large: FilledLogstore):
    found: list[str] = []
    lengths: list[int] = []
    while page := large.find("*", "n", offset=len(found), line=100):
        found += page
        lengths.append(len(page))
    assert found == [str(n) for n in range(EVENTS)]
    assert max(lengths) < 10


def test_an_export_has_them_all(engine: EngineThread, large: FilledLogstore):
    async def everything() -> list[bytes]:
        export = Export(large.queries, lambda: large.table, "logs", "*", Window(START * NS, (START + 100) * NS), "json")
        return [part async for part in export.parts()]

    parts = engine.run(everything())
    assert [json.loads(line)["n"] for part in parts for line in part.splitlines()] == [str(n) for n in range(EVENTS)]
    assert max(map(len, parts)) < 3 * PORTION


def test_pulls_give_each_group_once(engine: EngineThread, large: FilledLogstore):
    async def frontier() -> Frontier:
        return Frontier(EVENTS, EVENTS, EVENTS)

    reader = ShardReader(large.table, 0, large.queries.run, frontier)
    at, sizes = 0, list[int]()
    while at < EVENTS:
        pulled = engine.run(reader.pull(encode(at), 1000))
        assert decode(pulled.next) == at + len(pulled.groups)
        at = decode(pulled.next)
        sizes.append(len(pulled.groups))
    assert max(sizes) < 10
    assert sum(sizes) == EVENTS


def test_a_tail_gives_each_event_once(large: FilledLogstore):
    cursor, found = "0;0:0", list[str]()
    while len(found) < EVENTS:
        page, cursor = large.tail("", cursor)
        assert 0 < len(page) < 10
        found += [row["n"] for row in page]
    assert found == [str(n) for n in range(EVENTS)]


def test_a_context_has_those_that_are_nearest(engine: EngineThread, large: FilledLogstore):
    logstore = engine.logstore([Log({"n": str(n), "text": "x" * LARGE}, group=1) for n in range(EVENTS)])
    logstore.thread.run(
        logstore.thread.engine.execute(f"ALTER TABLE ls_{logstore.table.logstore} UPDATE stream = 7 WHERE 1 SETTINGS mutations_sync = 1")
    )
    place = context.Place(0, 1, EVENTS // 2)
    found = engine.run(context.around(logstore.queries.run, logstore.table, place, 100, 100))
    numbers = [int(event["n"]) for event in found.events]
    assert EVENTS // 2 in numbers
    assert all(after == before + 1 for before, after in pairwise(numbers))
    assert 3 <= len(numbers) < EVENTS


def test_what_weighs_little_is_asked_for_at_once(engine: EngineThread, monkeypatch: pytest.MonkeyPatch):
    logstore = engine.logstore([Log({"n": str(n)}, time=START + n) for n in range(50)])
    asked: list[str] = []
    queries = logstore.queries
    run = queries.run

    async def counted(query: EngineQuery, names: dict[str, str] | None = None) -> Rows:
        asked.append(query.sql)
        return await run(query, names)

    monkeypatch.setattr(queries, "run", counted)
    window = Window(0, (START + 100) * NS)
    answer = engine.run(queries.events(logstore.table, "", window, Page()))
    assert (len(answer.rows), len(asked)) == (50, 1)
