"""Where a command finds its server."""

import json
from pathlib import Path

import pytest

from tailrace.cli.connection import Connection, ConnectionFlags, connect, connect_to_server
from tailrace.errors import ConfigError

STORED = {"endpoint": "http://stored:1", "key_id": "id", "key_secret": "secret", "project": "p", "logstore": "l"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "cli.json").write_text(json.dumps(STORED))
    return tmp_path


def test_the_home_says_everything(home: Path):
    assert connect(ConnectionFlags(home=home), {}) == Connection(**STORED)


def test_flags_win_over_the_environment_and_that_over_the_home(home: Path):
    found = connect(ConnectionFlags(project="flag", home=home), {"TAILRACE_PROJECT": "variable", "TAILRACE_LOGSTORE": "variable"})
    assert (found.project, found.logstore, found.endpoint) == ("flag", "variable", "http://stored:1")


def test_no_home_is_needed_when_the_environment_says_everything(tmp_path: Path):
    variables = {f"TAILRACE_{name.upper()}": value for name, value in STORED.items()}
    assert connect(ConnectionFlags(home=tmp_path / "none"), variables) == Connection(**STORED)


def test_without_a_server_the_next_step_is_said(tmp_path: Path):
    with pytest.raises(ConfigError) as raised:
        connect(ConnectionFlags(home=tmp_path), {})
    assert raised.value.message == "no server is known to this command"
    assert raised.value.hint.startswith("run `tailrace up`, or set TAILRACE_ENDPOINT")


def test_what_is_missing_is_named(tmp_path: Path):
    with pytest.raises(ConfigError) as raised:
        connect(ConnectionFlags(endpoint="http://x", project="p", home=tmp_path), {"TAILRACE_KEY_ID": "id"})
    assert raised.value.message == "cannot ask `http://x`: its key_secret, logstore is not known"
    assert raised.value.hint == "set TAILRACE_KEY_SECRET, TAILRACE_LOGSTORE"


@pytest.mark.parametrize(("host", "endpoint"), [("127.0.0.1", "http://127.0.0.1:9480"), ("::1", "http://[::1]:9480")])
def test_a_server_that_runs_on_the_home_is_found_whatever_its_kind_of_address(tmp_path: Path, host: str, endpoint: str):
    for name, content in {"run/server.json": {"host": host, "port": 9480}, "secret/admin.json": {"key_id": "i", "key_secret": "s"}}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(json.dumps(content))
    assert connect_to_server(ConnectionFlags(home=tmp_path), {}) == Connection(endpoint, "i", "s", "", "")


@pytest.mark.parametrize("endpoint", ["http://[::1", "http://::1:9480", "http://logs.example.org:api"])
def test_what_is_no_address_is_named(tmp_path: Path, endpoint: str):
    with pytest.raises(ConfigError, match="is not an endpoint"):
        connect(
            ConnectionFlags(endpoint=endpoint, project="p", logstore="l", home=tmp_path),
            {f"TAILRACE_KEY_{one}": "x" for one in ("ID", "SECRET")},
        )
