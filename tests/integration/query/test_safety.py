"""Whatever SQL is sent, nothing is read but the logstores that the request may see: canaries in a file and in another table stay unread."""

from pathlib import Path

import pytest

from tailrace.errors import ApiError
from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

CANARY = "canary-7f3a91"
INDEX = (FieldIndex("c1", "n", "long"), FieldIndex("c2", "s", "text", TOKENS))

READERS = [
    "file('{path}')", "FILE('{path}')", '"file"(\'{path}\')', "fiLe ('{path}')", "/**/file/**/('{path}')", "loadFile('{path}')",
    "hasColumnInTable('default', '{table}', 'fields')", "joinGet('{table}', 'fields', 1)", "dictGet('{table}', 'fields', 1)",
    "getSetting('max_threads')", "hostName()", "currentUser()", "version()", "catboostEvaluate('{path}', 1)", "addressToLine(1)",
    "filesystemAvailable()", "serverUUID()", "sleep(1)", "throwIf(1)", "materialize(1)", "eval('1')", "queryID()", "getMacro('x')",
]  # fmt: skip
PLACES = [
    "select {call}",
    "select n from log where {call} = s",
    "select count(*) from log group by {call}",
    "select count(*) from log having max({call}) = 'x'",
    "select n from log order by {call}",
    "select transform(array[1], x -> {call})",
    "select max(n) filter (where {call} = s)",
    "select row_number() over (order by {call})",
    "with t as (select {call} as x from log) select x from t",
    "select x from (select {call} as x from log) t",
    "select case when n = 1 then {call} end",
    "select a.n from log a join log b on {call} = a.s",
    "select x from log cross join unnest(array[{call}]) as t(x)",
    "select n from log union all select {call} from log",
    "select cast({call} as varchar)",
    "select try({call})",
    "select n from log where n in (select {call} from log)",
]
SOURCES = [
    "{table}", '"{table}"', "default.{table}", '"default"."{table}"', "system.tables", "system.parts", "information_schema.tables",
    "__logs1", "file('{path}', 'LineAsString')", "table(file('{path}'))", "url('http://127.0.0.1/', 'CSV')", "merge('default', '.*')",
    "remote('127.0.0.1', 'default', '{table}')", "numbers(10)", "executable('id', 'CSV')", "python('x')", "s3('http://x')",
    "(select * from {table})", "viewExplain('EXPLAIN', '', 'select 1')", "values('a String', 'x')", "`{table}`", "[{table}]",
]  # fmt: skip
STATEMENTS = [
    "insert into {table} values (1)", "drop table {table}", "attach table x", "set readonly = 0", "select 1; drop table {table}",
    "select 1 into outfile '{path}.out'", "select 1 format Null", "select 1 settings readonly = 0", "explain select 1", "show tables",
    "describe {table}", "create table x (a int)", "use system", "call x()", "grant all on *.* to x", "select * from log limit 1 by n",
]  # fmt: skip


@pytest.fixture(scope="module")
def secret(engine: EngineThread) -> FilledLogstore:
    return engine.logstore([Log({"s": CANARY})], line=LineIndex(TOKENS), fields=INDEX)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("canary") / "canary.txt"
    file.write_text(CANARY)
    return file


@pytest.fixture(scope="module")
def logs(engine: EngineThread) -> FilledLogstore:
    return engine.logstore([Log({"n": "1", "s": "x"})], line=LineIndex(TOKENS), fields=INDEX)


def refusal(logs: FilledLogstore, sql: str, path: Path, secret: FilledLogstore) -> str:
    """What the one who asks it is told."""
    with pytest.raises(ApiError) as raised:
        logs.ask("* | " + sql.replace("{path}", str(path)).replace("{table}", f"ls_{secret.table.logstore}"))
    assert raised.value.status == 400, sql
    return raised.value.message


@pytest.mark.parametrize("place", PLACES)
def test_no_function_reads_anything_else(logs: FilledLogstore, path: Path, secret: FilledLogstore, place: str):
    told = [refusal(logs, place.replace("{call}", call), path, secret) for call in READERS]
    assert not any(CANARY in message or "DB::Exception" in message for message in told)


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_else_is_selected_from(logs: FilledLogstore, path: Path, secret: FilledLogstore, source: str):
    for sql in (
        "select * from {}",
        "select 1 from log, {}",
        "select 1 from log where exists (select 1 from {})",
        "with t as (select 1 from {}) select 1",
    ):
        assert CANARY not in refusal(logs, sql.replace("{}", source), path, secret)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_nothing_but_a_select_runs(logs: FilledLogstore, path: Path, secret: FilledLogstore, statement: str):
    told = refusal(logs, statement, path, secret)
    assert CANARY not in told
    assert secret.sql("select s from log") == [(CANARY,)]
    assert not path.with_name("canary.txt.out").exists()


def test_a_search_is_never_sql(logs: FilledLogstore, secret: FilledLogstore):
    hostile = f"x' OR 1=1 UNION SELECT fields FROM ls_{secret.table.logstore} --"
    for search in (
        f'"{hostile}"',
        f's:"{hostile}"',
        f's:#"{hostile}"',
        f'__topic__:"{hostile}"',
        f'"{hostile}":*',
        f'__tag__:"{hostile}":x',
    ):
        assert logs.find(search) == [], search
