"""Whatever is typed as SQL: what reaches the engine is one SELECT over the virtual tables that the request may see, each under its own
conditions, as the engine itself reads it (EXPLAIN QUERY TREE); canaries in another table and in a file stay unread."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.errors import ApiError, EngineError
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.query.sql.compiling import Statement, Visible, compile_sql
from tailrace.server.query.window import NS, Window
from tailrace.server.store.port import EngineQuery, FieldIndex, LineIndex
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore, Log

CANARY = "canary-51c0de"
TOPIC = "only-this-topic"
INDEX = (FieldIndex("c1", "n", "long"), FieldIndex("c2", "s", "text", TOKENS), FieldIndex("c3", "d", "double"))
WINDOW = Window(START * NS, (START + 1000) * NS, TOPIC)
BOUNDS = (f"'{START}.000000000'", f"'{START + 1000}.000000000'", f"'{TOPIC}'")
"""As the tree shows the constants of each table's conditions."""
HOSTILE_CALLS = {
    "file", "loadFile", "url", "remote", "joinGet", "dictGet", "hasColumnInTable", "getSetting", "getMacro", "hostName", "currentUser",
    "version", "serverUUID", "sleep", "sleepEachRow", "throwIf", "catboostEvaluate", "executable", "numbers", "merge", "python", "eval",
    "currentDatabase", "tcpPort", "filesystemAvailable", "addressToLine", "queryID", "getServerPort", "showCertificate", "buildId",
}  # fmt: skip

TABLES = [
    "log", "log", "log", "access", '"log"', "LOG", "log a", "log as b", "other", "ls_{secret}", '"ls_{secret}"', "default.ls_{secret}",
    "system.tables", "information_schema.columns", "__logs0", '"__logs1"', "`ls_{secret}`", "numbers(3)", "file('{path}')", "t",
    "url('http://127.0.0.1/')", "(select * from ls_{secret})", "(select n, s from log) q", "unnest(array[1, 2]) as u(x)",
    "{{p0:Identifier}}",
    "log settings readonly = 0", "log final", "log sample 0.1", "log array join n", "log for system_time as of 1", "merge('.*')",
    "table(log)",
]  # fmt: skip
ATOMS = [
    "n", "s", "d", "a.n", "b.s", "log.s", "access.n", "__time__", "__source__", "\"__tag__:x\"", "1", "0.5", "'x'", "''", "null",
    "true", "*",
    "count(*)", "n as __logs0", "s as ls_{secret}", "s as \"a b\"", "'it''s'", "'\\'", "'\\\\'", "'a\\' or 1=1 --'", "x'41'", "u&'\\0041'",
    "{{p0:String}}", "{{p0:Identifier}}", "`n`", "[n]", "array[n, 1]", "map(array['a'], array[1])", "row(1, 'a')", "interval '1' day",
    "current_date", "now()", "date '2024-01-01'", "@@version", "$$x$$", "$1", "?", ":n", "n::varchar", "_", "{path}", "'{path}'",
]  # fmt: skip
CALLS = [
    *[f"{name}({{0}})" for name in ("sum", "max", "length", "lower", "abs", "coalesce", "try", "array_agg", "typeof", "cast", "if",
    "concat")],
    *[f"{name}('{{path}}')" for name in sorted(HOSTILE_CALLS)],
    "count(distinct {0})", "cast({0} as varchar)", "try_cast({0} as bigint)", "regexp_like({0}, '(a+)+$')", "substr({0}, 1, 2)",
    "transform(array[{0}], x -> x)", "max({0}) filter (where n > 0)", "row_number() over (partition by {0} order by n)",
    "{0} between 1 and 2",
    "case when {0} then 1 else 2 end", "{0} in (1, 2)", "{0} in (select {0} from log)", "({0})", "not {0}", "-{0}", "{0} + {0}",
    "{0} || {0}",
    "{0} = {0}", "{0} is null", "{0} like '%'", "exists (select {0} from log)", "(select max({0}) from log)", "{0} /* {0} */",
    "{0} -- {0}\n",
    "time_series(__time__, '5m', '%H', '0')", "extract(hour from {0})", "{0} at time zone 'UTC'",
    "json_extract({0}, '$.a')",
    "approx_percentile({0}, 0.5)", "max_by({0}, {0})", "format('%s', {0})", "(select s from ls_{secret})", "{0} collate x", "{0}[1]",
    "{0}.1",
]  # fmt: skip
SHAPES = [
    "select {0} from {t}", "select {0}, {1} from {t}", "select {0}", "select {0} from {t} where {1}", "select {0} from {t} group by {0}",
    "select {0} from {t} group by {0} having {1} order by {1} limit 5", "select distinct {0} from {t} order by 1 desc", "select * from {t}",
    "with t as (select {0} from {t}) select {1} from t", "with log as (select {0}) select * from log",
    "select {0} from {t} union all select {1} from {t}",
    "select {0} from {t} join {t} on {1} = {0}", "select {0} from {t}, {t}", "select {0} from {t} left join {t} using (n)",
    "(select {0} from {t})",
    "select {0} from (select {1} from {t}) t", "select {0} from (select {1} from {t})", "select {0} from {t} limit 10, 5",
    "select {0} from {t};",
    "select {0} from {t} cross join unnest(array[{1}]) as u(x)", "select {0} from {t} where n in (select {1} from {t})",
    "select {0}; select {1}",
    "select {0} from {t} intersect select {1} from {t}", "with recursive r as (select 1) select {0} from r",
    "select {0} into outfile '{path}'",
    "insert into ls_{secret} select {0}", "explain select {0}", "select {0} from {t} format Null", "select {0} from {t} tablesample (1)",
    "with t as (select {0} as x from {t}), t2 as (select x from t) select x from t2 order by x",
    "select {0} from {t} window w as (order by n)",
]  # fmt: skip
SOUP = [
    "select", "from", "where", "log", "(", ")", ",", "*", "'", '"', "`", "--", "/*", "*/", ";", "|", "union", "with", "as", "x", "n",
    "s", "1",
    "=", "ls_{secret}", "system", ".", "tables", "file", "'{path}'", "join", "on", "group", "by", "order", "limit", "\\", "\\'",
    "{{p0:String}}",
    "settings", "format", "into", "outfile", "values", "::", "->", "[", "]", "{{", "}}", "@", "#", "\n", "\x00", "中", "case", "end",
    "over", "in",
    "select s from ls_{secret}", "log where 1 = 1", "array", "not", "null", "cast", "lateral", "unnest", "table", "prewhere", "final",
    "any",
]  # fmt: skip


