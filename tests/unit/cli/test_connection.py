"""Where a command finds its server."""

import json
from pathlib import Path

import pytest

from tailrace.cli.connection import Connection, ConnectionFlags, connect
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
