"""Random SQL, of the kind that both know, gives the same rows here and in DuckDB."""

from collections import Counter
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore, Log

ROWS: list[tuple[int | None, float | None, str | None, str | None]] = [
    (1, 0.5, "a", "Alpha"), (2, 1.5, "b", "beta gamma"), (2, None, "a", None), (-3, 2.0, None, ""), (None, -0.5, "", "x,y,z"),
    (0, 0.0, "c", "Alpha"),
    (7, 1.5, "b", " pad "), (100, 1024.25, "a%", "a_b"), (-1, None, None, None), (12345678901, -3.75, "c", "ALPHA"), (2, 0.5, "a",
    "beta gamma"),
]  # fmt: skip
INDEX = (
    FieldIndex("c1", "n", "long"), FieldIndex("c2", "d", "double"), FieldIndex("c3", "s", "text", TOKENS), FieldIndex("c4", "t",
    "text", TOKENS),
)  # fmt: skip

# What is typed here, or a pair with DuckDB's spelling of it where that differs.
whole = st.sampled_from(["n", "1", "2", "-3", "0", "null", "length(s)", "length(t)", "__time__ % 7"])
wholes = st.recursive(
    whole,
    lambda x: st.one_of(
        st.builds("({} + {})".format, x, x), st.builds("({} - {})".format, x, x), st.builds("({} * 2)".format, x),
        st.builds("({} % 5)".format, x), st.builds("({} /// 2)".format, x), st.builds("abs({})".format, x),
        st.builds("coalesce({}, {})".format, x, x),
        st.builds("nullif({}, {})".format, x, x), st.builds("greatest(coalesce({}, 0), 1)".format, x),
        st.builds("strpos(coalesce(t, ''), 'a') + {}".format, x),
    ),
    max_leaves=3,
)  # fmt: skip
fractions = st.one_of(
    st.sampled_from(["d", "0.5e0", "n * 0.5e0", "abs(d)", "floor(d)", "coalesce(d, 0.25e0)"]),
    st.builds("(d + {})".format, wholes), st.builds("cast({} as double)".format, wholes),
)  # fmt: skip
tests = st.sampled_from(["n = 2", "s is null", "d > 1", "n is null"])
CHOICES = [
    "(case when {0} then {1} else {2} end)", "(case when {0} then {1} when d > 0 then null else {2} end)", "if({0}, {1}, {2})",
    "coalesce({1}, {2})", "greatest(coalesce({1}, 0), coalesce({2}, 0))", "least(coalesce({1}, 1), coalesce({2}, 1))",
    "coalesce(null, {1}, {2})", "array[{1}, {2}][1]", "coalesce(array[{1}][1], {2})",
]  # fmt: skip
choices = st.sampled_from(CHOICES)
chosen_wholes = st.builds(lambda choice, *args: choice.format(*args), choices, tests, wholes, wholes)
mixed = st.one_of(
    st.builds(lambda choice, *args: choice.format(*args), choices, tests, wholes, fractions),
    st.builds(lambda choice, *args: choice.format(*args), choices, tests, fractions, wholes),
)
doubles = st.one_of(fractions, mixed, st.builds("({} / 2)".format, mixed), st.builds("({} / (abs({}) + 1))".format, mixed, wholes))
wholes = st.one_of(wholes, st.builds("({} /// 2)".format, chosen_wholes))
texts = st.recursive(
    st.sampled_from(["s", "t", "'a'", "''", "'it''s'", "cast(n as varchar)", "null"]),
    lambda x: st.one_of(
        st.builds("upper({})".format, x), st.builds("lower({})".format, x), st.builds("({} || {})".format, x, x),
        st.builds("replace({}, 'a', 'bb')".format, x), st.builds("substr({}, 1, 2)".format, x), st.builds("trim({})".format, x),
        st.builds("coalesce({}, '-')".format, x), st.builds("concat('<', {}, '>')".format, x.map("coalesce({}, '')".format)),
        st.builds("case when n > 1 then {} else 'low' end".format, x), st.builds("reverse({})".format, x),
    ),
    max_leaves=3,
)  # fmt: skip
comparisons = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])
conditions = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, wholes, comparisons, wholes), st.builds("{} {} {}".format, texts, comparisons, texts),
        st.builds("{} {} {}".format, doubles, comparisons, wholes), st.builds("{} is null".format, texts),
        st.builds("{} is not null".format, wholes),
        st.builds("{} in (1, 2, -3)".format, wholes), st.builds("{} between -1 and 5".format, wholes),
        st.builds("s in ('a', {})".format, texts),
        st.builds("coalesce({}, '') like 'a%'".format, texts), st.just("coalesce(t, '') like '%e_a%'"),
        st.just("s in (select s from log where n = 2)"),
        st.just("n not in (select n from log where n is not null and n > 5)"), st.just("starts_with(coalesce(t, ''), 'Al')"),
    ),
    lambda x: st.one_of(st.builds("({} and {})".format, x, x), st.builds("({} or {})".format, x, x), st.builds("not ({})".format, x)),
    max_leaves=3,
)  # fmt: skip
aggregates = st.one_of(
    st.just("count(*)"), st.builds("count({})".format, texts), st.builds("sum({})".format, wholes), st.builds("min({})".format, texts),
    st.builds("max({})".format, wholes), st.builds("count(distinct {})".format, wholes), st.builds("avg({})".format, wholes),
    st.builds("sum({})".format, doubles), st.builds("sum(case when {} then 1 else 0 end)".format, conditions),
    st.builds("count(*) filter (where {})".format, conditions), st.builds("bool_or({})".format, conditions),
    st.builds("bool_and({})".format, conditions),
    st.builds("count_if(coalesce({}, false))".format, conditions),
)  # fmt: skip
values = st.one_of(wholes, doubles, texts, conditions)
tables = st.sampled_from(
    ["log", "(select * from log where n > 0) q", "(select n, d, s, t, __time__ from log union all select n, d, s, t, __time__ from log) q"]
)
queries = st.one_of(
    st.builds("select {} as x, {} as y from {} where {}".format, values, values, tables, conditions),
    st.builds("select distinct {} as x from {}".format, values, tables),
    st.builds("select {} as x, {} as y from {} where {} group by 1".format, st.one_of(wholes, texts), aggregates, tables, conditions),
    st.builds("select {} as x, {} as y from {}".format, aggregates, aggregates, tables),
    st.builds("select s as x, {} as y from {} group by s having {} order by 1, 2".format, aggregates, tables, st.just("count(*) > 1")),
    st.builds("select {} as x, count(*) as y from log group by x order by y desc, x limit 3".format, texts),
    st.builds("with w as (select {} as k, n from log) select k as x, max(n) as y from w group by k".format, texts),
    st.builds("select a.s as x, b.n as y from log a {} join log b on a.n = b.n and {}".format, st.sampled_from(["", "left", "full"]),
    st.sampled_from(["a.s = b.s", "a.n > 0"])),
    st.builds("select n as x, {} over (partition by s order by __time__) as y from log".format, st.sampled_from(["row_number()",
    "sum(n)", "lag(n)", "count(*)", "max(d)"])),
    st.builds("select x / 2 as x from (select {} as x from log union all select {} as x from {}) q".format, wholes, fractions, tables),
    st.builds("select x /// 2 as x from (select {} as x from log union select {} as x from {}) q".format, wholes, wholes, tables),
    st.builds("select x, y from (select {} as x, {} as y from log) q where x is not null".format, texts, wholes),
)  # fmt: skip


