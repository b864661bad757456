"""Searches over random logs find what the plain rules say, however a logstore is indexed."""

import random
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.server.query.search.ast import And, Everything, Exists, Node, Not, Or, Pattern, Phrase, Range, Term, Wild
from tailrace.server.query.search.predicate import Binder, Predicates
from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.logs import START, TOKENS, EngineThread, FilledLogstore, Log
from tests.integration.query.oracle import matches

WORDS = ["a", "A", "b", "ab", "Ab", "abc", "aab", "b-c", "7", "-1", "2.5", "é", "中文", "x.y", "(", "\\", "'", "%", "_", "a\nb", ""]
SEPARATORS = [" ", "/", "=", ",", ": ", "--"]
FIELDS = ["n", "d", "plain", "parts", "exact", "cased", "free"]
MORE_FIELDS = [*FIELDS, "__source__", "__topic__", "__tag__:t", "missing"]
NUMBERS = [-1, 0, 1, 2, 2.5, 7, 7.5, 1e30, -(2**63), 2**63]

INDEX = (
    FieldIndex("c1", "n", "long"),
    FieldIndex("c2", "d", "double"),
    FieldIndex("c3", "plain", "text", TOKENS),
    FieldIndex("c4", "parts", "text", ("/", "-")),
    FieldIndex("c5", "exact", "text", ()),
    FieldIndex("c6", "cased", "text", TOKENS, case_sensitive=True),
)
SPECS = {
    "line and fields": {"line": LineIndex(TOKENS), "fields": INDEX},
    "line only, with case": {"line": LineIndex((" ", "/"), case_sensitive=True)},
    "line without tokens": {"line": LineIndex(())},
    "fields only": {"fields": INDEX},
    "no index": {},
}

texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SEPARATORS)), max_size=4).map(
    lambda parts: "".join(word + separator for word, separator in parts)[:-1] if parts else ""
)
names = st.one_of(st.none(), st.sampled_from([name for name in MORE_FIELDS if name not in ("n", "d")]))
pieces = st.lists(st.sampled_from(["a", "b", "A", "c", "/", "-", "é", "中", "x.", Wild.ANY, Wild.ONE]), min_size=1, max_size=5)
leaves = st.one_of(
    st.builds(Term, names, texts.filter(bool) | st.sampled_from(["/", "--", " "])),
    st.builds(Term, st.sampled_from(["plain", "free", "__topic__", "__tag__:t"]), st.just("")),
    st.builds(Phrase, names, texts.filter(bool)),
    st.builds(Pattern, names, pieces.map(lambda found: ("a", *found, Wild.ANY))),
    st.builds(Exists, st.sampled_from(MORE_FIELDS)),
)
ranges = st.builds(
    lambda name, bounds, low, high: Range(name, *bounds, low, high),
    st.sampled_from(["n", "d"]),
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

    return [
        Log(
            {
                name: text() if chance.random() < 0.7 else chance.choice(["-1", "0", "7", "2.5", "x"])
                for name in FIELDS
                if chance.random() < 0.6
            },
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


@pytest.fixture(scope="module")
def corpus(engine: EngineThread) -> Corpus:
    return Corpus(engine)


def found(logstore: FilledLogstore, node: Node) -> set[int]:
    binder = Binder()
    condition = Predicates(logstore.table, binder).write(node)
    rows = logstore.raw(f"SELECT toUnixTimestamp(time) FROM ls_{logstore.table.logstore} WHERE {condition}", binder.parameters).rows
    return {int(str(row[0])) - START for row in rows}


@pytest.mark.parametrize("kind", SPECS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=trees)
def test_what_is_found_is_what_the_rules_say(corpus: Corpus, kind: str, node: Node):
    logstore = corpus.logstores[kind]
    found_places, expected = found(logstore, node), {place for place, log in enumerate(corpus.logs) if matches(log, node, logstore.table)}
    surplus, lacking = sorted(found_places - expected)[:2], sorted(expected - found_places)[:2]
    assert {place: corpus.logs[place] for place in [*surplus, *lacking]} == {}, f"surplus {surplus}, lacking {lacking}"
