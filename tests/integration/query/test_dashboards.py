"""What typical dashboards ask has the answers that DuckDB gives; these lie in dashboards/golden.json, our own answers never do."""

import json
import math

import pytest

from tailrace.server.store.port import FieldIndex, LineIndex
from tests.integration.query.dashboards import golden
from tests.integration.query.dashboards.data import DATASETS, START
from tests.integration.query.dashboards.queries import QUERIES
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

GOLDEN = json.loads(golden.FILE.read_text("utf-8"))


@pytest.fixture(scope="module")
def logstores(engine: EngineThread) -> dict[str, FilledLogstore]:
    made = {}
    for name, dataset in DATASETS.items():
        fields = tuple(FieldIndex(f"c{n}", key, kind, tokens=TOKENS) for n, (key, kind) in enumerate(dataset.types.items(), 1))
        logs = [Log(event, time=time) for time, event in dataset.events]
        made[name] = engine.logstore(logs, line=LineIndex(TOKENS), fields=fields)
    return made


def alike(ours: str, theirs: object) -> bool:
    """Ours is text, as SLS has it."""
    if theirs is None:
        return ours == "null"
    if isinstance(theirs, bool):
        return ours == str(theirs).lower()
    if isinstance(theirs, int | float):
        return math.isclose(float(ours), theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


def test_there_is_an_answer_to_each_query() -> None:
    assert [each[:3] for each in GOLDEN] == [[query[0], query[1], query[3]] for query in QUERIES]
    assert len(GOLDEN) >= 150


@pytest.mark.parametrize("number", range(len(QUERIES)), ids=lambda number: f"{QUERIES[number][0]}-{number}")
def test_our_answer_is_that_of_the_golden_file(logstores: dict[str, FilledLogstore], number: int) -> None:
    dataset, search, sql, expected = GOLDEN[number]
    answer = logstores[dataset].ask(f"{search or '*'} | {sql}", start=START - 10, end=START + 10_000)
    found = [list(row.values()) for row in answer.rows]
    assert len(found) == len(expected), found
    wrong = [(ours, theirs) for ours, theirs in zip(found, expected, strict=True) if not all(map(alike, ours, theirs))]
    assert wrong == []


def test_duckdb_still_says_so() -> None:
    duck = golden.tables()
    for (dataset, search, _, expected), query in zip(GOLDEN, QUERIES, strict=True):
        found = golden.answer(duck, query)
        assert len(found) == len(expected), (dataset, search, query[3])
        pairs = [(one, other) for row, wanted in zip(found, expected, strict=True) for one, other in zip(row, wanted, strict=True)]
        assert all(one == other or math.isclose(float(str(one)), float(str(other)), rel_tol=1e-9) for one, other in pairs), query[3]
