"""What the agent says about itself until it is delivered: in order, once, bounded, and over restarts and damage."""

import json
from pathlib import Path

import pytest

from tailrace import telemetry
from tailrace.agent.diagnostics import outbox as outboxes
from tailrace.agent.diagnostics.outbox import Outbox
from tailrace.wire.internal_logs import ALARM, STATUS


def lost() -> int:
    return int(telemetry.values("tailrace_agent_own_records_total").get(("lost",), 0))


def test_each_project_gets_what_is_its_own_and_what_is_for_all(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    assert (outbox.position("a"), outbox.position("b")) == (0, 0)
    for number, project in enumerate(("", "one", "two"), 1):
        outbox.put(ALARM, project, number, [{"n": str(number)}])
    assert [entry.rows for entry in outbox.after(0, "one")] == [[{"n": "1"}], [{"n": "2"}]]
    assert [(entry.sequence, entry.at, entry.topic) for entry in outbox.after(1, "two")] == [(3, 3, ALARM)]


def test_a_new_destination_begins_with_what_comes_from_now_on(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.position("first")
    outbox.put(STATUS, "", 1, [{"a": "1"}])
    assert outbox.position("second") == 1
    assert outbox.position("first") == 0


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    before = Outbox(tmp_path)
    before.position("d")
    for number in range(3):
        before.put(STATUS, "", number, [{"n": str(number)}])
    before.sent("d", 2, 2)
    before.note_profile(600)
    before.close()
    after = Outbox(tmp_path)
    assert (after.epoch, after.position("d"), after.profiled) == (before.epoch, 2, 600)
    assert [entry.rows for entry in after.after(2, "p")] == [[{"n": "2"}]]


@pytest.mark.parametrize("damage", ["no state", "torn state", "no journal"])
def test_numbers_that_may_begin_anew_have_another_epoch(tmp_path: Path, damage: str) -> None:
    before = Outbox(tmp_path)
    before.position("d")
    before.put(STATUS, "", 1, [{"n": "1"}])
    before.sent("d", 1, 1)
    before.close()
    if damage == "no state":
        (tmp_path / "sent.json").unlink()
    elif damage == "torn state":
        (tmp_path / "sent.json").write_text('{"format": 1, "ep')
    else:
        for path in (tmp_path / "journal").iterdir():
            path.unlink()
    after = Outbox(tmp_path)
    assert after.epoch != before.epoch
    after.put(STATUS, "", 2, [{"n": "2"}])
    assert [entry.rows for entry in after.after(after.position("d"), "p")] in ([[{"n": "2"}]], [])


def test_it_is_bounded_and_what_goes_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "SEGMENT_BYTES", 4096)
    monkeypatch.setattr(outboxes, "MOST_BYTES", 20_000)
    before, outbox = lost(), Outbox(tmp_path)
    outbox.position("d")
    for number in range(200):
        outbox.put(STATUS, "", number, [{"n": str(number), "text": "x" * 200}, {"n": "more"}])
    kept = [entry.at for entry in outbox.after(0, "p")]
    assert sum(path.stat().st_size for path in (tmp_path / "journal").glob("*.seg")) < 30_000
    assert kept == list(range(kept[0], 200))
    assert lost() - before == 2 * kept[0] > 0


def test_what_all_have_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "SEGMENT_BYTES", 4096)
    outbox = Outbox(tmp_path)
    outbox.position("a"), outbox.position("b")
    for number in range(1, 101):
        outbox.put(STATUS, "", number, [{"text": "x" * 200}])
        outbox.sent("a", number, 1)
    assert len(list((tmp_path / "journal").glob("*.seg"))) > 3
    outbox.forget({"a"})
    outbox.put(STATUS, "", 101, [{"text": "x"}])
    outbox.sent("a", 101, 1)
    assert len(list((tmp_path / "journal").glob("*.seg"))) == 1


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path)
    outbox.position("d")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = lost()
    with monkeypatch.context() as patch:
        patch.setattr(outboxes.Journal, "append", full)
        outbox.put(STATUS, "", 1, [{"n": "1"}])
    assert lost() - before == 1
    outbox.put(STATUS, "", 2, [{"n": "2"}])
    assert [entry.at for entry in outbox.after(0, "p")] == [2]
    assert json.loads((tmp_path / "sent.json").read_text())["sent"] == {"d": 0}
