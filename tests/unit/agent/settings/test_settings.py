"""The agent's own settings."""

import json
from pathlib import Path

import pytest

from tailrace.agent.settings import page as settings_page
from tailrace.agent.settings import startup
from tailrace.agent.settings.settings import AgentSettings
from tailrace.cli.main import main
from tailrace.errors import ConfigErrors

MANUAL = (
    "cpu_usage_limit", "mem_usage_limit", "max_bytes_per_sec", "process_thread_count", "send_request_concurrency", "buffer_file_num",
    "buffer_file_size", "buffer_file_path", "bind_interface", "check_point_filename", "check_point_dump_interval", "user_config_file_path",
    "docker_file_cache_path", "discard_old_data", "working_ip", "working_hostname", "max_read_buffer_size", "oas_connect_timeout",
    "oas_request_timeout", "data_server_port", "enable_log_time_auto_adjust", "accept_multi_config", "enable_checkpoint_sync_write",
    "default_tail_limit_kb", "batch_send_seconds", "batch_send_bytes", "force_quit_read_timeout", "max_docker_config_update_times",
    "logreader_max_rotate_queue_size", "streamlog_open", "streamlog_pool_size_in_mb", "streamlog_rcv_size_each_call",
    "streamlog_tcp_addr", "streamlog_tcp_port", "streamlog_formats",
)  # fmt: skip
"""The start-up parameters of Logtail's manual."""


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
    (tmp_path / "agent.yaml").write_text("working_ip: 10.0.0\n")
    with pytest.raises(ConfigErrors, match=r"agent\.yaml:1 working_ip: `10\.0\.0` is no IP address"):
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


def test_a_start_up_file_of_the_manual_is_taken_as_it_is(tmp_path):
    (tmp_path / "config.d").mkdir()
    document = dict.fromkeys(MANUAL, None) | {"cpu_usage_limit": 0.4, "mem_usage_limit": 384, "max_bytes_per_sec": 20971520}
    usual = {row["key"]: row["default"] for row in startup.load(tmp_path, environment={}).rows()}
    values = {key: usual[key] if value is None else value for key, value in document.items()}
    (tmp_path / "config.d" / "ilogtail_config.json").write_text(json.dumps(values))
    rows = {row["key"]: row for row in startup.load(tmp_path, environment={}).rows()}
    assert {rows[key]["origin"] for key in MANUAL} == {"config.d/ilogtail_config.json"}


@pytest.mark.parametrize("key", ["working_ip", "cpu_usage_limit", "oas_connect_timeout", "accept_multi_config", "send_request_concurrency"])
@pytest.mark.parametrize("name", ["{key}", "TAILRACE_{KEY}", "ALIYUN_LOGTAIL_{KEY}"])
def test_the_environment_has_the_manuals_names(tmp_path, key, name):
    value = {"working_ip": "10.1.2.3", "cpu_usage_limit": "1.5", "oas_connect_timeout": "2", "accept_multi_config": "true"}.get(key, "7")
    variable = name.format(key=key, KEY=key.upper())
    rows = {row["key"]: row for row in startup.load(tmp_path, environment={variable: value}).rows()}
    assert str(rows[key]["value"]).lower().removesuffix(".0") == value
    assert rows[key]["origin"] == f"environment {variable}"


def test_the_manuals_own_name_of_the_checkpoint_is_known(tmp_path):
    rows = {row["key"]: row for row in startup.load(tmp_path, environment={"ALIYUN_LOGTAIL_CHECK_POINT_PATH": "/x"}).rows()}
    assert rows["check_point_filename"]["origin"] == "environment ALIYUN_LOGTAIL_CHECK_POINT_PATH"
    assert rows["check_point_filename"]["ignored"]


@pytest.mark.parametrize(
    ("given", "secs"), [({}, None), ({"max_log_age_secs": 60}, 60), ({"discard_old_data": False, "max_log_age_secs": 60}, 0)]
)
def test_old_events_may_be_kept_altogether(given, secs):
    assert AgentSettings(**given).log_age_secs == secs


def test_handles_are_left_for_the_agent_itself(tmp_path):
    (tmp_path / "agent.yaml").write_text("max_open_files: 10\n")
    with pytest.raises(ConfigErrors, match="10 handles are too few for the agent itself"):
        startup.load(tmp_path)


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
