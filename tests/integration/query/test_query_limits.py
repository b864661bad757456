"""What a query may use: time and rows end it with what it has found, marked; one that nobody waits for ends at once."""

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.allowance import Allowance
from tailrace.server.query.fields import Seen
from tailrace.server.query.service import Answer, Counts, Page, Queries
from tailrace.server.query.window import NS, Window
from tailrace.server.store import frames
from tailrace.server.store.engine import Engine
from tailrace.server.store.port import EngineQuery, FieldIndex, Limits, LineIndex, Rows
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


def test_what_counts_has_nothing_to_show_when_its_time_is_over_and_says_so(many: Many) -> None:
    with pytest.raises(ApiError, match=r"took longer than 0\.05 s: narrow the time range or the search"):
        many.ask(f"* | {SLOW}", seconds=0.05)
    with pytest.raises(ApiError, match=r"took longer than 0\.01 s"):
        many.histogram("uri: x*x*x*x*y", seconds=0.01)


def test_a_search_for_events_that_used_up_its_time_answers_with_what_it_has_read(many: Many) -> None:
    answer = many.ask("uri: x*x*x*x*y", seconds=0.01)
    assert answer.partial
    assert answer.read_rows < EVENTS


def test_statistics_of_a_field_are_whole_or_fail_within_the_projects_limits(many: Many) -> None:
    def seen(**bounds: float) -> Seen:
        return Seen(many.queries(**bounds), many.logstore.table, "", WINDOW)

    run = many.logstore.thread.run
    assert run(seen().statistics("note")).events == EVENTS
    with pytest.raises(ApiError, match="reads more than 1000 events: narrow"):
        run(seen(read_rows=1000).statistics("note"))
    with pytest.raises(ApiError, match=r"took longer than 0\.001 s"):
        run(seen(seconds=0.001).fields())
    assert len(run(seen(read_rows=100_000).values("note", ""))) == 7, "completion shows what it has"


def test_all_that_a_project_asks_for_keeps_to_how_much_it_may_at_a_time(many: Many) -> None:
    asked: list[Limits] = []

    class Asked:
        async def query(self, query: EngineQuery) -> Rows:
            asked.append(query.limits)
            return await many.logstore.thread.engine.query(query)

    queries = Queries(Asked(), allowance=Allowance("web", at_once=1))  # type: ignore[arg-type]
    table, run = many.logstore.table, many.logstore.thread.run
    run(queries.topics(table, "", 10))
    run(queries.tail(table, "", "", 10))
    run(queries.ask(table, "access", "uri: items", WINDOW, Page()))
    run(Seen(queries, table, "uri: items", WINDOW).fields())
    assert {(limits.pool, limits.at_once) for limits in asked} == {("light", 1), ("scan", 1)}


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
    while thread.engine.use()["analytics"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not running(), "its turn is held for as long as the engine works"


def test_a_query_that_was_cancelled_before_it_began_never_begins(many: Many) -> None:
    engine = many.logstore.thread.engine

    def request(name: str) -> frames.Query:
        query = EngineQuery("SELECT max(sipHash64(number)) FROM numbers(1000000000000)", query_id=name, limits=Limits("export"))
        return engine._request(query, 1, "long")

    async def both() -> tuple[str, str]:
        first, second = engine._send(request("first")), engine._send(request("second"))  # there is one handle
        await engine.cancel("second")
        while not first.done():
            await engine.cancel("first")
            await asyncio.wait([first], timeout=0.1)
        return first.result()[0].error, (await second)[0].error

    first, second = many.logstore.thread.run(both())
    assert "(QUERY_WAS_CANCELLED)" in first
    assert "cancelled before it began" in second


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
        long = "Settings['os_threads_nice_value_query'] = '19'"
        listed = f"SELECT count(), sum(toUInt32(Settings['max_threads'])) FROM system.processes WHERE {long}"
        while (at_work := (await thread.engine.execute(listed)).rows[0])[0] != thread.engine.settings.analytics:
            await asyncio.sleep(0.01)
        threads = int(str(at_work[1]))
        asked = [Queries(thread.engine, allowance=Allowance(name)) for name in ("web", "other")]  # type: ignore[arg-type]
        answers = [await one.ask(table, "access", "uri: items", WINDOW, Page(3)) for one in asked]
        still = sum(not task.done() for task in heavy)
        for task in heavy:
            task.cancel()
        await asyncio.gather(*heavy, return_exceptions=True)
        return answers, still, threads

    answers, still, threads = thread.run(beside())
    cores = os.cpu_count() or 1
    assert [len(answer.rows) for answer in answers] == [3, 3]
    assert still == 10
    assert threads <= sum(max(1, cores // place) for place in range(1, thread.engine.settings.analytics + 1)), "heavy ones share the cores"


def test_heavy_queries_share_the_cores(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    engine._cores = 8
    with (
        engine._threads("analytics") as first,
        engine._threads("scan") as second,
        engine._threads("export") as third,
        engine._threads("light") as light,
    ):
        assert (first, second, third, light) == (8, 4, 2, 8)
    engine._cores = 1
    with engine._threads("analytics") as only, engine._threads("analytics") as beside:
        assert (only, beside) == (1, 1)
