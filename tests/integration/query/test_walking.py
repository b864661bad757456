"""A search that has used up its time has found the beginning of its answer; asked again it goes on, and comes to the same end."""

from dataclasses import dataclass, replace

import pytest

from tailrace.server.query.allowance import Allowance
from tailrace.server.query.service import Answer, Page, Queries
from tailrace.server.query.walking import Unfinished
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import EngineQuery, Rows
from tests.integration.query.logs import START, EngineThread, FilledLogstore, Log

EVENTS = 1000
WINDOW = Window(START * NS, (START + EVENTS) * NS)


@dataclass
class Slow:
    """The engine, of which each query has the time for so many seconds of events, and all of them together for `left` queries."""

    logstore: FilledLogstore
    width: int = 300
    left: int = 6

    async def query(self, query: EngineQuery) -> Rows:
        found = await self.logstore.thread.engine.query(query)
        start, end = (int(str(query.parameters[name])) for name in ("p0", "p1"))
        if end - start > self.width * NS or self.left <= 0:
            return replace(found, rows=[], partial=True)
        self.left -= 1
        return found


@pytest.fixture(scope="module")
def logstore(engine: EngineThread) -> FilledLogstore:
    """Every tenth is one of those that are searched for, and all lie in the second half of a wide range."""
    return engine.logstore([Log({"id": str(n), "kind": "odd" if n % 10 else "ten"}, time=START + n) for n in range(EVENTS)])


def asked(slow: Slow, unfinished: Unfinished, page: Page, window: Window = WINDOW) -> Answer:
    queries = Queries(slow, unfinished=unfinished)  # type: ignore[arg-type]
    return slow.logstore.thread.run(queries.events(slow.logstore.table, "kind: ten", window, page))


@pytest.mark.parametrize(
    "page", [Page(100, reverse=True), Page(100), Page(7, 60), Page(10, 55, reverse=True), Page(100, 200, reverse=True)]
)
def test_what_it_found_is_the_beginning_and_in_the_end_all_of_the_answer(logstore: FilledLogstore, page: Page):
    whole = logstore.thread.run(logstore.queries.events(logstore.table, "kind: ten", WINDOW, page)).rows
    slow, unfinished, lengths = Slow(logstore), Unfinished(), list[int]()
    while True:
        answer = asked(slow, unfinished, page)
        assert answer.rows == whole[: len(answer.rows)]
        lengths.append(len(answer.rows))
        if not answer.partial:
            break
        slow.left = 6
    assert answer.rows == whole
    assert lengths == sorted(lengths)
    assert len(lengths) > 1, "it was cut"


def test_the_newest_are_found_first(logstore: FilledLogstore):
    answer = asked(Slow(logstore), Unfinished(), Page(100, reverse=True))
    assert answer.partial
    assert [row["id"] for row in answer.rows][:3] == ["990", "980", "970"]


def test_a_range_that_is_almost_empty_is_passed_soon(logstore: FilledLogstore):
    long_before = Window(0, WINDOW.end)
    slow = Slow(logstore, width=START, left=1000)
    answer = asked(slow, Unfinished(), Page(100), long_before)
    assert not answer.partial
    assert len(answer.rows) == EVENTS // 10
    assert slow.left > 500


def test_only_the_same_search_goes_on(logstore: FilledLogstore):
    unfinished = Unfinished()
    first = asked(Slow(logstore), unfinished, Page(100, reverse=True))
    other = asked(Slow(logstore), unfinished, Page(99, reverse=True))
    again = asked(Slow(logstore), unfinished, Page(100, reverse=True))
    assert len(first.rows) == len(other.rows) < len(again.rows)


def test_events_that_may_be_read_end_a_walk(logstore: FilledLogstore):
    slow = Slow(logstore, left=1000)
    queries = Queries(slow, allowance=Allowance("web", read_rows=EVENTS // 4), unfinished=Unfinished())  # type: ignore[arg-type]
    answer = logstore.thread.run(queries.events(logstore.table, "kind: ten", WINDOW, Page(100, reverse=True)))
    assert answer.partial
    assert len(answer.rows) < EVENTS // 10
