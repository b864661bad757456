"""What `tailrace up` collects, and what it leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tailrace.cli.home import Home
from tailrace.cli.up.collection import MACHINE_LOGS, OwnPipelines, as_pattern, check, patterns, pipeline, write_pipeline
from tailrace.cli.up.screen import screen, size
from tailrace.cli.up.survey import survey
from tailrace.errors import UsageError

SERVED = {"endpoint": "http://127.0.0.1:1", "key_id": "KEY", "project": "default", "logstore": "logs"}
"""What the screen says of the server."""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    (tmp_path / "logs" / "a.log").write_text("one\n")
    (tmp_path / "logs" / "deep" / "b.txt").write_text("two\nthree\n")
    (tmp_path / "logs" / "old.gz").write_bytes(b"\x1f\x8b")
    return tmp_path / "logs"


def home_for(tmp_path: Path, *collect: Path | str) -> Home:
    directory = tmp_path / "home"
    (directory / "pipelines").mkdir(parents=True)
    return Home(directory, machine_logs=False, collect=[as_pattern(str(entry)) for entry in collect])


def test_a_directory_means_all_text_files_below_it(tmp_path: Path, logs: Path):
    found = survey(home_for(tmp_path, logs))
    assert found.sizes == {str(logs / "a.log"): 4, str(logs / "deep" / "b.txt"): 10}
    assert found.bytes == 14


def test_a_file_and_a_glob_mean_themselves(tmp_path: Path, logs: Path):
    assert list(survey(home_for(tmp_path, logs / "a.log")).sizes) == [str(logs / "a.log")]
    assert as_pattern(str(logs / "*.log")) == str(logs / "*.log")


def test_a_relative_path_is_meant_from_here(logs: Path, monkeypatch):
    monkeypatch.chdir(logs)
    assert as_pattern("a.log") == str(logs / "a.log")


def test_what_is_there_is_no_pattern_whatever_its_name_is(tmp_path: Path):
    odd = tmp_path / "app[1]"
    odd.mkdir()
    (odd / "a?.log").write_text("x\n")
    for named in (odd, odd / "a?.log"):
        assert list(survey(Home(tmp_path / "home", machine_logs=False, collect=[as_pattern(str(named))])).sizes) == [str(odd / "a?.log")]


def test_links_in_circles_end_and_what_is_hidden_is_left_alone(tmp_path: Path, logs: Path):
    for name in ("round", "again"):
        (logs / name).symlink_to(logs)
    (logs / ".env").write_text("TOKEN=secret\n")
    (logs / ".git" / "objects").mkdir(parents=True)
    (logs / ".git" / "objects" / "pack").write_text("x\n")
    home = home_for(tmp_path, logs)
    assert list(survey(home).sizes) == [str(logs / "a.log"), str(logs / "deep" / "b.txt")]
    by_name = Home(home.directory, machine_logs=False, collect=[as_pattern(str(logs / ".env"))])
    assert list(survey(by_name).sizes) == [str(logs / ".env")]


def test_a_pattern_that_the_agent_cannot_search_is_refused_before_anything_is_written(tmp_path: Path):
    for pattern in ("/srv/**/logs/*.log", "/*.log", "/"):
        with pytest.raises(UsageError) as refused:
            check(home_for(tmp_path / pattern.strip("/*"), pattern))
        assert pattern in refused.value.message
        assert "/srv/app/**/*.log" in refused.value.hint


def test_nothing_to_collect_is_told_unless_there_are_other_pipelines(tmp_path: Path, logs: Path):
    home = home_for(tmp_path)
    with pytest.raises(UsageError, match="there is nothing to collect") as refused:
        check(home)
    assert "--collect" in refused.value.hint
    write_pipeline(home, pipeline(home_for(tmp_path / "other", logs), "http://127.0.0.1:1", "default", "logs"))
    own = {"inputs": [{"Type": "input_file", "FilePaths": [str(logs / "a.log")]}], "flushers": [{"Type": "flusher_stdout"}]}
    (home.pipelines / "own.yaml").write_text(yaml.safe_dump(own))
    check(home)
    assert not write_pipeline(home, pipeline(home, "http://127.0.0.1:1", "default", "logs")).exists()
    assert survey(home).sizes == {}


def test_the_home_is_never_collected(tmp_path: Path):
    home = home_for(tmp_path, tmp_path)
    (home.directory / "logs").mkdir()
    (home.directory / "logs" / "server.log").write_text("{}\n")
    assert survey(home).sizes == {}


def test_the_file_that_stdout_goes_to_is_never_collected(tmp_path: Path):
    (tmp_path / "app.log").write_text("x\n")
    code = (
        "import sys; from pathlib import Path; from tailrace.cli.home import Home; from tailrace.cli.up.survey import survey;"
        f"print(list(survey(Home(Path('/nonexistent'), machine_logs=False, collect=['{tmp_path}/*.log'])).sizes))"
    )
    with (tmp_path / "up.log").open("w") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, timeout=60)
    assert (tmp_path / "up.log").read_text() == f"['{tmp_path / 'app.log'}']\n"


def test_a_pattern_without_a_file_is_told(tmp_path: Path, logs: Path):
    assert survey(home_for(tmp_path, logs, "/nonexistent/*.log")).unmatched == ["/nonexistent/*.log"]


def test_a_packed_file_that_is_named_is_told_with_the_way_to_load_it(tmp_path: Path, logs: Path):
    packed = logs / "old.log.1.gz"
    packed.write_bytes(b"\x1f\x8b")
    home = home_for(tmp_path, str(packed))
    shown = screen(home, survey(home), OwnPipelines(), **SERVED)
    assert "agent import" in shown.split(f"`{packed}` is left out")[1]
    assert "as soon as one appears" not in shown


def test_files_that_may_not_be_read_are_told_with_the_remedy(tmp_path: Path, logs: Path, monkeypatch):
    secret = str(logs / "a.log")
    monkeypatch.setattr(os, "access", lambda path, _mode: path != secret)  # root may read everything
    home = home_for(tmp_path, logs)
    found = survey(home)
    assert found.unreadable == [secret]
    assert secret not in found.sizes
    shown = screen(home, found, OwnPipelines(["nginx"], {"bad.yaml": "unknown key `x`"}), **SERVED)
    assert f"unreadable 1: {secret}" in shown
    assert "group" in shown


def test_the_machine_comes_first_unless_it_is_left_out(tmp_path: Path):
    assert patterns(Home(tmp_path, collect=["/srv/a.log"])) == [MACHINE_LOGS, "/srv/a.log"]
    assert patterns(Home(tmp_path, collect=["/srv/a.log"], machine_logs=False)) == ["/srv/a.log"]


def test_the_pipeline_file_is_written_and_kept_when_nothing_changed(tmp_path: Path, logs: Path):
    home = home_for(tmp_path, logs)
    document = pipeline(home, "http://127.0.0.1:1", "default", "logs")
    path = write_pipeline(home, document)
    assert yaml.safe_load(path.read_text()) == document
    os.utime(path, (1, 1))
    write_pipeline(home, document)
    assert path.stat().st_mtime == 1


@pytest.mark.parametrize(("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (12_345_678, "12.3 MB"), (5e12, "5.0 TB")])
def test_sizes_are_for_people(count: int, shown: str):
    assert size(count) == shown
