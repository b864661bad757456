"""Which authority a command believes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tailrace.cli.connection import ConnectionFlags, connect_to_server
from tailrace.cli.trust import trusted_roots
from tailrace.errors import ConfigError
from tailrace.server.auth.authority import open_authority

KEY = {"TAILRACE_KEY_ID": "id", "TAILRACE_KEY_SECRET": "secret"}


@pytest.fixture
def root(tmp_path: Path) -> str:
    return open_authority(tmp_path / "ca", timedelta(days=1)).signer.pem


@pytest.fixture
def server_home(tmp_path: Path, root: str) -> Path:
    home = tmp_path / "server"
    (home / "run").mkdir(parents=True)
    (home / "ca.pem").write_text(root)
    (home / "run" / "server.json").write_text(json.dumps({"tls_port": 9481, "addresses": ["https://logs.example.org:9481"]}))
    return home


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1:9481", "https://localhost:9481/", "https://[::1]:9481", "https://LOGS.example.org:9481"]
)
def test_the_servers_own_home_knows_it(server_home: Path, root: str, address: str) -> None:
    assert trusted_roots(address, server_home, "") == root


@pytest.mark.parametrize("address", ["https://127.0.0.1:9999", "https://cn-hangzhou.log.aliyuncs.com", "http://127.0.0.1:9481"])
def test_another_server_is_not_its(server_home: Path, address: str) -> None:
    assert trusted_roots(address, server_home, "") == ""


def test_an_agents_home_knows_the_servers_that_it_joined(tmp_path: Path, root: str) -> None:
    (tmp_path / "secret").mkdir()
    server = {"id": "s", "addresses": ["https://a.example.org:9481", "https://b.example.org:9481"], "roots": [root]}
    (tmp_path / "secret" / "agent.json").write_text(json.dumps({"servers": [server]}))
    assert trusted_roots("https://b.example.org:9481", tmp_path, "") == root
    assert trusted_roots("https://c.example.org:9481", tmp_path, "") == ""


def test_a_file_that_is_named_holds_before_all(tmp_path: Path, server_home: Path, root: str) -> None:
    other = open_authority(tmp_path / "other", timedelta(days=1)).signer.pem
    (tmp_path / "other.pem").write_text(f"a remark\n{other}")
    flags = ConnectionFlags(endpoint="https://127.0.0.1:9481", home=server_home, ca=str(tmp_path / "other.pem"))
    assert connect_to_server(flags, KEY).roots == other
    flags = ConnectionFlags(endpoint="https://127.0.0.1:9481", home=server_home)
    assert connect_to_server(flags, {**KEY, "TAILRACE_CA": str(tmp_path / "other.pem")}).roots == other
    assert connect_to_server(flags, KEY).roots == root


@pytest.mark.parametrize(("content", "message"), [(None, "cannot read the certificates"), ("nothing", "there is no certificate")])
def test_a_file_without_certificates_is_said(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "roots.pem").write_text(content)
    with pytest.raises(ConfigError, match=message):
        trusted_roots("https://a", tmp_path, str(tmp_path / "roots.pem"))


def test_a_private_key_in_the_file_is_not_taken_along(tmp_path: Path) -> None:
    authority = open_authority(tmp_path / "ca", timedelta(days=1))
    file = tmp_path / "ca" / "root-0001.pem"
    assert "PRIVATE KEY" in file.read_text()
    assert trusted_roots("https://a", tmp_path, str(file)) == authority.signer.pem
