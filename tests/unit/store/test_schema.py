"""Statements for tables: opaque names, quoted keys, changes that can be run again."""

import re
from dataclasses import replace

import pytest

from tailrace.errors import DamagedError, NewerFormatError
from tailrace.server.store import changing, schema
from tailrace.server.store.changing import Held
from tailrace.server.store.port import FieldIndex, LineIndex, TableSpec

SPEC = TableSpec(5, 30, line=LineIndex((" ", "'")), fields=(FieldIndex("c1", "st'atus", "long"), FieldIndex("c2", "url", "text", ("/",))))


def test_no_key_of_a_user_is_an_identifier() -> None:
    hostile = "x'); DROP TABLE ls_1; --\\"
    sql = schema.create_statement(replace(SPEC, fields=(FieldIndex("c1", hostile, "text", ("',",)),)))
    assert hostile not in sql
    assert "c1 String MATERIALIZED fields['x\\x27); DROP TABLE ls_1; --\\x5c']" in sql
    assert "splitByString(['\\x27,'])" in sql


def test_the_comment_says_what_the_table_was_made_from() -> None:
    assert schema.parse_comment("ls_5", schema.comment(SPEC)) == SPEC


def test_a_newer_or_foreign_table_is_refused() -> None:
    with pytest.raises(NewerFormatError, match="has format 9"):
        schema.parse_comment("ls_5", '{"format": 9, "anything": 1}')
    with pytest.raises(DamagedError, match="`ls_5` does not say what it was made from"):
        schema.parse_comment("ls_5", "")


def held(spec: TableSpec) -> Held:
    columns, indexes = frozenset(schema.columns_of(spec)), frozenset(schema.indexes_of(spec))
    return Held(schema.comment(spec), columns, indexes, frozenset({schema.IDLE_MERGE}))


def changes(statement: str) -> list[str]:
    """Of one ALTER, without what the definitions say."""
    return [change.split(" TYPE")[0].split(" MATERIALIZED")[0] for change in re.split(r", (?=ADD|DROP|MODIFY|REMOVE)", statement)]


def test_nothing_changes_without_a_change() -> None:
    assert changing.widen(SPEC, held(SPEC)) == []
    assert changing.fill(SPEC, SPEC) == []
    assert changing.narrow([SPEC], held(SPEC)) == []


def test_a_table_of_an_earlier_release_gets_the_setting_that_it_lacks() -> None:
    (statement,) = changing.widen(SPEC, replace(held(SPEC), settings=frozenset({"ttl_only_drop_parts"})))
    assert statement == f"ALTER TABLE ls_5 MODIFY SETTING {schema.IDLE_MERGE} = 21600 SETTINGS alter_sync = 0"
    assert f"{schema.IDLE_MERGE} = 21600" in schema.create_statement(SPEC)


def test_alias_and_doc_value_change_the_comment_only() -> None:
    changed = replace(SPEC, fields=(SPEC.fields[0], replace(SPEC.fields[1], alias="u", doc_value=False)))
    (statement,) = changing.widen(changed, held(SPEC))
    assert statement.startswith("ALTER TABLE ls_5 MODIFY COMMENT")
    assert changing.narrow([changed], held(SPEC)) == []


CHANGED = replace(SPEC, ttl_days=7, line=LineIndex(("/",), column="l4"), fields=(SPEC.fields[1], FieldIndex("c3", "new", "double")))


def test_all_that_is_new_comes_in_one_statement_and_nothing_goes() -> None:
    (statement,) = changing.widen(CHANGED, held(SPEC))
    assert [change.split(" '")[0] for change in changes(statement)] == [
        "ALTER TABLE ls_5 ADD COLUMN IF NOT EXISTS c3 Nullable(Float64)",
        "ADD COLUMN IF NOT EXISTS l4 Array(String) ALIAS arraySlice(mapValues(fields), 1, 1099511627780)",
        "ADD INDEX IF NOT EXISTS i_l4 l4",
        "MODIFY COMMENT",
        "MODIFY TTL toDateTime(recv) + INTERVAL 7 DAY DELETE SETTINGS alter_sync = 0",
    ]
    assert schema.comment(CHANGED).startswith('{"format":3')
    assert changing.fill(CHANGED, SPEC) == ["MATERIALIZE COLUMN c3", "MATERIALIZE INDEX i_l4"]


