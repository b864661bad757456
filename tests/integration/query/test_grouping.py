"""GROUP BY of text fields: what is missing is NULL, what is empty is not, however the statement is spelt."""

import pytest

from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

INDEX = (FieldIndex("c1", "s", "text", TOKENS), FieldIndex("c2", "t", "text", TOKENS, alias="other"), FieldIndex("c3", "n", "long"))
LOGS = [
    Log({"s": "a", "t": "x", "n": "1"}),
    Log({"s": "a", "t": "", "n": "2"}),
    Log({"s": "", "t": "x", "n": "4"}),
    Log({"t": "y", "n": "8"}),
    Log({"n": "16"}, topic="some"),
    Log({"s": "b", "n": "32"}),
]
ASKED = 1
"""Number of answers, beside events, that the engine reads: how many events lack a field."""
BY_S = [("", "4"), ("a", "3"), ("b", "32"), ("null", "24")]


@pytest.fixture(scope="module")
def logs(engine: EngineThread) -> FilledLogstore:
    return engine.logstore(LOGS, line=LineIndex(TOKENS), fields=INDEX)


@pytest.mark.parametrize(
    "sql",
    [
        "select s, sum(n) from log group by s order by s",
        "select s, sum(n) as total from log group by 1 order by 1",
        "select s as name, sum(n) from log group by name order by name",
        "select s as t, sum(n) from log group by s order by 1",
        "select log.s, sum(n) from log group by log.s order by log.s",
        "select l.s, sum(n) from log l group by l.s order by s",
        "select s, sum(n) from log group by s having sum(n) > 0 order by coalesce(s, 'zzz')",
        "select s, sum(n) from log where n > 0 group by s order by s is null, s",
        "select s, sum(n) from (select s, n from log) q group by s order by s",
        "with q as (select s, n from log) select s, sum(n) from q group by s order by s",
    ],
)
def test_missing_and_empty_are_two_groups(logs: FilledLogstore, sql: str) -> None:
    assert logs.sql(sql) == BY_S


def test_keys_are_used_in_expressions_and_aggregates(logs: FilledLogstore) -> None:
    found = logs.sql(
        "select s, upper(s) as large, s is null as missing, count(s) as there, max(s) as most, count(distinct t) as kinds, min(n) as least"
        " from log group by s order by s"
    )
    assert found == [
        ("", "", "false", "1", "", "1", "4"),
        ("a", "A", "false", "2", "a", "2", "1"),
        ("b", "B", "false", "1", "b", "0", "32"),
        ("null", "null", "true", "0", "null", "1", "8"),
    ]


def test_several_keys_with_one_in_having_only(logs: FilledLogstore) -> None:
    found = logs.sql("select other, count(*) as n from log group by s, t, other having s is null or s = 'a' order by 1, 2")
    assert found == [("", "1"), ("x", "1"), ("y", "1"), ("null", "1")]


def test_a_window_over_groups(logs: FilledLogstore) -> None:
    found = logs.sql("select s, sum(n) as total, rank() over (order by sum(n) desc) as place from log group by s order by place")
    assert [(name, place) for name, _, place in found] == [("b", "1"), ("null", "2"), ("", "3"), ("a", "4")]


def test_a_search_and_the_topic_narrow_all_of_it(logs: FilledLogstore) -> None:
    assert logs.sql("not s: a | select s, count(*) from log group by s order by s") == [("", "1"), ("b", "1"), ("null", "2")]
    assert logs.sql("* | select s, __topic__, count(*) from log group by s, __topic__ order by 1", topic="some") == [("null", "some", "1")]


def test_totals_and_sets_of_groups_stay_as_they_are(logs: FilledLogstore) -> None:
    assert logs.sql("select s, sum(n) from log group by rollup(s) order by 2") == [
        ("a", "3"), ("", "4"), ("null", "24"), ("b", "32"), ("null", "63"),
    ]  # fmt: skip
    assert logs.sql("select s, grouping(s) from log group by s order by s") == [(name, "0") for name, _ in BY_S]
    assert logs.sql("select distinct s from log order by s") == [(name,) for name, _ in BY_S]


def test_every_event_is_read_and_counted_once(logs: FilledLogstore) -> None:
    answer = logs.ask("* | select s, sum(n) from log group by s")
    assert answer.read_rows == len(LOGS) + ASKED


def test_names_of_fields_are_read_only_where_an_event_lacks_one(engine: EngineThread) -> None:
    sql = "* | select s, count(*) as n from log group by s order by s"
    all_have_it = engine.logstore([Log({"s": str(n % 3), "t": "x" * 50}) for n in range(9)], line=LineIndex(TOKENS), fields=INDEX)
    before = all_have_it.ask(sql)
    assert [tuple(row.values()) for row in before.rows] == [("0", "3"), ("1", "3"), ("2", "3")]
    all_have_it.add([Log({"t": "y"}), Log({"s": ""})])
    after = all_have_it.ask(sql)
    assert [tuple(row.values()) for row in after.rows] == [("", "1"), ("0", "3"), ("1", "3"), ("2", "3"), ("null", "1")]
    assert after.read_bytes / after.read_rows > 1.2 * before.read_bytes / before.read_rows