class Both:
    def __init__(self, engine: EngineThread) -> None:
        logs = [
            Log({name: str(value) for name, value in zip("ndst", row, strict=True) if value is not None}, time=START + place)
            for place, row in enumerate(ROWS)
        ]
        self.logstore: FilledLogstore = engine.logstore(logs, line=LineIndex(TOKENS), fields=INDEX)
        self.duck = duckdb.connect()
        self.duck.execute("create table log (n bigint, d double, s varchar, t varchar, __time__ bigint)")
        self.duck.executemany("insert into log values (?, ?, ?, ?, ?)", [[*row, START + place] for place, row in enumerate(ROWS)])

    def ours(self, query: str) -> Counter[tuple[str, ...]]:
        limited = query if " limit " in query else f"{query} limit 1000"
        return Counter(self.logstore.sql(limited.replace("///", "/")))

    def theirs(self, query: str) -> Counter[tuple[str, ...]]:
        rows = self.duck.execute(query.replace("///", "//")).fetchall()
        return Counter(tuple(map(as_text, row)) for row in rows)


def as_text(value: Any) -> str:
    """As SLS writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


@pytest.fixture(scope="module")
def both(engine: EngineThread) -> Both:
    return Both(engine)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries)
def test_the_same_rows_as_duckdb(both: Both, query: str):
    assert both.ours(query) == both.theirs(query), query


@pytest.mark.parametrize("condition", ["s in ('a', cast(n as varchar))", "n in (1, null)", "s in ('a', t)"])
def test_null_in_a_list_makes_the_rest_unknown(both: Both, condition: str):
    query = f"select d as x from log where not ({condition})"
    assert both.ours(query) == both.theirs(query)


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("array[7][1] / array[2][1] as x, array[7][1] / array[0][1] as y", ("3", "null")),
        ("array[7][1] % array[4][1] as x, array[7][1] % array[0][1] as y", ("3", "null")),
        ("array[7.5e0][1] % array[4][1] as x, array[7.5e0][1] % array[0][1] as y", ("3.5", "NaN")),
        ("array[1e300][1] / 2 as x, array[1e300][1] / array[4][1] as y", ("5e+299", "2.5e+299")),
        ("array[nan()][1] / 2 as x, array[infinity()][1] / array[2][1] as y", ("NaN", "Infinity")),
        ("coalesce(array[0.5e0 + (null + null)][1], 2) as x, null - null as y", ("2.0", "null")),
        ("coalesce(array[0.5e0 + null % 5][1], 2) as x, coalesce(array[0.5e0 - mod(null, 5)][1], 3) as y", ("2.0", "3.0")),
    ],
)
def test_what_only_the_engine_has_the_type_of_is_divided_as_presto_does(both: Both, query: str, row: tuple[str, ...]):
    """By https://prestodb.io/docs/current/functions/math.html; DuckDB divides in another way."""
    assert both.logstore.sql(f"select {query} from log limit 1") == [row]


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries)
def test_the_same_rows_as_duckdb_ten_thousand_times(both: Both, query: str):
    assert both.ours(query) == both.theirs(query), query
