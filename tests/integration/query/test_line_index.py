"""A line index that leaves out what other indexes have: what is found is the same, also of rows from before a change."""

from dataclasses import replace

import pytest

from tailrace.server.store.port import FieldIndex, Filling, LineIndex, TableSpec
from tailrace.server.store.schema import create_statement
from tailrace.server.store.tables import Tables
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

KEYS = ("method", "it's\\ a key", "agent", "city")
FIELDS = tuple(FieldIndex(f"c{number}", key, "text", TOKENS) for number, key in enumerate(KEYS))
WHOLE = LineIndex(TOKENS)
APART = LineIndex(TOKENS, without=KEYS)
CUT_ONCE = tuple(replace(field, tokens=("/",)) for field in FIELDS)
CUT_ANEW = tuple(replace(field, column=f"c1{field.column[1:]}") for field in FIELDS)
LOGS = [
    Log({"id": "1", "method": "GET", "it's\\ a key": "Odd one", "agent": "Mozilla/5.0 (X11)", "city": "München", "note": "GET"}),
    Log({"id": "2", "method": "POST", "agent": "curl", "note": "mozilla in a note"}),
    Log([("id", "3"), ("method", "PUT"), ("method", "second value of a key"), ("note", "")]),
]


def as_asked(logstore: FilledLogstore) -> dict[str, list[str]]:
    searches = [
        "get", "odd", "mozilla", "mozilla/x11", "one note", "second", "münchen", '"in a note"', "note: get", "note: mozilla", "method: get",
        "not mozilla", "get or curl", "mozilla and not curl", "mozi*", "x11 and note: get", "nowhere",
    ]  # fmt: skip
    return {search: sorted(logstore.find(search)) for search in searches}


RIGHT = {
    "get": ["1"], "odd": ["1"], "mozilla": ["1", "2"], "mozilla/x11": ["1"], "one note": [], "second": ["3"], "münchen": ["1"],
    '"in a note"': ["2"], "note: get": ["1"], "note: mozilla": ["2"], "method: get": ["1"], "not mozilla": ["3"], "get or curl": ["1", "2"],
    "mozilla and not curl": ["1"], "mozi*": ["1", "2"], "x11 and note: get": ["1"], "nowhere": [],
}  # fmt: skip


@pytest.mark.parametrize("line", [WHOLE, APART], ids=["whole", "apart"])
def test_both_kinds_of_index_find_the_same(engine: EngineThread, line: LineIndex) -> None:
    assert as_asked(engine.logstore(LOGS, line=line, fields=FIELDS)) == RIGHT


def test_a_count_in_sql_asks_all_indexes(engine: EngineThread) -> None:
    logstore = engine.logstore(LOGS, line=APART, fields=FIELDS)
    assert logstore.sql("mozilla | select count(*) as n, max(city) as city") == [("2", "München")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((APART, FIELDS), (replace(WHOLE, column="l7"), FIELDS[:2])),
        ((APART, FIELDS), (replace(APART, without=KEYS[:2], column="l7"), FIELDS[:2])),
        ((WHOLE, FIELDS[:1]), (replace(APART, column="l7"), FIELDS)),
        ((None, FIELDS), (APART, FIELDS)),
        ((replace(APART, tokens=("/",)), CUT_ONCE), (replace(APART, column="l7"), CUT_ANEW)),
        ((replace(WHOLE, case_sensitive=True), ()), (replace(WHOLE, column="l7"), ())),
    ],
    ids=["to the whole line", "fewer left out", "left out", "a line index", "other delimiters", "other case"],
)
def test_rows_from_before_a_change_are_found_like_others(
    engine: EngineThread,
    before: tuple[LineIndex | None, tuple[FieldIndex, ...]],
    after: tuple[LineIndex, tuple[FieldIndex, ...]],
) -> None:
    logstore = engine.logstore(LOGS[:2], line=before[0], fields=before[1])
    changed = replace(logstore.table, line=after[0], fields=after[1])
    tables, old, found = Tables(engine.engine), logstore.table, as_asked(logstore)
    engine.run(tables.widen(changed))
    assert as_asked(logstore) == found
    logstore.table = changed
    assert as_asked(logstore) == {search: [id_ for id_ in ids if id_ != "3"] for search, ids in RIGHT.items()}
    logstore.add(LOGS[2:])
    for step in (tables.fill(changed, old, list[Filling]().append), tables.narrow(changed)):
        engine.run(step)
        assert as_asked(logstore) == RIGHT


def test_the_table_holds_no_column_for_what_is_left(engine: EngineThread) -> None:
    table = TableSpec(999_999, 30, line=APART, fields=FIELDS)
    assert "rest Array(String) ALIAS" in create_statement(table)
    logstore = engine.logstore(LOGS, line=APART, fields=FIELDS)
    names = logstore.raw(f"SELECT DISTINCT column FROM system.parts_columns WHERE table = 'ls_{logstore.table.logstore}'").rows
    assert ("fields",) in names
    assert ("rest",) not in names


@pytest.mark.parametrize(
    "line", [replace(WHOLE, excluded=("note", "city")), replace(WHOLE, only=("id", "method", "it's\\ a key", "agent"))], ids=["but", "only"]
)
@pytest.mark.parametrize("without", [(), ("method", "agent")], ids=["alone", "apart"])
def test_a_word_anywhere_is_not_looked_for_in_what_the_line_index_leaves_out(
    engine: EngineThread, line: LineIndex, without: tuple[str, ...]
) -> None:
    logstore = engine.logstore(LOGS, line=replace(line, without=without), fields=FIELDS)
    searches = {
        "get": ["1"], "mozilla": ["1"], '"in a note"': [], "moz*": ["1"], "münchen": [], "odd": ["1"], "note": [], "curl": ["2"],
        "not münchen": ["1", "2", "3"], "city: münchen": ["1"], "note: mozilla": ["2"], "note: moz*": ["2"],
        "mozilla and not note: get": [], "second": [] if line.only else ["3"],
    }  # fmt: skip
    assert {search: sorted(logstore.find(search)) for search in searches} == searches
    assert logstore.ask("note: mozilla").unindexed == ("note",)
