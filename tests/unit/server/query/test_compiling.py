"""What SQL may do, what it becomes, and how refusals read."""

import re

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from tailrace.errors import ApiError
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.allowlist import Presto
from tailrace.server.query.sql.compiling import Statement, Visible, compile_sql
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.functions import FUNCTIONS
from tailrace.server.query.sql.templates import calls
from tailrace.server.store.port import FieldIndex, TableSpec

TABLE = TableSpec(
    7,
    30,
    fields=(
        FieldIndex("c1", "status", "long"),
        FieldIndex("c2", "uri", "text", (" ",), alias="path"),
        FieldIndex("c3", 'odd"\\name', "text", (" ",)),
        FieldIndex("c4", "hidden", "text", (" ",), doc_value=False),
        FieldIndex("c5", "time", "double"),
    ),
)


def compiled(sql: str) -> tuple[Statement, Binder]:
    binder = Binder()
    visible = Visible(TABLE, lambda _shift: ["time >= {t:Int64}"])
    return compile_sql(sql, {"log": visible, "access": visible}, binder), binder


def text(sql: str) -> str:
    """The part after our CTE."""
    return compiled(sql)[0].text.split("} ", maxsplit=1)[-1].split(") ", maxsplit=1)[-1]


REFUSED = {
    "": "expected one SELECT",
    "select 1; select 2": "only one SQL statement",
    "drop table ls_7": "only SELECT",
    "insert into log values (1)": "only SELECT",
    "create table x as select 1": "only SELECT",
    "set dialect = 'clickhouse'": "only SELECT",
    "explain select 1": "only SELECT",
    "show tables": "only SELECT",
    "values (1)": "only SELECT",
    "select * from system.tables": "not allowed",
    "select * from default.ls_7": "not allowed",
    "select * from ls_7": "table `ls_7` cannot be resolved",
    "select * from ls_8": "table `ls_8` cannot be resolved",
    "select * from file('/etc/passwd')": "table `file` cannot be resolved",
    "select * from url('http://x', 'CSV')": "cannot select from `url('http://x', 'CSV')`: only logstores and sub-queries have rows",
    "select * from log, merge('x', 'y')": "cannot select from `merge('x', 'y')`",
    "select * from table(file('x'))": "line 1, column 25",
    "select * from (values (1)) t(a)": "not allowed",
    "select file('/etc/passwd')": "line 1",
    "select url('http://x')": "function `url` is not supported",
    "select joinGet('a', 'b', 1)": "function `joinget` is not supported",
    "select dictGet('a', 'b', 1)": "function `dictget` is not supported",
    "select getSetting('x')": "function `getsetting` is not supported",
    "select system.now()": "not allowed",
    "select cuont(*)": "did you mean `count`?",
    "select statsu": "column `statsu` cannot be resolved; did you mean `status`?",
    "select hidden": "column `hidden` cannot be resolved",
    "select fields": "column `fields` cannot be resolved",
    "select c1": "column `c1` cannot be resolved",
    "select x0": "column `x0` cannot be resolved",
    "select log.c1 from log": "cannot be resolved",
    "select other.status from log": "column `other.status` cannot be resolved",
    "select default.log.status from log": "cannot be resolved",
    "select status from log a join log b on a.status = b.status": "column `status` is ambiguous: write `a.status` or `b.status`",
    "selct 1": "only SELECT and WITH … SELECT are allowed, not SELCT; did you mean SELECT?",
    "limit 10": "not LIMIT",
    "select 1 from log, log": "two tables are called `log`",
    "select status from (select status from log) q join (select status from log) q using (status)": "two tables are called `q`",
    "select x from log, unnest(array[1]) as log(x)": "two tables are called `log`",
    "select status settings max_threads = 1": "line 1",
    "select status format JSON": "line 1",
    "select status into outfile 'x'": "line 1",
    "select status from log tablesample bernoulli (10)": "not allowed",
    "select status from log for update": "not allowed",
    "with recursive r as (select 1 x) select * from r": "not allowed",
    "with log as (select 1 x) select * from log": "reserved",
    "with __logs0 as (select 1 x) select * from __logs0": "reserved",
    "select {p0:String}": "not allowed",
    "select ?": "not allowed",
    "select :name": "not allowed",
    "select @@version": "not allowed",
    'select status as "a\\b"': "a name must have",
    "select status limit 1000001": "LIMIT is at most 1000000",
    "select status limit all": "LIMIT needs a number",
    "select * from (select status from log limit 1 + 1) t": "LIMIT needs a number",
    "select": "at least one column",
    "select status from log union select status, uri from log": "as many columns",
    "select cast(status as varbinary)": "type `VARBINARY` is not supported",
    "select x from log cross join unnest(array[1])": "UNNEST needs an alias",
    "select " + "(" * 300 + "1" + ")" * 300: "nested too deeply",
    "select " + "json_extract_scalar(" * 40 + "uri" + ", '$.a')" * 40: "too many calls in each other",
    "select " + "(" * 40 + "uri" + " in (uri, time))" * 40: "too many calls in each other",
    "select 1 + " * 2 + "1": "line 1",
}


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:40])
def test_refused(sql: str):
    with pytest.raises(ApiError) as raised:
        compiled(sql)
    assert (raised.value.status, raised.value.error_code) == (400, "ParameterInvalid")
    assert REFUSED[sql] in raised.value.message


