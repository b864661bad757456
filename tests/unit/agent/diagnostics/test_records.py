"""What the agent says about itself has the fields that docs/specs/telemetry.md lists, and says nothing of other tenants."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tailrace import telemetry
from tailrace.agent.diagnostics.memory import Memory
from tailrace.agent.diagnostics.records import Facts, Places, alarm_rows, profile_rows, status_row
from tailrace.agent.status.tally import StreamTally
from tailrace.agent.status.windows import Window
from tailrace.telemetry import Alarm, Report, alarms
from tailrace.wire.internal_logs import ALARM, FIELDS, PROFILE, STATUS
from tests.source_tree import ROOT

FACTS = Facts("a" * 32, "1.0", "host", "10.0.0.7", "uuid", "uuid_10.0.0.7_1", "Linux", "Linux; 6.1", "tenant", "web,db")


@dataclass
class Lane:
    pipeline: str
    address: tuple[str, str]

    @property
    def target(self) -> SimpleNamespace:
        return SimpleNamespace(flusher=SimpleNamespace(target=f"sls:here/{'/'.join(self.address)}"))


LANES = [Lane("app", ("shop", "access")), Lane("app", ("audit", "all")), Lane("db", ("shop", "db"))]


def places_of(**values: object) -> list[tuple[str, str]]:
    return Places(LANES).of(Alarm("A_ALARM", "text", values))


def test_an_alarm_goes_to_whom_it_is_about():
    assert places_of(pipeline="db", path="/x") == [("shop", "db")]
    assert places_of(pipeline="app") == [("audit", "all"), ("shop", "access")]
    assert places_of(target="sls:here/audit/all") == [("audit", "all")]
    assert places_of(project="shop") == [("shop", "")]
    assert places_of(path="/agent.yaml") == places_of(pipeline="gone") == [("", "")]


def test_every_field_that_is_told_is_known_and_the_other_way_round():
    window = Window(0, 600)
    names = {"project": "shop", "logstore": "db", "config": "db"}
    file = {"file_path": "/a", "file_dev": 1, "file_inode": 2, "file_size_bytes": 3, "read_offset_bytes": 3}
    window.files["shop/db/1:2"], window.logstores["shop/db"] = {**names, **file}, names
    [(_, alarm)] = alarm_rows([Report(Alarm("A_ALARM", "text"), 2)], Places([]), FACTS)
    status = status_row(FACTS, "ok", ["cpu"], {"cpu": 0.1, "memory": 1.0, "os_cpu": 0.2}, {})
    profile = {key for _, row in profile_rows(window, {}, FACTS) for key in row}
    assert {*alarm, "project"} == set(FIELDS[ALARM])
    assert {*status, "project"} == set(FIELDS[STATUS])
    assert {*profile, "project"} == set(FIELDS[PROFILE])


def test_the_specification_lists_every_field():
    spec = (ROOT / "docs" / "specs" / "telemetry.md").read_text()
    assert {field for fields in FIELDS.values() for field in fields if f"`{field}`" not in spec} == set()


def test_a_secret_is_in_no_alarm_that_is_told():
    telemetry.alarm("TOLD_ALARM", "refused: token=abcdef", password="abcdef")
    told = [row for _, row in alarm_rows(telemetry.reports(), Places([]), FACTS)]
    assert [row for row in told if row["alarm_type"] == "TOLD_ALARM"]
    assert "abcdef" not in repr(told)


def test_what_failed_is_kept_by_its_reason_with_a_line():
    tally = StreamTally()
    assert tally.why is None
    tally.because("REGEX_MATCH_ALARM", 2, "odd line")
    tally.because("outdated", 1)
    assert (tally.why, tally.error_line) == ({"REGEX_MATCH_ALARM": 2, "outdated": 1}, "odd line")


@pytest.mark.parametrize("text", [None, "", "{", '{"format": 1, "alarms": [{"no": "alarm"}]}', '{"format": 9}'])
def test_alarms_that_last_are_kept_over_a_restart_and_damage_is_no_reason_to_stop(tmp_path: Path, monkeypatch, text):
    monkeypatch.setattr(alarms, "_alarms", type(alarms._alarms)())
    memory = Memory(tmp_path / "alarms.json")
    telemetry.alarm("LASTING_ALARM", "text", target="t", size=3)
    telemetry.alarm("OVER_ALARM", "text", target="t")
    telemetry.resolved("OVER_ALARM", target="t")
    memory.keep()
    [before] = [alarm for alarm in telemetry.recent_alarms() if alarm.kind == "LASTING_ALARM"]
    if text is not None:
        (tmp_path / "alarms.json").write_text(text)
    alarms._alarms.clear()
    Memory(tmp_path / "alarms.json").restore()
    known = [replace(before, values={"target": "t", "size": "3"}, is_sure=False, unreported=0)] if text is None else []
    assert telemetry.recent_alarms() == known