def often(usual: list[str], all_of_them: list[str]) -> st.SearchStrategy[str]:
    """So that more than half of what has a shape is let through."""
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(all_of_them))


atoms = often(["n", "s", "d", "1", "'x'", "0.5", "null", "__time__", "count(*)"], ATOMS)
calls = often(["max({0})", "coalesce({0})", "{0} = {0}", "{0} is null", "try({0})", "{0} in (select {0} from log)", "array[{0}]"], CALLS)
tables = often(["log", "access", "other", "log a", "(select n, s, d from log) q"], TABLES)
expressions = st.recursive(atoms, lambda inner: st.tuples(calls, inner).map(lambda made: made[0].replace("{0}", made[1])), max_leaves=3)
shaped = st.tuples(st.sampled_from(SHAPES), expressions, expressions, tables, tables).map(
    lambda made: made[0].replace("{0}", made[1]).replace("{1}", made[2]).replace("{t}", made[3], 1).replace("{t}", made[4])
)
soup = st.lists(st.sampled_from(SOUP), max_size=14).map(lambda words: "select " + " ".join(words))


@st.composite
def broken(draw: st.DrawFn) -> str:
    """Something that has a shape, with a piece of it taken away, doubled or replaced."""
    text = draw(shaped)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 12)))
    return text[:start] + draw(st.sampled_from(["", text[start:end] * 2, *SOUP])) + text[end:]


typed = st.one_of(shaped, shaped, shaped, broken(), soup)


class Place:
    """A logstore that is seen, one that may be joined, and canaries that nobody may see."""

    def __init__(self, engine: EngineThread, directory: Path) -> None:
        self.path = directory / "canary.txt"
        self.path.write_text(CANARY)
        options = {"line": LineIndex(TOKENS), "fields": INDEX}
        self.own = engine.logstore(
            [Log({"n": "1", "s": "x", "d": "0.5"}, topic=TOPIC), Log({"n": "2", "s": CANARY}, topic="else")], **options
        )
        self.other = engine.logstore([Log({"n": "1", "s": "y"}, topic=TOPIC), Log({"s": CANARY}, time=START - 10, topic=TOPIC)], **options)
        self.secret = engine.logstore([Log({"s": CANARY}, topic=TOPIC)], **options)
        self.engine = engine

    def compiled(self, text: str) -> tuple[Statement, Binder] | None:
        sql = (
            text.replace("{path}", str(self.path))
            .replace("{secret}", str(self.secret.table.logstore))
            .replace("{{", "{")
            .replace("}}", "}")
        )
        binder = Binder()
        own, other = (self._visible(logstore, binder) for logstore in (self.own, self.other))
        try:
            return compile_sql(sql, {"log": own, "access": own, "other": other}, binder), binder
        except ApiError as refused:
            error = refused
        assert (error.status, error.error_code, CANARY in error.message) == (400, "ParameterInvalid", False)
        return None

    def rows(self, sql: str, binder: Binder) -> list[tuple[object, ...]] | None:
        """None where the engine refuses, which it may."""
        try:
            return self.engine.run(self.engine.engine.query(EngineQuery(sql, binder.parameters, "trino"))).rows
        except EngineError as refused:
            told = refused.message
        assert CANARY not in told
        return None

    def _visible(self, logstore: FilledLogstore, binder: Binder) -> Visible:
        def conditions(shift: int) -> list[str]:
            window = WINDOW.earlier(shift) if shift else WINDOW
            return [*window.conditions(logstore.table, "", binder), Predicates(logstore.table, binder).write(parse_search("n > 0"))]

        return Visible(logstore.table, conditions)


