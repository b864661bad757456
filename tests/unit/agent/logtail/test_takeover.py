"""What taking over a Logtail does to a home."""

import json
from pathlib import Path

import pytest

from tailrace.agent.logtail.remains import read_remains
from tailrace.agent.logtail.takeover import Takeover, plan
from tailrace.agent.platform import current
from tailrace.errors import BusyError
from tests.integration.agent.logtail import Logtail


@pytest.fixture
def logtail(tmp_path: Path) -> Path:
    """It has read a part of one file."""
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "a.log"
    log.write_text("one\ntwo\n")
    made = Logtail(tmp_path / "ilogtail")
    made.config("app", log.parent)
    made.has_read(log, 4)
    made.stop(cpu_usage_limit=0.6)
    return made.directory


def test_a_look_makes_no_home(tmp_path: Path, logtail: Path) -> None:
    home, remains = tmp_path / "home", read_remains(logtail)
    with Takeover(home, remains, write=False) as takeover:
        made = plan(remains, takeover.endpoint_of)
        rows = [*takeover.pipelines(made), *takeover.positions(made), *takeover.ids(), *takeover.settings()]
    assert [row.outcome for row in rows if row.what == "file"] == ["taken: goes on at 4 of 8 bytes (app)"]
    assert not home.exists()


def test_what_only_logtail_can_go_on_with_is_listed_with_what_to_do(tmp_path: Path, logtail: Path) -> None:
    elsewhere = tmp_path / "buffers"
    elsewhere.mkdir()
    (logtail / "ilogtail_config.json").write_text(json.dumps({"buffer_file_path": str(elsewhere), "check_point_filename": "gone"}))
    (logtail / "logtail_buffer_file_1").write_bytes(b"x" * 2000)
    (logtail / "logtail_buffer_file_2").write_bytes(b"")
    (elsewhere / "logtail_buffer_file_3").write_bytes(b"x")
    (logtail / "local_event.json").write_text('[{"config": "app"}]')
    (logtail / "checkpoint").mkdir()
    (logtail / "checkpoint" / "CURRENT").touch()
    with Takeover(tmp_path / "home", read_remains(logtail), write=False) as takeover:
        told = {(row.what, row.name): row.outcome for row in takeover.left()}
    assert [*told] == [
        ("positions", str(logtail / "gone")),
        ("data", str(elsewhere / "logtail_buffer_file_3")),
        ("data", str(logtail / "logtail_buffer_file_1")),
        ("history", str(logtail / "local_event.json")),
        ("plug-ins", str(logtail / "checkpoint")),
    ]
    assert all(outcome.startswith("not taken: ") for outcome in told.values())
    assert "2,000 bytes" in told["data", str(logtail / "logtail_buffer_file_1")]


def test_an_import_that_has_begun_and_empty_databases_are_nothing(logtail: Path) -> None:
    (logtail / "local_event.json").write_text("\n")
    (logtail / "checkpoint").mkdir()
    assert read_remains(logtail).left == []


def test_files_that_start_up_parameters_name_count_from_the_directory(logtail: Path) -> None:
    (logtail / "user_log_config.json").rename(logtail / "configs.json")
    (logtail / "logtail_check_point").rename(logtail / "positions.json")
    (logtail / "ilogtail_config.json").write_text('{"user_config_file_path": "configs.json", "check_point_filename": "positions.json"}')
    remains = read_remains(logtail)
    assert ([*remains.configs], len(remains.marks), remains.missing) == (["##1.0##test$app"], 1, "")


def test_a_look_into_the_home_of_an_agent_that_runs_is_refused(tmp_path: Path, logtail: Path) -> None:
    (tmp_path / "home" / "agent").mkdir(parents=True)
    lock = current().own(tmp_path / "home" / "agent" / "lock")
    with pytest.raises(BusyError):
        Takeover(tmp_path / "home", read_remains(logtail), write=False)
    lock.release()