BECOMES = {
    "select status": 'SELECT "log"."x3" AS "status" FROM "__logs0" AS "log" LIMIT 100',
    "select STATUS from access": 'SELECT "access"."x3" AS "status" FROM "__logs0" AS "access" LIMIT 100',
    "select count(*)": 'SELECT count(*) AS "_col0" FROM "__logs0" AS "log" LIMIT 100',
    "select status as s limit 5, 10": 'SELECT "log"."x3" AS "s" FROM "__logs0" AS "log" OFFSET 5 LIMIT 10',
    "select status / 2": 'SELECT intDivOrNull("log"."x3", 2) AS "_col0" FROM "__logs0" AS "log" LIMIT 100',
    "select time / 2": 'SELECT "log"."x6" / 2 AS "_col0" FROM "__logs0" AS "log" LIMIT 100',
    "select max(status) status where status > 1 having status > 2 order by status": (
        'SELECT max("log"."x3") AS "status" FROM "__logs0" AS "log" WHERE "log"."x3" > 1 HAVING "status" > 2 ORDER BY "status" LIMIT 100'
    ),
    "select status, status": 'SELECT "log"."x3" AS "status", "log"."x3" AS "_col1" FROM "__logs0" AS "log" LIMIT 100',
    "select transform(array[1], y -> y + status)": (
        'SELECT transform(ARRAY[1], __p0 -> __p0 + "log"."x3") AS "_col0" FROM "__logs0" AS "log" LIMIT 100'
    ),
    "select a.x from (select status as x from log) as a": (
        'SELECT "a"."x" AS "x" FROM (SELECT "log"."x3" AS "x" FROM "__logs0" AS "log") AS "a" LIMIT 100'
    ),
}


@pytest.mark.parametrize("sql", BECOMES)
def test_becomes(sql: str):
    assert text(sql) == BECOMES[sql]


def test_each_logstore_is_read_under_its_conditions_only():
    statement, _ = compiled("select a.status from log a join access b on a.status = b.status where exists (select 1 from log)")
    assert statement.text.count("FROM ls_7 WHERE time >= {t:Int64}") == statement.text.count("ls_7") == 1


def test_text_that_two_lexers_would_read_differently_is_bound():
    statement, binder = compiled(r"select '\' as a, ' or 1=1 --' as b, 'tab	' as c, 'it''s' as d")
    assert set(binder.parameters.values()) == {"\\", "tab\t"}
    assert "'it''s'" in statement.text


