"""Which searches read events one by one, and so have handles of their own."""

import pytest

from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.store.port import FieldIndex, LineIndex, TableSpec

TOKENS = (" ", "/")
TABLE = TableSpec(
    1,
    30,
    line=LineIndex(TOKENS, excluded=("note",)),
    fields=(FieldIndex("c1", "uri", "text", TOKENS), FieldIndex("c2", "body", "json", TOKENS), FieldIndex("c3", "status", "long")),
)


def binder_of(search: str) -> Binder:
    binder = Binder()
    Predicates(TABLE, binder).write(parse_search(search))
    return binder


@pytest.mark.parametrize(
    "search",
    ["*", "get", "uri: items", "uri: items and uri: it*", "uri: a/b*", "other: get", "status > 400", "not uri: items", "get or uri: items",
     "get and __source__: web1", "note: x and get", "uri: items and body.a: 3"],
)  # fmt: skip
def test_an_index_leads_to_its_events(search: str) -> None:
    assert not binder_of(search).scans


@pytest.mark.parametrize(
    "search",
    ["note: x", "g*", "uri: it*", "uri: i?ems", "__source__: web1", "__tag__:path: a", "body.a: 3", "body.a > 3", "note > 3", "note: *",
     "get or note: x", "not note: x", "not get and note: x"],
)  # fmt: skip
def test_events_are_read_one_by_one(search: str) -> None:
    assert binder_of(search).scans


@pytest.mark.parametrize(("one", "other"), [("note: *", "note > 5"), ("other: get", "other > 5"), ("note: x", "note: *")])
def test_the_order_of_words_does_not_matter(one: str, other: str) -> None:
    for search in (f"{one} or {other}", f"{other} or {one}"):
        found = binder_of(search)
        assert (found.scans, list(found.unindexed)) == (True, [one.partition(":")[0]])
