"""What a query may use: time and rows end it with what it has found, marked; one that nobody waits for ends at once."""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.allowance import Allowance
from tailrace.server.query.service import Answer, Counts, Page, Queries
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import FieldIndex, LineIndex
from tailrace.server.store.schema import table_name
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore

EVENTS = 400_000
SLOW = "select count(*) as n from log where regexp_like(uri, '(x+x+)+y') or sha256(to_utf8(uri)) = to_utf8('')"
WINDOW = Window(START * NS, (START + EVENTS) * NS)


@dataclass
class Many:
    """A logstore of many events: `uri` is indexed, `note` is not."""

    logstore: FilledLogstore

    def queries(self, **bounds: float) -> Queries:
        return Queries(self.logstore.thread.engine, allowance=Allowance("web", **bounds))  # type: ignore[arg-type]

    def ask(self, statement: str, **bounds: float) -> Answer:
        asking = self.queries(**bounds).ask(self.logstore.table, "access", statement, WINDOW, Page())
        return self.logstore.thread.run(asking)

    def histogram(self, search: str, **bounds: float) -> Counts:
        return self.logstore.thread.run(self.queries(**bounds).histogram(self.logstore.table, search, WINDOW))


@pytest.fixture(scope="module")
def many(engine: EngineThread) -> Iterator[Many]:
    made = engine.logstore(line=LineIndex(TOKENS), fields=(FieldIndex("c1", "uri", "text", TOKENS),))
    engine.run(
        engine.engine.execute(
            f"INSERT INTO {table_name(made.table.logstore)} (time, recv, shard, seq, fields)"
            f" SELECT fromUnixTimestamp64Milli(toInt64({START} + number) * 1000, 'UTC'), now64(3), 0, number,"
            " map('uri', concat('/items/', toString(cityHash64(number)), repeat('x', 40)), 'note', toString(number % 7))"
            f" FROM numbers({EVENTS})"
        )
    )
    yield Many(made)
    engine.run(engine.engine.execute(f"DROP TABLE {table_name(made.table.logstore)}"))


def test_a_query_that_reads_all_is_whole(many: Many) -> None:
    answer = many.ask("* | select count(*) as n")
    assert (answer.rows, answer.partial) == ([{"n": str(EVENTS)}], False)


def test_one_that_used_up_its_rows_answers_with_what_it_has_read(many: Many) -> None:
    answer = many.ask("* | select count(*) as n from log where length(uri) > 3", read_rows=20_000)
    assert answer.partial
    assert 0 < int(answer.rows[0]["n"]) < EVENTS


def test_one_that_used_up_its_time_answers_with_what_it_has_read(many: Many) -> None:
    answer = many.ask(f"* | {SLOW}", seconds=0.05)
    assert answer.partial
    assert answer.elapsed < 30
    assert answer.read_rows < EVENTS


def test_searches_and_histograms_are_marked_too(many: Many) -> None:
    assert many.ask("note: 3", read_rows=1000).partial
    counts = many.histogram("note: 3", read_rows=1000)
    assert counts.partial
    assert sum(each.count for each in counts.intervals) < EVENTS // 7


def test_memory_is_no_part_of_an_answer(many: Many) -> None:
    with pytest.raises(ApiError, match="needs more memory than it may use"):
        many.ask("* | select uri, array_agg(uri) as all_of_it group by uri", memory=1 << 20)


def test_what_has_no_index_is_named(many: Many) -> None:
    assert many.ask("uri: items").unindexed == ()
    assert many.ask("__source__: x or __tag__:t: x or *").unindexed == ()
    assert many.ask("uri: items and note: 3 or other > 5 and not third: *").unindexed == ("note", "other", "third")
    assert many.ask("note: 3 | select count(*) as n").unindexed == ("note",)
    assert many.histogram("note: 3").unindexed == ("note",)


def test_without_any_index_all_is_read_and_said_so(engine: EngineThread) -> None:
    made = engine.logstore()
    asking = made.queries.ask(made.table, "access", "anything", WINDOW, Page())
    assert engine.run(asking).unindexed == ("*",)


def test_a_query_whose_asker_goes_away_ends_in_the_engine(many: Many) -> None:
    thread = many.logstore.thread

    def running() -> int:
        listed = thread.run(thread.engine.execute("SELECT count() FROM system.processes WHERE Settings['readonly'] = '1'"))
        return int(str(listed.rows[0][0]))

    async def asked_and_left() -> None:
        statement = "* | select count(*) as n from log a, log b where length(a.uri) + length(b.uri) = 1"
        asking = asyncio.create_task(many.queries().ask(many.logstore.table, "access", statement, WINDOW, Page()))
        listed = "SELECT count() FROM system.processes WHERE Settings['readonly'] = '1'"
        while (await thread.engine.execute(listed)).rows == [(0,)]:
            assert not asking.done()
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    thread.run(asked_and_left())
    deadline = time.monotonic() + 30
    while running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert thread.engine.use()["analytics"] == {}


def test_light_queries_do_not_wait_for_heavy_ones_whoever_asks(many: Many) -> None:
    """All handles for SQL and scans that projects can have are taken; searches begin and end meanwhile."""
    thread, table = many.logstore.thread, many.logstore.table
    endless = "* | select count(*) as n from log a, log b where length(a.uri) + length(b.uri) = 1"

    async def beside() -> tuple[list[Answer], int, int]:
        heavy = [
            asyncio.create_task(Queries(thread.engine, allowance=Allowance(name)).ask(table, "access", endless, WINDOW, Page()))  # type: ignore[arg-type]
            for name in ("web", "shop")
            for _ in range(5)
        ]
        while sum(use.running for use in thread.engine.use()["analytics"].values()) < thread.engine.settings.analytics:
            await asyncio.sleep(0.01)
        listed = "SELECT sum(toUInt32(Settings['max_threads'])) FROM system.processes WHERE Settings['readonly'] = '1'"
        threads = int(str((await thread.engine.execute(listed)).rows[0][0]))
        asked = [Queries(thread.engine, allowance=Allowance(name)) for name in ("web", "other")]  # type: ignore[arg-type]
        answers = [await one.ask(table, "access", "uri: items", WINDOW, Page(3)) for one in asked]
        still = sum(not task.done() for task in heavy)
        for task in heavy:
            task.cancel()
        await asyncio.gather(*heavy, return_exceptions=True)
        return answers, still, threads

    answers, still, threads = thread.run(beside())
    assert [len(answer.rows) for answer in answers] == [3, 3]
    assert still == 10
    assert threads <= (os.cpu_count() or 1) + thread.engine.settings.analytics - 1, "heavy ones share the cores, one thread each at least"
