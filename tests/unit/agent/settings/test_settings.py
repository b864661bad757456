"""The agent's own settings."""

import json
from pathlib import Path

import pytest

from tailrace.agent.settings import page as settings_page
from tailrace.agent.settings import startup
from tailrace.cli.main import main
from tailrace.errors import ConfigErrors


def test_without_a_file_the_manuals_bounds_hold_scaled_by_memory(tmp_path):
    settings = startup.load(tmp_path).settings
    assert (settings.files, settings.files_per_config, settings.max_watched_directories) == (192_000, 19_200, 3000)
    assert settings.allowed_roots == ["/"]


def test_what_the_file_says_holds(tmp_path):
    (tmp_path / "agent.yaml").write_text("allowed_roots: [/var/log]\nmem_usage_limit: 2048\nmax_files_per_config: 7\n")
    settings = startup.load(tmp_path).settings
    assert (settings.allowed_roots, settings.files, settings.files_per_config) == (["/var/log"], 1_024_000, 7)


def test_mistakes_are_named_with_their_place_and_keep_the_agent_from_starting(tmp_path):
    (tmp_path / "agent.yaml").write_text("allowed_roots: [var]\n")
    with pytest.raises(ConfigErrors, match=r"agent\.yaml:1 allowed_roots\[0\]: `var` is not an absolute path"):
        startup.load(tmp_path)
    (tmp_path / "agent.yaml").write_text("max_fils: 3\n")
    with pytest.raises(ConfigErrors, match="unknown key") as caught:
        startup.load(tmp_path)
    assert "max_files" in caught.value.errors[0].hint


def test_a_later_layer_wins_and_each_value_says_where_it_comes_from(tmp_path):
    (tmp_path / "agent.yaml").write_text("max_files: 1\nmem_usage_limit: 100\nmax_files_per_config: 5\nmax_watched_directories: 9\n")
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "20-more.json").write_text('{"mem_usage_limit": 300}')
    (tmp_path / "config.d" / "10-less.yaml").write_text("mem_usage_limit: 200\nmax_files: 2\nmax_files_per_config: 6\n")
    (tmp_path / "config.d" / "README").write_text("not a setting")
    environment = {"ALIYUN_LOGTAIL_MAX_FILES": "3", "TAILRACE_MAX_FILES": "4", "max_files_per_config": "7"}
    found = startup.load(tmp_path, flags=["max_files_per_config=8"], environment=environment)
    rows = {row["key"]: (row["value"], row["origin"]) for row in found.rows()}
    assert rows["max_files"] == (4, "environment TAILRACE_MAX_FILES")
    assert rows["mem_usage_limit"] == (300, "config.d/20-more.json")
    assert rows["max_files_per_config"] == (8, "--set")
    assert rows["max_watched_directories"] == (9, "agent.yaml")
    assert rows["allowed_roots"] == (["/"], "default")


def test_lists_come_from_the_environment_too(tmp_path):
    found = startup.load(tmp_path, environment={"TAILRACE_ALLOWED_ROOTS": "[/var/log, /srv]"})
    assert found.settings.allowed_roots == ["/var/log", "/srv"]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("max_files=many", "--set max_files: expected a whole number"),
        ("max_files", "`--set max_files` has no `=`"),
        ("max_fils=1", "there is no setting `max_fils`"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path, flag, message):
    with pytest.raises(ConfigErrors) as caught:
        startup.load(tmp_path, flags=[flag], environment={})
    assert message in caught.value.message


def test_a_wrong_variable_is_named(tmp_path):
    with pytest.raises(ConfigErrors, match="environment TAILRACE_MEM_USAGE_LIMIT: must be at least 64"):
        startup.load(tmp_path, environment={"TAILRACE_MEM_USAGE_LIMIT": "1"})


def test_a_file_that_is_no_map_is_refused(tmp_path):
    (tmp_path / "agent.yaml").write_text("- 1\n")
    with pytest.raises(ConfigErrors, match=r"agent\.yaml:1: is not a map of settings"):
        startup.load(tmp_path)


def test_the_reference_page_is_not_stale():
    stored = Path(__file__).parents[4] / "docs" / "reference" / "agent-settings.md"
    assert stored.read_text(encoding="utf-8") == settings_page.page(), "run `make docs`"


def test_the_command_shows_every_setting_with_its_origin(tmp_path, capsys):
    (tmp_path / "agent.yaml").write_text("max_files: 5\n")
    assert main(["agent", "settings", "--home", str(tmp_path), "--set", "working_ip=10.0.0.1", "--output", "json"]) == 0
    rows = {row["key"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (rows["max_files"]["value"], rows["max_files"]["origin"]) == (5, "agent.yaml")
    assert (rows["working_ip"]["value"], rows["working_ip"]["origin"]) == ("10.0.0.1", "--set")
    assert rows["check_point_filename"]["origin"] == "default; without effect: it stands in `HOME/agent`"
