"""Functions and literals of time answer in the server's zone; what is stored and what a search finds does not depend on it."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tailrace.server.query.service import Page, Queries
from tailrace.server.query.window import NS, Window
from tests.integration.query.logs import EngineThread, FilledLogstore, Log

BEFORE, AFTER = 1_774_745_999, 1_774_746_000
"""The second before and the first second of summer time in Berlin: 2026-03-29 01:59:59 +01:00 and 03:00:00 +02:00."""
ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin"]


@pytest.fixture(scope="module")
def logstore(engine: EngineThread) -> FilledLogstore:
    return engine.logstore([Log({"id": "1"}, time=BEFORE), Log({"id": "2"}, time=AFTER)])


def ask(logstore: FilledLogstore, zone: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the statement, ascending by `__time__` where it selects more than one."""
    queries = Queries(logstore.thread.engine, zone)
    window = Window(0, (AFTER + 1) * NS, "")
    answer = logstore.thread.run(queries.ask(logstore.table, "access", f"* | {sql}", window, Page()))
    return [tuple(row.values()) for row in answer.rows]


def local(zone: str, seconds: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(seconds, ZoneInfo(zone)).strftime(form)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("expression", "form"),
    [
        ("date_format(__time__, '%Y-%m-%d %H:%i:%s')", "%Y-%m-%d %H:%M:%S"),
        ("from_unixtime(__time__)", "%Y-%m-%d %H:%M:%S.000"),
        ("date_trunc('hour', __time__)", "%Y-%m-%d %H:00:00.000"),
        ("date_trunc('day', __time__)", "%Y-%m-%d 00:00:00.000"),
        ("hour(__time__)", "%-H"),
        ("day(__time__)", "%-d"),
        ("__date__", "%Y-%m-%d %H:%M:%S"),
        ("date_add('hour', 1, __time__)", None),
    ],
)
def test_functions_answer_in_the_zone(logstore: FilledLogstore, zone: str, expression: str, form: str | None):
    found = ask(logstore, zone, f"select {expression} as t from log order by __time__ limit 10")
    expected = [local(zone, at, form) if form else local(zone, at + 3600, "%Y-%m-%d %H:%M:%S.000") for at in (BEFORE, AFTER)]
    assert [text for (text,) in found] == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("literal", ["timestamp '{}'", "date_parse('{}', '%Y-%m-%d %H:%i:%s')"])
def test_literals_are_read_in_the_zone(logstore: FilledLogstore, zone: str, literal: str):
    text = literal.format(local(zone, AFTER))
    found = ask(logstore, zone, f"select __time__ from log where from_unixtime(__time__) >= {text} limit 10")
    assert found == [(str(AFTER),)]


@pytest.mark.parametrize("zone", ZONES)
def test_to_unixtime_gives_back_what_was_read(logstore: FilledLogstore, zone: str):
    text = local(zone, AFTER)
    assert [int(float(found)) for (found,) in ask(logstore, zone, f"select to_unixtime(timestamp '{text}') as t from log limit 1")] == [
        AFTER
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_that_is_named_wins(logstore: FilledLogstore, zone: str):
    found = ask(
        logstore, zone, "select date_format(at_timezone(from_unixtime(__time__), 'Asia/Tokyo'), '%H:%i') as t from log order by t limit 1"
    )
    assert found == [(local("Asia/Tokyo", BEFORE, "%H:%M"),)]