def test_keys_of_fields_never_become_names():
    statement, binder = compiled("select *")
    assert [name for name, _ in statement.columns] == ["__time__", "__source__", "__topic__", "status", "uri", 'odd"\\name', "time"]
    assert 'odd"' not in statement.text
    assert 'odd"\\name' in binder.parameters.values()


def test_columns_know_their_types():
    statement, _ = compiled(
        "select status, time, uri, path, status > 1 as b, date_trunc('hour', __time__) as t, sum(status), \"__tag__:x\" group by 1"
    )
    kinds = [kind for _, kind in statement.columns]
    assert kinds == [Type.BIGINT, Type.DOUBLE, Type.VARCHAR, Type.VARCHAR, Type.BOOLEAN, Type.TIMESTAMP, Type.BIGINT, Type.VARCHAR]


@pytest.mark.parametrize("sql", ["select lateral . as", "select 1 from (selfrom log) q"])
def test_what_the_parser_stumbles_over_is_refused(sql: str):
    with pytest.raises(ApiError, match=r"is not allowed|cannot select from"):
        text(sql)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("selct n", "only SELECT and WITH … SELECT are allowed, not SELCT; did you mean SELECT?"),
        ("explain select 1", "only SELECT and WITH … SELECT are allowed, not EXPLAIN"),
        ("select 'a", "a quote that opens in it is never closed (text stands in single quotes, names in double quotes)"),
        ('select uri from log where uri = "zz"', "column `zz` cannot be resolved (text stands in single quotes: 'zz')"),
    ],
)
def test_a_mistake_is_told_with_what_was_expected(sql: str, told: str):
    with pytest.raises(ApiError) as raised:
        text(sql)
    assert told in raised.value.message


def test_a_syntax_error_says_where():
    with pytest.raises(ApiError, match=r"line 2, column 11, near `b`"):
        compiled("select status as\na where b b")


ASKED = re.compile(r"\(SELECT count\(\) FROM ls_7 WHERE c\d+ = ''\) > 0 AND ")
"""What is asked of the logstore's own metadata beside its rows; nobody can write it, because no such name can be resolved."""
PIECES = st.sampled_from([
    "select", "with", "from", "where", "group by", "order by", "having", "limit 5", "union", "join", "on", "as", "(", ")", ",", "*",
    "log", "ls_7", "ls_8", "system.tables", "status", "uri", "c1", "fields", "t", "x", "x3", "__logs0", "'a'", "'\\'", '"b"', "1", "=",
    "+", "/", "and", "not", "in", "is null", "count(*)", "file('/etc/passwd')", "url('http://x')", "unnest(array[1])", "case when",
    "then", "end", "->", "settings", "format", ";", "--", "/*", "{p0:String}",
])  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=14).map(lambda pieces: " ".join(["select", *pieces])))
def test_whatever_is_typed_only_the_virtual_table_is_read(sql: str):
    try:
        statement, _ = compiled(sql)
    except ApiError:
        return
    text = ASKED.sub("", statement.text)
    made = sqlglot.parse(text.replace("{t:Int64}", "0").replace("{", "'").replace(":String}", "'"), dialect=Presto)
    assert len(made) == 1
    assert isinstance(made[0], exp.Query)
    ctes = {cte.alias for cte in made[0].find_all(exp.CTE)}
    assert {table.name for table in made[0].find_all(exp.Table)} <= ctes | {"ls_7"}
    assert text.count("ls_7") <= 1 + sql.count("ls_7")
    ours = {"has", "mapkeys", "if", "tointeger", "toint64", "tounixtimestamp", "intdivornull", "formatdatetime"}
    ours |= {call.lower() for function in FUNCTIONS.values() for template in function.becomes for call in calls(template)}
    assert {call.name.lower() for call in made[0].find_all(exp.Anonymous)} <= set(FUNCTIONS) | ours