@pytest.fixture(scope="module")
def place(engine: EngineThread, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(engine, tmp_path_factory.mktemp("canary"))


def faults(place: Place, text: str) -> list[str]:
    """What is wrong with what the text has become; nothing where it was refused."""
    made = place.compiled(text)
    if made is None:
        return []
    statement, binder = made
    found = [name for name, value in {"a second statement": ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", statement.text)}.items() if value]
    tree = place.rows(f"EXPLAIN QUERY TREE {without_asked(place, statement.text)}", binder)
    if tree is not None:
        found += _misread([str(line) for (line,) in tree], {place.own.table.logstore, place.other.table.logstore})
    rows = place.rows(statement.text, binder)
    if rows is not None and CANARY in str(rows):
        found.append("a canary was read")
    return found


def without_asked(place: Place, text: str) -> str:
    """Without what is asked of the metadata of what may be read, whether any event lacks a field: it has no times and tells none."""
    allowed = f"{place.own.table.logstore}|{place.other.table.logstore}"
    return re.sub(rf"\(SELECT count\(\) FROM ls_({allowed}) WHERE c\d+ = ''\) > 0 AND ", "", text)


def _misread(lines: list[str], allowed: set[int]) -> list[str]:
    found = [f"a table function: {line.strip()}" for line in lines if line.strip().startswith("TABLE_FUNCTION")]
    calls = {match[1] for line in lines if (match := re.search(r"function_name: (\w+)", line))}
    found += [f"a function: {name}" for name in sorted(calls & HOSTILE_CALLS)]
    for number, line in enumerate(lines):
        if re.match(r"\s*TABLE id", line):
            name = re.search(r"table_name: (\S+?),?$", line)
            if name is None or name[1] not in {f"default.ls_{logstore}" for logstore in allowed} | {"system.one"}:
                found.append(f"a table: {line.strip()}")
            elif name[1] != "system.one":
                found += [f"without {bound}: {line.strip()}" for bound in BOUNDS if bound not in _where(lines, number)]
    return found


def _where(lines: list[str], number: int) -> str:
    """The conditions that stand beside the table, in the same SELECT."""
    depth = len(lines[number]) - len(lines[number].lstrip()) - 2
    begin = number + 1
    if begin + 1 >= len(lines) or lines[begin] != " " * depth + "WHERE" or "function_name: and," not in lines[begin + 1]:
        return ""
    end = next((at for at in range(begin + 1, len(lines)) if len(lines[at]) - len(lines[at].lstrip()) <= depth), len(lines))
    return "\n".join(lines[begin:end])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=typed)
def test_what_is_typed_reads_nothing_but_its_logstores(place: Place, text: str):
    assert faults(place, text) == [], text


@pytest.mark.long
@settings(max_examples=12_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=typed)
def test_what_is_typed_reads_nothing_but_its_logstores_twelve_thousand_times(place: Place, text: str):
    assert faults(place, text) == [], text


@pytest.mark.parametrize(
    "text",
    [
        "select s from log", "select n, max(s) from log group by n order by 1", "select a.s from log a join other b on a.n = b.n",
        "with t as (select n from other) select n from t where n in (select n from log)", "select n from log union all select n from other",
        "select x from log cross join unnest(array[n]) as u(x)", "select (select max(s) from other) from log",
    ],
)  # fmt: skip
def test_each_table_of_a_statement_has_its_conditions(place: Place, text: str):
    made = place.compiled(text)
    assert made is not None
    tree = place.rows(f"EXPLAIN QUERY TREE {without_asked(place, made[0].text)}", made[1])
    assert tree is not None
    assert any("TABLE id" in str(line) for (line,) in tree)
    assert faults(place, text) == []


def test_a_table_without_conditions_would_be_seen(place: Place):
    binder = Binder()
    tree = place.rows(f"EXPLAIN QUERY TREE SELECT * FROM ls_{place.secret.table.logstore}", binder)
    assert tree is not None
    lines = [str(line) for (line,) in tree]
    assert len(_misread(lines, {place.own.table.logstore})) == 1
    assert len(_misread(lines, {place.secret.table.logstore})) == len(BOUNDS)
