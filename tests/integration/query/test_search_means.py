"""Searches over random logs find what the plain rules say, however a logstore is indexed."""

import json
import random
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tailrace.server.query.search.ast import And, Everything, Exists, Node, Not, Or, Pattern, Phrase, Range, Term, Wild
from tailrace.server.query.search.parser import parse_search
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore, Log
from tests.integration.query.oracle import matches
from tests.integration.query.spelling import spelt

WORDS = [
    "a",
    "A",
    "b",
    "ab",
    "Ab",
    "abc",
    "aab",
    "b-c",
    "7",
    "-1",
    "2.5",
    "é",
    "中文",
    "x.y",
    "日志a中",
    "(",
    "\\",
    "'",
    "%",
    "_",
    "a\nb",
    "",
]
SEPARATORS = [" ", "/", "=", ",", ": ", "--"]
FIELDS = ["n", "d", "plain", "parts", "exact", "cased", "free", "zh"]
PARTS = ["j.text", "j.other", "j.deep.text"]
MORE_FIELDS = [*FIELDS, *PARTS, "j", "j.n", "__source__", "__topic__", "__tag__:t", "missing"]
NUMBERS = [-1, 0, 1, 2, 2.5, 7, 7.5, 1e30, -(2**63), 2**63]

INDEX = (
    FieldIndex("c1", "n", "long"),
    FieldIndex("c2", "d", "double"),
    FieldIndex("c3", "plain", "text", TOKENS),
    FieldIndex("c4", "parts", "text", ("/", "-")),
    FieldIndex("c5", "exact", "text", ()),
    FieldIndex("c6", "cased", "text", TOKENS, case_sensitive=True),
    FieldIndex("c7", "zh", "text", TOKENS, chinese=True),
    FieldIndex("c8", "j", "json", TOKENS),
    FieldIndex("c9", "j.text", "text", TOKENS, parent="j"),
    FieldIndex("c10", "j.deep.text", "text", TOKENS, parent="j"),
    FieldIndex("c11", "j.n", "long", parent="j"),
)
SPECS = {
    "line and fields": {"line": LineIndex(TOKENS), "fields": INDEX},
    "line beside fields": {
        "line": LineIndex(TOKENS, without=("plain", "free")),
        "fields": (*INDEX, FieldIndex("c20", "free", "text", TOKENS)),
    },
    "line only, with case": {"line": LineIndex((" ", "/"), case_sensitive=True)},
    "line without tokens": {"line": LineIndex(())},
    "line of Chinese text": {"line": LineIndex(TOKENS, chinese=True)},
    "fields only": {"fields": INDEX},
    "no index": {},
}
AS_A_SCAN_READS: dict[str, Any] = {
    "line": LineIndex(TOKENS),
    "fields": tuple(FieldIndex(f"c{place}", name, "text", TOKENS) for place, name in enumerate([*FIELDS, "j"])),
}

texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SEPARATORS)), max_size=4).map(
    lambda parts: "".join(word + separator for word, separator in parts)[:-1] if parts else ""
)
names = st.one_of(st.none(), st.sampled_from([name for name in MORE_FIELDS if name not in ("n", "d", "j.n")]))
pieces = st.lists(st.sampled_from(["a", "b", "A", "c", "/", "-", "é", "中", "志", "x.", Wild.ANY, Wild.ONE]), min_size=1, max_size=5)
leaves = st.one_of(
    st.builds(Term, names, texts.filter(bool) | st.sampled_from(["/", "--", " "])),
    st.builds(Term, st.sampled_from(["plain", "free", "__topic__", "__tag__:t", *PARTS]), st.just("")),
    st.builds(Phrase, names, texts.filter(bool)),
    st.builds(Pattern, names, pieces.map(lambda found: (found[0] if isinstance(found[0], str) else "a", *found[1:], Wild.ANY))),
    st.builds(Exists, st.sampled_from(MORE_FIELDS)),
)
ranges = st.builds(
    lambda name, bounds, low, high: Range(name, *bounds, low, high),
    st.sampled_from(["n", "d", "j.n"]),
    st.sampled_from([(low, high) for low, high in product([None, *NUMBERS], repeat=2) if low is None or high is None or low <= high]),
    st.booleans(),
    st.booleans(),
)
trees = st.recursive(
    st.one_of(leaves, ranges, st.builds(Term, st.just("n"), st.sampled_from(["7", "-1", "0"])), st.just(Everything())),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda items: And(tuple(items)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda items: Or(tuple(items)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=5,
)


def random_logs(count: int) -> list[Log]:
    """The same in every run."""
    chance = random.Random(20_240_101)

    def text() -> str:
        parts = [chance.choice(WORDS) + chance.choice(SEPARATORS) for _ in range(chance.randrange(4))]
        return "".join(parts)[:-1]

    def document() -> str:
        values = {"text": text(), "other": chance.choice([text(), 7, True, None, {"a": "b"}]), "n": chance.choice([7, -1, "0", 2.5, "x"])}
        some = {name: value for name, value in values.items() if chance.random() < 0.7}
        return chance.choice([json.dumps(some | {"deep": {"text": text()}}), json.dumps(some, ensure_ascii=False), "[1]", "no {"])

    def fields() -> dict[str, str]:
        made = {
            name: text() if chance.random() < 0.7 else chance.choice(["-1", "0", "7", "2.5", "x"])
            for name in FIELDS
            if chance.random() < 0.6
        }
        return made | ({"j": document()} if chance.random() < 0.6 else {})

    return [
        Log(
            fields(),
            time=START + place,
            source=chance.choice(["", "10.0.0.1", "Web a"]),
            topic=chance.choice(["", "nginx access", "B"]),
            tags={name: text() for name in ("t", "u") if chance.random() < 0.4},
        )
        for place in range(count)
    ]


class Corpus:
    """The same logs under each kind of index."""

    def __init__(self, engine: EngineThread) -> None:
        self.logs = random_logs(400)
        self.logstores = {name: engine.logstore(self.logs, **spec) for name, spec in SPECS.items()}
        self.indexed = engine.logstore(self.logs, **AS_A_SCAN_READS)


@pytest.fixture(scope="module")
def corpus(engine: EngineThread) -> Corpus:
    return Corpus(engine)


def found(logstore: FilledLogstore, search: str) -> set[int]:
    binder = Binder()
    condition = Predicates(logstore.table, binder).write(parse_search(search))
    rows = logstore.raw(f"SELECT toUnixTimestamp(time) FROM ls_{logstore.table.logstore} WHERE {condition}", binder.parameters).rows
    return {int(str(row[0])) - START for row in rows}


def differences(corpus: Corpus, kind: str, node: Node) -> dict[int, Log]:
    """Some of the logs about which the engine and the plain rules disagree."""
    logstore = corpus.logstores[kind]
    expected = {place for place, log in enumerate(corpus.logs) if matches(log, node, logstore.table)}
    return {place: corpus.logs[place] for place in sorted(found(logstore, spelt(node)) ^ expected)[:3]}


@pytest.mark.parametrize("kind", SPECS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=trees)
@example(node=Pattern(None, ("a中/", Wild.ANY)))
@example(node=Pattern("free", ("中志/b", Wild.ONE)))
def test_what_is_found_is_what_the_rules_say(corpus: Corpus, kind: str, node: Node):
    assert differences(corpus, kind, node) == {}, spelt(node)


@pytest.mark.long
@pytest.mark.parametrize("kind", SPECS)
@settings(max_examples=1700, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=trees)
def test_what_is_found_is_what_the_rules_say_ten_thousand_times(corpus: Corpus, kind: str, node: Node):
    assert differences(corpus, kind, node) == {}, spelt(node)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=leaves.filter(lambda node: getattr(node, "field", None) not in ("n", "d")))
def test_an_index_answers_what_a_scan_would(corpus: Corpus, node: Node):
    search = spelt(node)
    assert found(corpus.indexed, search) == found(corpus.logstores["no index"], search), search
