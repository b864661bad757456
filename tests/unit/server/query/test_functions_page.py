"""The reference page of SQL functions."""

from tailrace.server.query.sql.functions import CHAPTERS, FUNCTIONS
from tailrace.server.query.sql.page import page
from tests.source_tree import ROOT


def test_the_reference_page_is_not_stale():
    assert (ROOT / "docs/reference/sql-functions.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_a_function_stands_in_one_chapter():
    names = [function.name for chapter in CHAPTERS for function in chapter.functions]
    assert len(names) == len(set(names)) == len(FUNCTIONS)


def test_how_many_arguments_a_function_takes_is_read_from_its_call():
    taken = {name: FUNCTIONS[name].arguments for name in ("now", "round", "if", "coalesce", "zip_with", "approx_percentile", "reduce")}
    assert taken == {
        "now": (0, 0), "round": (1, 2), "if": (2, 3), "coalesce": (1, float("inf")), "zip_with": (3, 3), "approx_percentile": (2, 3),
        "reduce": (4, 4),
    }  # fmt: skip
