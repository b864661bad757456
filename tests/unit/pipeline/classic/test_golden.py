"""Classic configs give the events that the manual promises."""

import pytest

from tailrace.pipeline.classic import is_classic
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.preview import preview
from tests.unit.pipeline.classic.golden import DIRECTORY, PATH, Golden, cases

CASES = list(cases())


@pytest.fixture(autouse=True)
def trial_plugins() -> None:
    """Only the plugins that ship: hides the fixture that adds those of the tests."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_events(case: Golden) -> None:
    config = from_document(case.config(), "golden.json")
    result = preview(config, case.log, path=PATH)
    events = [
        {key.decode(): value.decode("utf-8", "backslashreplace") for key, value in fields}
        | ({"__time__": str(when // 10**9)} if "__time__" in want else {})
        for (when, fields), want in zip(result.batch.rows(), case.events, strict=False)
    ]
    assert len(result.batch) == len(case.events), result.summary()
    assert events == case.events
    discarded = sum(mishap.count for mishap in result.discarded)
    assert result.events_in - len(result.batch) - discarded == case.dropped


def test_there_are_enough_of_them_and_each_says_something_else() -> None:
    assert len(CASES) >= 60
    assert len({case.title for case in CASES}) == len(CASES)
    assert {file.stem for file in DIRECTORY.glob("*.txt")} == {case.title.partition(":")[0] for case in CASES}
    assert all(is_classic(case.config()) for case in CASES)
