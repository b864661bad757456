"""Three deaths of one range set it aside, three of one pipeline set that aside, and nothing else is touched."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tailrace.agent.supervisor.quarantine import PERIOD_SECS, Quarantine, Suspect, load, save, set_aside
from tailrace.errors import DamagedError, NewerFormatError, StateError


def death(
    start: int = 0, end: int = 100, *, pipeline: str = "app", version: str = "v1", stream: str = "S", ago: float = 0.0
) -> list[Suspect]:
    return [Suspect(pipeline, version, stream, start, end, time.time() - ago)]


def test_a_range_is_set_aside_at_its_third_death_where_all_three_overlap():
    ledger = Quarantine()
    assert [ledger.crashed(death(0, 100)), ledger.crashed(death(50, 200))] == [[], []]
    assert [(one.stream, one.start, one.end) for one in ledger.crashed(death(50, 120))] == [("S", 50, 100)]
    assert ledger.covers("app", "v1", "S", 90, 300)
    assert not ledger.covers("app", "v1", "S", 100, 300)
    assert not ledger.covers("app", "v2", "S", 90, 300)
    assert not ledger.holds("app", "v1")


def test_a_pipeline_is_set_aside_when_workers_die_of_different_ranges_of_it():
    ledger = Quarantine()
    for start in (0, 100, 200):
        aside = ledger.crashed(death(start, start + 100))
    assert [(one.pipeline, one.stream) for one in aside] == [("app", "")]
    assert ledger.holds("app", "v1")
    assert not ledger.holds("app", "v2")
    assert not ledger.holds("other", "v1")


def test_a_range_that_kills_though_it_is_set_aside_is_its_pipelines_fault():
    ledger = Quarantine()
    for _ in range(3):
        ledger.crashed(death())
    assert not ledger.holds("app", "v1")
    for _ in range(3):
        ledger.crashed(death())
    assert ledger.holds("app", "v1")


def test_deaths_that_lie_far_apart_say_nothing_about_a_pipeline():
    ledger = Quarantine()
    for start, ago in ((0, 2 * PERIOD_SECS), (100, 1.5 * PERIOD_SECS), (200, 0.0)):
        assert ledger.crashed(death(start, start + 100, ago=ago)) == []


def test_two_pipelines_do_not_pay_for_each_other():
    ledger = Quarantine()
    for _ in range(2):
        assert ledger.crashed([*death(pipeline="one"), *death(pipeline="two")]) == []
    assert [one.pipeline for one in ledger.crashed(death(pipeline="one"))] == ["one"]
    assert not ledger.covers("two", "v1", "S", 0, 100)


def test_a_released_pipeline_begins_anew():
    ledger = Quarantine()
    for start in (0, 100, 200):
        ledger.crashed(death(start, start + 100))
    assert ledger.release("app")
    assert not ledger.holds("app", "v1")
    assert not ledger.release("app")


def test_it_is_the_same_after_it_was_written(tmp_path: Path):
    (tmp_path / "agent").mkdir()
    ledger = Quarantine()
    for start in (0, 0, 0, 100, 200, 300):
        ledger.crashed(death(start, start + 100))
    save(ledger, tmp_path)
    assert load(tmp_path) == ledger
    assert (tmp_path / "agent" / "quarantine.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"v":1,"crashes":[{}],"ranges":[],"pipelines":[]}'])
def test_one_that_cannot_be_understood_is_damaged(tmp_path: Path, content: str):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "quarantine.json").write_text(content)
    with pytest.raises(DamagedError):
        load(tmp_path)


def test_whatever_happens_to_its_bytes_it_is_understood_or_said_to_be_damaged(tmp_path: Path):
    (tmp_path / "agent").mkdir()
    ledger = Quarantine()
    for start in (0, 0, 0, 100, 200, 300, 400):
        ledger.crashed(death(start, start + 100))
    save(ledger, tmp_path)
    path = tmp_path / "agent" / "quarantine.json"
    whole, understood = path.read_bytes(), 0
    for at in range(len(whole)):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]):
            path.write_bytes(data)
            try:
                found = load(tmp_path)
            except StateError:
                continue
            understood += 1
            found.crashed(death(0, 100))
            assert isinstance(found.covers("app", "v1", "S", 0, 1), bool)
            assert Quarantine.of(found.told()).ranges == found.ranges
            assert all(datetime.fromtimestamp(one.at, UTC) for one in [*found.ranges, *found.pipelines])
    assert 0 < understood < len(whole)


def test_what_a_worker_is_told_fits_into_a_message_and_is_the_latest():
    ledger = Quarantine(ranges=[Suspect("p" * 200, "v" * 64, "S" * 16, number, number + 1) for number in range(100)])
    ledger.pipelines = [Suspect(f"{number}" + "é" * 100, "v") for number in range(40)]
    told = Quarantine.of(ledger.told())
    assert len(json.dumps(told.document())) < 32_768
    assert told.ranges == ledger.ranges[-len(told.ranges) :] != []
    assert told.pipelines == ledger.pipelines


def test_one_that_cannot_be_used_is_put_out_of_the_way(tmp_path: Path):
    (tmp_path / "agent").mkdir()
    path = tmp_path / "agent" / "quarantine.json"
    path.write_text('{"v": 2}')
    assert set_aside(tmp_path).read_text() == '{"v": 2}'
    assert load(tmp_path) == Quarantine()


def test_one_of_a_newer_release_is_not_misread():
    with pytest.raises(NewerFormatError):
        Quarantine.of({**json.loads(json.dumps(Quarantine().document())), "v": 2})
