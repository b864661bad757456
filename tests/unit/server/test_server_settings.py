"""Settings come from flags, environment and file, and a mistake says from which."""

import math
from pathlib import Path

import pytest

from tailrace.errors import ConfigError, ConfigErrors
from tailrace.server.settings import load_settings


def test_without_anything_the_server_listens_on_loopback(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environment={})
    assert (settings.host, settings.port) == ("127.0.0.1", 9480)


def test_flags_go_before_environment_and_environment_before_file(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("port: 1001\nregion: file\nhost: 127.0.0.9\n")
    environment = {"TAILRACE_SERVER_PORT": "1002", "TAILRACE_SERVER_REGION": "environment", "PATH": "/bin"}
    settings = load_settings(tmp_path, {"port": 1003, "host": None}, environment)
    assert (settings.port, settings.region, settings.host) == (1003, "environment", "127.0.0.9")


def test_domains_may_be_one_text(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environment={"TAILRACE_SERVER_DOMAINS": "Logs.Example.org, other.example"})
    assert settings.domains == ("logs.example.org", "other.example")


def test_the_time_window_can_be_taken_away(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("write_past_secs: null\n")
    settings = load_settings(tmp_path, environment={"TAILRACE_SERVER_WRITE_FUTURE_SECS": "null"})
    assert settings.write_window is None
    assert load_settings(tmp_path, environment={}).write_window == (math.inf, 900)
    assert load_settings(tmp_path / "other", environment={}).write_window == (604_800, 900)


def test_a_time_zone_is_one_of_the_iana_database(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"time_zone": "Asia/Shanghai"}, {}).time_zone == "Asia/Shanghai"
    with pytest.raises(ConfigErrors, match=r"setting `time_zone` cannot be `Peking`: .*no time zone of the IANA database"):
        load_settings(tmp_path, {"time_zone": "Peking"}, {})


def test_the_engine_gets_as_much_memory_as_a_query_needs(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"engine_memory_bytes": 0}, {}).engine_memory_bytes == 0
    assert load_settings(tmp_path, {"engine_memory_bytes": 64 << 20}, {}).engine_memory_bytes == 64 << 20
    with pytest.raises(ConfigErrors, match=r"setting `engine_memory_bytes` cannot be `1`: .*at least 67108864"):
        load_settings(tmp_path, {"engine_memory_bytes": 1}, {})


def test_an_unknown_setting_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("# ours\nregion: here\nprot: 9480\n")
    with pytest.raises(ConfigErrors) as caught:
        load_settings(tmp_path, environment={})
    (error,) = caught.value.errors
    assert error.message == f"{tmp_path}/server.yaml:3: unknown setting `prot`"
    assert error.hint == "the nearest known setting is `port`"


def test_all_mistakes_are_told_at_once_each_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("port: high\n")
    with pytest.raises(ConfigErrors) as caught:
        load_settings(tmp_path, {"log_level": "loud"}, {"TAILRACE_SERVER_INGEST_THREADS": "0"})
    messages = [error.message for error in caught.value.errors]
    assert len(messages) == 3
    assert any(message.startswith(f"{tmp_path}/server.yaml:1: setting `port` cannot be `high`") for message in messages)
    assert any(message.startswith("environment TAILRACE_SERVER_INGEST_THREADS: ") for message in messages)
    assert any(message.startswith("flag --log-level: setting `log_level` cannot be `loud`") for message in messages)


@pytest.mark.parametrize("text", ["- a\n- b\n", "port: [1\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"server\.yaml"):
        load_settings(tmp_path, environment={})


def test_home_is_not_a_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="unknown setting `home`"):
        load_settings(tmp_path, environment={"TAILRACE_SERVER_HOME": "/"})


@pytest.mark.parametrize(
    "addresses", ["https://a.example.org, https://u:seCret@b.example.org", ["https://a.example.org", "https://u:seCret@b"]]
)
def test_an_address_that_will_not_do_is_named_by_its_place(tmp_path: Path, addresses: str | list[str]) -> None:
    with pytest.raises(ConfigErrors, match=r"setting `addresses` cannot be .*its address 2 .*it holds a user's name") as caught:
        load_settings(tmp_path, {"addresses": addresses}, {})
    assert "seCret" not in str(caught.value)
