"""Every SQL function that a query may call, really called."""

import json
from pathlib import Path

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.sql import functions
from tailrace.server.query.sql.chapters import aggregates, approximate, windows
from tailrace.server.query.sql.contract import Chapter
from tailrace.server.store.port import FieldIndex
from tests.integration.query.logs import TOKENS, EngineThread, FilledLogstore, Log

INDEX = (
    FieldIndex("c1", "n", "long"),
    FieldIndex("c2", "d", "double"),
    FieldIndex("c3", "s", "text", TOKENS),
    FieldIndex("c4", "j", "text", TOKENS),
    FieldIndex("c5", "u", "text", TOKENS),
)
JSON = '{"a":{"b":1},"l":[1,2,3],"t":"x"}'
URL = "http://host.example:8080/path/x?q=1&r=a%20b#top"
LOGS = [
    Log({"n": "1", "d": "0.5", "s": "Alpha-1", "j": JSON, "u": URL}, time=1_700_000_000),
    Log({"n": "2", "d": "1.5", "s": "beta-22", "j": JSON, "u": URL}, time=1_700_000_060),
    Log({"n": "2", "d": "2.5", "j": JSON, "u": URL}, time=1_700_003_600),
]


def cases(section: str) -> dict[str, str]:
    """`call => result` of one section of functions.txt."""
    text = (Path(__file__).parent / "functions.txt").read_text(encoding="utf-8")
    body = text.split(f"[{section}]\n")[1].split("\n\n")[0]
    return dict(line.split("  =>  ") if "  =>  " in line else (line.removesuffix("  =>"), "") for line in body.splitlines())


def examples(*chapters: Chapter) -> dict[str, str]:
    """What the reference page shows: `call => result`."""
    return {function.example: function.answer for chapter in chapters for function in chapter.functions if function.example}


OF_MANY_ROWS = (aggregates.CHAPTER, approximate.CHAPTER, windows.CHAPTER)
AGGREGATES = cases("aggregates") | examples(aggregates.CHAPTER, approximate.CHAPTER)
SCALARS = cases("scalars") | examples(*(chapter for chapter in functions.CHAPTERS if chapter not in OF_MANY_ROWS))
WINDOWS = cases("windows") | examples(windows.CHAPTER)


@pytest.fixture(scope="module")
def logs(engine: EngineThread) -> FilledLogstore:
    return engine.logstore(LOGS, fields=INDEX)


@pytest.mark.parametrize("call", AGGREGATES)
def test_aggregate(logs: FilledLogstore, call: str):
    ((found,),) = logs.sql(f"select {call} from log")
    assert found == AGGREGATES[call]


@pytest.mark.parametrize("call", SCALARS)
def test_scalar(logs: FilledLogstore, call: str):
    ((found,),) = logs.sql(call if call.startswith("select") else f"select {call} from log where d = 0.5")
    assert found == SCALARS[call]


@pytest.mark.parametrize("call", WINDOWS)
def test_window(logs: FilledLogstore, call: str):
    found = logs.sql(f"select {call} as value, d from log order by d")
    assert [value for value, _ in found] == WINDOWS[call].split(" , ")


def test_group_by_with_grouping(logs: FilledLogstore):
    found = logs.sql("select n, grouping(n), count(*) from log group by rollup(n) order by 2, 1")
    assert [count for *_, count in found] == ["1", "2", "3"]


def test_numeric_histogram_of_many_values_keeps_their_weight_and_their_places(logs: FilledLogstore):
    ((found,),) = logs.sql("select numeric_histogram(8, value) from log cross join unnest(sequence(1, 6000)) as t(value)")
    bins = {float(mean): weight for mean, weight in json.loads(found).items()}
    assert 2 <= len(bins) <= 8
    assert sum(bins.values()) == pytest.approx(18_000)
    assert sum(mean * weight for mean, weight in bins.items()) / 18_000 == pytest.approx(3000, rel=0.05)


@pytest.mark.parametrize(("weight", "bins"), [("n - n", {}), ("n - 1", {2.0: 2.0})])
def test_numeric_histogram_leaves_out_what_weighs_nothing(logs: FilledLogstore, weight: str, bins: dict[float, float]):
    ((found,),) = logs.sql(f"select numeric_histogram(5, n, {weight}) from log")
    assert {float(mean): weighs for mean, weighs in json.loads(found).items()} == bins


def test_numeric_histogram_of_many_values_that_weigh_nothing_has_no_bins(logs: FilledLogstore):
    assert logs.sql("select numeric_histogram(3, value, 0) from log cross join unnest(sequence(1, 6000)) as t(value)") == [("{}",)]


@pytest.mark.parametrize("bins", ["0", "251", "n", "'3'", "2.5"])
def test_numeric_histogram_says_how_many_bins_there_may_be(logs: FilledLogstore, bins: str):
    with pytest.raises(ApiError, match="a number from 1 to 250"):
        logs.sql(f"select numeric_histogram({bins}, d) from log")


def test_every_allowed_function_is_called_here():
    calls = " ".join([*AGGREGATES, *SCALARS, *WINDOWS, "grouping(n)"])
    assert [name for name in functions.FUNCTIONS if f"{name}(" not in calls] == []
