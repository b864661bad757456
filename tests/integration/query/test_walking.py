"""A search that has used up its time has found the beginning of its answer; asked again it goes on, and comes to the same end."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from tailrace.errors import BusyError
from tailrace.server.query import walking
from tailrace.server.query.allowance import Allowance
from tailrace.server.query.service import LIGHT, Answer, Page, Queries
from tailrace.server.query.walking import Unfinished
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import EngineQuery, Rows
from tests.integration.query.logs import START, EngineThread, FilledLogstore, Log

EVENTS = 1000
WINDOW = Window(START * NS, (START + EVENTS) * NS)


@dataclass
class Slow:
    """The engine, of which each query has the time for so many seconds of events, and all of them together for `left` queries;
    `fails` after them. Only what is cut takes time, however fast the machine is."""

    now: ClassVar[float] = 0.0
    logstore: FilledLogstore
    width: int = 300
    left: int = 6
    fails: bool = False
    pieces: list[Window] = field(default_factory=list[Window])

    async def query(self, query: EngineQuery) -> Rows:
        found = await self.logstore.thread.engine.query(query)
        start, end = (int(str(query.parameters[name])) for name in ("p0", "p1"))
        self.pieces.append(Window(start, end))
        if self.fails and self.left <= 0:
            raise BusyError("too many queries are waiting")
        if end - start > self.width * NS or self.left <= 0:
            Slow.now += query.limits.seconds if self.left > 0 else LIGHT.seconds
            return replace(found, rows=[], partial=True)
        self.left -= 1
        return found

    @classmethod
    def monotonic(cls) -> float:
        return cls.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "time", Slow)


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
    assert [row["id"] for row in answer.rows][:2] == ["990", "980"]


def test_a_range_that_is_almost_empty_is_passed_soon(logstore: FilledLogstore):
    long_before = Window(0, WINDOW.end)
    slow = Slow(logstore, width=START, left=1000)
    answer = asked(slow, Unfinished(), Page(100), long_before)
    assert not answer.partial
    assert len(answer.rows) == EVENTS // 10
    assert slow.left > 500


@pytest.mark.parametrize(("page", "goes_on"), [(Page(100, reverse=True), True), (Page(99, reverse=True), False), (Page(100), False)])
def test_only_the_same_search_goes_on(logstore: FilledLogstore, page: Page, *, goes_on: bool):
    unfinished = Unfinished()
    asked(Slow(logstore), unfinished, Page(100, reverse=True))
    again = Slow(logstore)
    asked(again, unfinished, page)
    assert (again.pieces[0].end < WINDOW.end) is goes_on


def test_a_search_goes_on_where_it_stood_when_a_query_of_it_failed(logstore: FilledLogstore):
    unfinished, page = Unfinished(), Page(100, reverse=True)
    with pytest.raises(BusyError):
        asked(Slow(logstore, fails=True), unfinished, page)
    again = Slow(logstore, left=1000)
    answer = asked(again, unfinished, page)
    assert again.pieces[0].end < WINDOW.end
    assert len(answer.rows) == EVENTS // 10


def test_events_that_may_be_read_end_a_walk(logstore: FilledLogstore):
    slow = Slow(logstore, left=1000)
    queries = Queries(slow, allowance=Allowance("web", read_rows=EVENTS // 4), unfinished=Unfinished())  # type: ignore[arg-type]
    answer = logstore.thread.run(queries.events(logstore.table, "kind: ten", WINDOW, Page(100, reverse=True)))
    assert answer.partial
    assert len(answer.rows) < EVENTS // 10
