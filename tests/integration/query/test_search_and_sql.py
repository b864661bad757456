"""A search narrows what SQL sees, and nothing that SQL says changes what the search finds."""

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.search.parser import parse_search
from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore, Log
from tests.integration.query.oracle import matches
from tests.integration.query.test_search_means import INDEX, random_logs

LOGS = random_logs(300)

# Conditions that are true of every row, written so that the engine can push them down beside the search.
ALWAYS = [
    "plain = plain or plain is null",
    "coalesce(plain, '') <> 'zzz'",
    "not (coalesce(plain, '') = 'zzz')",
    "not regexp_like(coalesce(parts, ''), 'zzz')",
    "coalesce(n, 0) < 1000000",
    "coalesce(exact, 'x') in (select coalesce(exact, 'x') from log)",
    "coalesce(\"__tag__:t\", '') <> 'zzz'",
    "__source__ <> 'zzz' and __topic__ <> 'zzz'",
    "__time__ > 0",
    "1 = 1",
    "not (1 = 0)",
    "true or plain = 'a'",
]
SEARCHES = [
    "a",
    "not a",
    "a or parts:ab",
    "a not free:b",
    'n > 0 or #"a b"',
    'plain:a* or free:""',
    "cased:Ab or a",
    "not (a b) and not n:*",
]


@pytest.fixture(scope="module")
def logstore(engine: EngineThread) -> FilledLogstore:
    return engine.logstore(LOGS, line=LineIndex(TOKENS), fields=INDEX)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("condition", ALWAYS)
def test_a_condition_of_sql_leaves_the_search_alone(logstore: FilledLogstore, search: str, condition: str):
    node = parse_search(search)
    expected = [START + place for place, log in enumerate(LOGS) if matches(log, node, logstore.table)]
    found = logstore.sql(f"{search} | select __time__ from log where {condition} order by __time__ limit 1000")
    assert [int(time) for (time,) in found] == expected


def test_missing_is_null_and_empty_is_empty(engine: EngineThread):
    logstore = engine.logstore([Log({"id": "1", "plain": ""}), Log({"id": "2"}, time=START + 1)], fields=INDEX)
    assert logstore.sql('select plain, plain is null as missing, n, "__tag__:t" from log order by __time__') == [
        ("", "false", "null", "null"),
        ("null", "true", "null", "null"),
    ]


def test_limit_is_100_unless_said_otherwise(logstore: FilledLogstore):
    assert len(logstore.sql("select __time__")) == 100
    assert len(logstore.sql("select __time__ limit 200")) == 200
    assert logstore.sql("select __time__ order by __time__ limit 2, 2") == [(str(START + 2),), (str(START + 3),)]


def test_line_and_offset_are_for_searches_only(logstore: FilledLogstore):
    assert len(logstore.ask("* | select __time__", line=-1, offset=5).rows) == 100


def test_the_time_range_holds_for_every_mention_of_the_log(logstore: FilledLogstore):
    sql = "select (select count(*) from log) as inside, count(*) as outside from log a join access b on a.__time__ = b.__time__"
    assert logstore.sql(sql, start=START + 10, end=START + 15) == [("5", "5")]


def test_join_using_and_star(engine: EngineThread):
    logstore = engine.logstore([Log({"n": "1", "plain": "x"}), Log({"n": "2", "plain": "y"}, time=START + 1)], fields=INDEX)
    assert logstore.sql("select n, total from log join (select n, count(*) as total from access group by n) t using (n) order by n") == [
        ("1", "1"),
        ("2", "1"),
    ]
    ((row),) = logstore.ask("* | select t.* from (select plain, n from log) t where n = 2").rows
    assert row == {"plain": "y", "n": "2"}


def test_the_engines_refusal_speaks_of_the_users_names(logstore: FilledLogstore):
    with pytest.raises(ApiError, match=r"cannot run the SQL: Column 'plain' is not under aggregate function and not in GROUP BY keys$"):
        logstore.sql("select plain, count(*) from log group by n")


def test_tags_source_and_topic_may_be_indexed_like_fields(engine: EngineThread):
    keys = ("__tag__:__path__", "__source__", "__topic__")
    fields = tuple(FieldIndex(f"c{place}", key, "text", TOKENS, alias=key.strip("_")[-4:]) for place, key in enumerate(keys))
    logs = [Log({"id": "1"}, source="10.0.0.1", topic="web", tags={"__path__": "/var/log/a.log"}), Log({"id": "2"}, time=START + 1)]
    logstore = engine.logstore(logs, fields=fields)
    statement = 'select path, "__tag__:__path__", __source__, __topic__ from log order by __time__'
    assert logstore.sql(statement) == [("/var/log/a.log", "/var/log/a.log", "10.0.0.1", "web"), ("null", "null", "", "")]
    for search in ("__tag__:__path__: log", "__source__:10.0.0.1", "__topic__:we*"):
        assert logstore.find(search) == ["1"], search
