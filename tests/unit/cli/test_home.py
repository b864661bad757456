"""A home is made once, remembers, and is refused when it is not ours to use."""

import json
import stat
from pathlib import Path

import pytest

from tailrace.cli.home import FORMAT, open_home
from tailrace.errors import DamagedError, NewerFormatError, StateError


def test_the_first_call_makes_a_home_for_its_owner_only(tmp_path: Path):
    home = open_home(tmp_path / "home")
    assert home.fresh
    assert {entry.name for entry in home.directory.iterdir()} == {"secret", "server", "agent", "pipelines", "logs", "run"}
    assert all(stat.S_IMODE(entry.stat().st_mode) == 0o700 for entry in [home.directory, *home.directory.iterdir()])


def test_it_remembers_port_and_what_is_collected(tmp_path: Path):
    home = open_home(tmp_path)
    home.port, home.machine_logs, home.collect = 1234, False, ["/srv/a.log"]
    home.save()
    again = open_home(tmp_path)
    assert (again.port, again.machine_logs, again.collect, again.fresh) == (1234, False, ["/srv/a.log"], False)


def test_a_home_of_a_newer_release_is_refused_with_its_name(tmp_path: Path):
    (tmp_path / "home.json").write_text(json.dumps({"format": FORMAT + 1, "written_by": "9.0.0"}))
    with pytest.raises(NewerFormatError, match="is newer than") as caught:
        open_home(tmp_path)
    assert "9.0.0" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"format": "1", "port": 1, "machine_logs": true, "collect": []}'])
def test_a_damaged_home_file_is_named(tmp_path: Path, text: str):
    (tmp_path / "home.json").write_text(text)
    with pytest.raises(DamagedError, match=r"home\.json"):
        open_home(tmp_path)


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StateError, match="is no home"):
        open_home(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_settings_may_be_there_before_the_home(tmp_path: Path):
    (tmp_path / "server.yaml").write_text("port: 9481\n")
    assert open_home(tmp_path).fresh
    assert (tmp_path / "server.yaml").read_text() == "port: 9481\n"


def test_a_home_that_cannot_be_made_says_why(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot use") as caught:
        open_home(tmp_path / "file" / "home")
    assert "--home" in caught.value.hint
