"""How events are shown."""

from tailrace.cli.events import one_line, table_of, without_formulas

RESERVED = {"__time__": "1700000000", "__source__": "s", "__topic__": "t", "__tag__:host": "h"}


def test_an_event_with_one_field_is_that_field():
    assert one_line({**RESERVED, "content": "hello world"}) == "hello world"


def test_an_event_with_several_fields_names_them():
    assert one_line({**RESERVED, "a": "1", "b": "x y"}) == "a=1 b=x y"


def test_an_event_without_fields_shows_its_tags():
    assert one_line(RESERVED) == "h"


def test_few_fields_are_columns_of_their_own():
    columns, rows = table_of([{**RESERVED, "a": "1"}, {**RESERVED, "b": "2"}])
    assert columns == ["time", "a", "b"]
    assert [(row.get("a"), row.get("b")) for row in rows] == [("1", None), (None, "2")]


def test_many_fields_are_one_column():
    columns, (row,) = table_of([{**RESERVED, **{f"k{n}": str(n) for n in range(7)}}])
    assert columns == ["time", "event"]
    assert row["event"].startswith("k0=0 k1=1")


def test_a_spreadsheet_runs_nothing():
    row = {"a": "=1+1", "b": "+cmd", "c": "-2.5", "d": "@x", "e": "plain", "f": "-x", "g": "\t=1"}
    assert without_formulas(row) == {"a": "'=1+1", "b": "'+cmd", "c": "-2.5", "d": "'@x", "e": "plain", "f": "'-x", "g": "'\t=1"}
