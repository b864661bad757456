"""Comparison with earlier times, and series of time without gaps."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.service import Page, Queries
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

DAY = 86_400
TODAY = 1_700_006_400  # 2023-11-15 00:00:00 UTC
INDEX = (FieldIndex("c1", "size", "long"), FieldIndex("c2", "kind", "text", TOKENS))


@pytest.fixture(scope="module")
def logstore(engine: EngineThread) -> FilledLogstore:
    """Today 3 events in the first hour and 1 in the third, yesterday 2 in the first and 4 in the second."""
    counts = {TODAY: 3, TODAY + 7200: 1, TODAY - DAY: 2, TODAY - DAY + 3600: 4}
    logs = [Log({"size": str(n), "kind": "a" if n else "b"}, time=start + n) for start, count in counts.items() for n in range(count)]
    return engine.logstore(logs, line=LineIndex(TOKENS), fields=INDEX)


def today(logstore: FilledLogstore, sql: str, search: str = "*") -> list[tuple[str, ...]]:
    return logstore.sql(f"{search} | {sql}", start=TODAY, end=TODAY + 4 * 3600)


def test_compare_with_yesterday(logstore: FilledLogstore):
    sql = "select compare(n, 86400) as d from (select count(*) as n from log)"
    assert today(logstore, sql) == [("[4.0,6.0,0.6666666666666666]",)]
    assert today(logstore, f"select d[1], d[2] from ({sql})", "kind:a") == [("2.0", "4.0")]
    assert today(logstore, "select compare(n, 86400, 172800) as d from (select count(*) as n from log)") == [
        ('[4.0,6.0,0.0,0.6666666666666666,"Infinity"]',)
    ]


def test_compare_meets_groups_of_the_same_time_of_day(logstore: FilledLogstore):
    inner = "select date_trunc('hour', __time__) as t, count(*) as n from log group by 1"
    assert today(logstore, f"select date_format(t, '%H') as h, compare(n, 86400) as d from ({inner}) group by t order by t") == [
        ("00", "[3.0,2.0,1.5]"),
        ("01", "[null,4.0,null]"),
        ("02", "[1.0,null,null]"),
    ]


def test_ts_compare_says_when_it_was(logstore: FilledLogstore):
    inner = "select __time__ - __time__ % 3600 as t, count(*) as n from log group by 1"
    found = today(logstore, f"select t, ts_compare(n, 86400) as d from ({inner}) group by t order by t limit 1")
    assert found == [(str(TODAY), f"[3.0,2.0,1.5,{TODAY - DAY}.0]")]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select compare(count(*), 86400) from log", "looks into one sub-query"),
        ("select compare(n, x) from (select count(*) as n, 1 as x from log)", "whole numbers of seconds"),
        ("with t as (select 1 as n from log) select compare(n, 60) from (select n from t)", "cannot look into `t` of WITH"),
        ("select ts_compare(n, 60) from (select count(*) as n from log)", "GROUP BY"),
        ("select time_series(__time__, '5 minutes', '%H', '0') as t", "constant such as '30s'"),
        ("select time_series(__time__, '5m', '%H', 'zero') as t, count(*) group by t", "`zero` is no padding"),
    ],
)
def test_mistakes_say_what_was_expected(logstore: FilledLogstore, sql: str, reason: str):
    with pytest.raises(ApiError, match=reason):
        today(logstore, sql)


@pytest.mark.parametrize(
    ("padding", "filled"),
    [("0", ["0", "0"]), ("null", ["null", "null"]), ("last", ["3", "1"]), ("next", ["1", "null"]), ("avg", ["2.0", "null"])],
)
def test_a_time_series_has_no_gaps(logstore: FilledLogstore, padding: str, filled: list[str]):
    sql = f"select time_series(__time__, '1h', '%H:%i', '{padding}') as t, count(*) as n from log group by t order by t"
    assert today(logstore, sql) == [("00:00", "3"), ("01:00", filled[0]), ("02:00", "1"), ("03:00", filled[1])]
    assert [row for row, _ in today(logstore, f"{sql} desc")] == ["03:00", "02:00", "01:00", "00:00"]


def test_a_time_series_of_two_dimensions_stays_as_it_is(logstore: FilledLogstore):
    sql = "select time_series(__time__, '1h', '%H:%i', '0') as t, kind, count(*) as n from log group by t, kind order by t, kind"
    assert today(logstore, sql) == [("00:00", "a", "2"), ("00:00", "b", "1"), ("02:00", "b", "1")]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Europe/Berlin"])
def test_days_and_hours_of_a_series_are_those_of_the_zone(engine: EngineThread, zone: str):
    """2026-03-29 has 23 hours in Berlin."""
    middle = datetime(2026, 3, 29, 12, tzinfo=ZoneInfo(zone))
    logstore = engine.logstore([Log({"size": "1"}, time=middle.timestamp())], fields=INDEX)
    start = datetime(2026, 3, 28, tzinfo=ZoneInfo(zone)).timestamp()
    end = datetime(2026, 3, 31, tzinfo=ZoneInfo(zone)).timestamp()

    def series(window: str, pattern: str, begin: float = start, until: float = end) -> list[tuple[str, ...]]:
        sql = f"* | select time_series(__time__, '{window}', '{pattern}', '0') as t, count(*) as n from log group by t order by t"
        asked = Window(int(begin) * NS, int(until) * NS)
        answer = engine.run(Queries(engine.engine, zone).ask(logstore.table, "access", sql, asked, Page()))
        return [tuple(row.values()) for row in answer.rows]

    assert series("1d", "%m-%d") == [("03-28", "0"), ("03-29", "1"), ("03-30", "0")]
    day = datetime(2026, 3, 29, tzinfo=ZoneInfo(zone)).timestamp()
    hours = series("1h", "%H", day, datetime(2026, 3, 30, tzinfo=ZoneInfo(zone)).timestamp())
    assert [hour for hour, _ in hours] == [f"{hour:02}" for hour in range(24) if zone != "Europe/Berlin" or hour != 2]
    assert [hour for hour, count in hours if count == "1"] == ["12"]
