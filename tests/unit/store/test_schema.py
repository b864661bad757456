"""Statements for tables: opaque names, quoted keys, changes that can be run again."""

from dataclasses import replace

import pytest

from tailrace.errors import DamagedError, NewerFormatError
from tailrace.server.store import schema
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


def test_nothing_changes_without_a_change() -> None:
    assert schema.alter_statements(SPEC, SPEC) == []


def test_alias_and_doc_value_change_the_comment_only() -> None:
    changed = replace(SPEC, fields=(SPEC.fields[0], replace(SPEC.fields[1], alias="u", doc_value=False)))
    (statement,) = schema.alter_statements(SPEC, changed)
    assert statement.startswith("ALTER TABLE ls_5 MODIFY COMMENT")


def test_the_comment_is_changed_last() -> None:
    changed = replace(SPEC, ttl_days=7, line=None, fields=(FieldIndex("c3", "new", "double"),))
    statements = [statement.removeprefix("ALTER TABLE ls_5 ") for statement in schema.alter_statements(SPEC, changed)]
    assert [statement.split(" MATERIALIZED")[0] for statement in statements[:-1]] == [
        "DROP INDEX IF EXISTS i_line",
        "DROP COLUMN IF EXISTS c1",
        "DROP INDEX IF EXISTS i_c2",
        "DROP COLUMN IF EXISTS c2",
        "ADD COLUMN IF NOT EXISTS c3 Nullable(Float64)",
        "MODIFY TTL toDateTime(recv) + INTERVAL 7 DAY DELETE",
    ]
    assert "MODIFY COMMENT" in statements[-1]


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
    before = schema.parse_comment("ls_5", schema.comment(spec).replace('"format":2', '"format":1'))
    statements = [statement.removeprefix("ALTER TABLE ls_5 ") for statement in schema.alter_statements(before, spec)]
    assert [statement.split(" mapValues")[0] for statement in statements[:2]] == [
        "DROP INDEX IF EXISTS i_line",
        "ADD INDEX IF NOT EXISTS i_line",
    ]
    assert "MODIFY COMMENT" in statements[-1]


def test_kept_for_ever_means_no_ttl() -> None:
    assert "TTL " not in schema.create_statement(replace(SPEC, ttl_days=3650)).replace("ttl", "")
    assert "REMOVE TTL" in schema.alter_statements(SPEC, replace(SPEC, ttl_days=3650))[-2]