def test_what_nobody_needs_goes_in_one_statement() -> None:
    both = Held("", held(SPEC).columns | held(CHANGED).columns, held(SPEC).indexes | held(CHANGED).indexes)
    assert changing.narrow([SPEC, CHANGED], both) == []
    (statement,) = changing.narrow([CHANGED], both)
    assert statement == "ALTER TABLE ls_5 DROP INDEX IF EXISTS i_line, DROP COLUMN IF EXISTS c1 SETTINGS alter_sync = 0"


def test_a_change_that_was_interrupted_is_the_rest_of_it() -> None:
    half = replace(held(SPEC), columns=held(SPEC).columns | {"c3"}, indexes=held(SPEC).indexes | {"i_l4"})
    (statement,) = changing.widen(CHANGED, half)
    assert [change for change in changes(statement) if change.startswith("ADD") and ("c3" in change or "i_l4" in change)] == []
    assert "ADD COLUMN IF NOT EXISTS l4" in statement


@pytest.mark.parametrize(
    ("index", "tokenizer"),
    [
        (LineIndex((" ",)), "tokenizer = splitByString([' ']), preprocessor = lower(mapValues(fields))"),
        (LineIndex((" ",), case_sensitive=True), "tokenizer = splitByString([' '])"),
        (LineIndex(()), "tokenizer = 'array', preprocessor = lower(mapValues(fields))"),
    ],
)
def test_what_a_word_is(index: LineIndex, tokenizer: str) -> None:
    assert f"INDEX i_line mapValues(fields) TYPE text({tokenizer})" in schema.create_statement(replace(SPEC, line=index))


def test_each_chinese_character_is_a_word() -> None:
    sql = schema.create_statement(replace(SPEC, line=LineIndex((" ",), chinese=True)))
    assert r"tokenizer = splitByString([' ', '\x01']), preprocessor = replaceRegexpAll(lower(mapValues(fields))" in sql


def test_a_part_of_a_json_field_is_taken_out_of_it() -> None:
    field = FieldIndex("c1", "req", "json", (" ",))
    part = FieldIndex("c2", "req.user.it's", "long", (" ",), parent="req")
    sql = schema.create_statement(replace(SPEC, fields=(field, part)))
    assert "c2 Nullable(Int64) MATERIALIZED toInt64OrNull(JSONExtractString(fields['req'], 'user', 'it\\x27s')) CODEC" in sql
    assert [index.column for index in schema.given_fields(replace(SPEC, fields=(field, part)))] == ["c1"]


def test_an_index_of_chinese_text_from_the_first_format_is_made_anew() -> None:
    spec = replace(SPEC, line=LineIndex((" ",), chinese=True))
    before = replace(held(spec), comment=schema.comment(spec).replace('"format":3', '"format":1'))
    (statement,) = changing.widen(spec, before)
    assert changes(statement)[:2] == ["ALTER TABLE ls_5 DROP INDEX IF EXISTS i_line", "ADD INDEX IF NOT EXISTS i_line mapValues(fields)"]
    assert changing.widen(spec, held(spec)) == []


def test_kept_for_ever_means_no_ttl() -> None:
    assert "TTL " not in schema.create_statement(replace(SPEC, ttl_days=3650)).replace("ttl", "")
    first, second = changing.widen(replace(SPEC, ttl_days=3650), held(SPEC))
    assert first.startswith("ALTER TABLE ls_5 MODIFY TTL")
    assert changes(second)[-1] == "REMOVE TTL SETTINGS alter_sync = 0"


def test_what_is_read_in_millions_of_rows_is_not_packed_tightly() -> None:
    """Reading it is most of what a query over everything does; what is looked at event by event is packed as well as can be."""
    columns = dict(re.findall(r"^  (\w+) .*(CODEC\(.*\)),?$", schema.create_statement(SPEC), re.MULTILINE))
    assert columns["time"] == "CODEC(Delta(8), LZ4)"
    assert columns["c1"] == columns["c2"] == "CODEC(LZ4)"
    assert columns["fields"] == columns["tags"] == "CODEC(Default)"
