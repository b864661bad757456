"""`tailrace project|logstore|index|user|key`: what an administrator does from the command line, with and without a running server."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tailrace.cli.client import Client
from tailrace.cli.connection import Connection
from tailrace.cli.main import main
from tests.conftest import RunningServer, running_server
from tests.integration.server.people import PASSWORD, log_in
from tests.integration.server.test_audit import records


class Shell:
    """Commands as the administrator of a server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in ("ENDPOINT", "KEY_ID", "KEY_SECRET", "PROJECT", "LOGSTORE"):
            monkeypatch.delenv(f"TAILRACE_{name}", raising=False)

    def log_in(self, server: RunningServer, key: tuple[str, str] | None = None) -> "Shell":
        key = key or (server.key_id, server.key_secret)
        for name, value in zip(("ENDPOINT", "KEY_ID", "KEY_SECRET"), (server.endpoint, *key), strict=True):
            self._monkeypatch.setenv(f"TAILRACE_{name}", value)
        return self

    def run(self, *words: str, typed: str = "", code: int = 0) -> str:
        """What it prints; its errors are in `errors`."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        assert main(words) == code, self._capsys.readouterr()
        out, self.errors = self._capsys.readouterr()
        return out

    def rows(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*words, "--output", "json").splitlines()]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def test_shards_are_split_and_merged(server: RunningServer, shell: Shell) -> None:
    project = server.fresh_name("cli")
    shell.log_in(server)
    shell.run("project", "create", project)
    shell.run("logstore", "create", "access", "--shards", "1", "--project", project)
    [whole] = shell.rows("shard", "list", "access", "--project", project)
    parts = [row for row in shell.rows("shard", "split", "access", "0", "--project", project) if row["status"] == "readwrite"]
    assert [(row["shard"], row["begin"], row["end"]) for row in parts] == [
        (1, whole["begin"], "8" + "0" * 31),
        (2, "8" + "0" * 31, whole["end"]),
    ]
    shell.run("shard", "split", "access", "2", "--at", "c" + "0" * 31, "--project", project)
    merged = shell.rows("shard", "merge", "access", "1", "--project", project)
    assert any((row["begin"], row["end"]) == (whole["begin"], "c" + "0" * 31) for row in merged if row["status"] == "readwrite")
    shell.run("shard", "split", "access", "99", "--project", project, code=1)
    assert "has no shard `99`" in shell.errors


def test_consumer_groups_tell_how_far_they_are_and_are_forgotten(server: RunningServer, shell: Shell) -> None:
    project = server.fresh_name("cli")
    shell.log_in(server)
    shell.run("project", "create", project)
    shell.run("logstore", "create", "access", "--shards", "2", "--project", project)
    assert shell.rows("consumer", "list", "access", "--project", project) == []
    assert "no consumer group" in shell.errors
    with Client(Connection(server.endpoint, server.key_id, server.key_secret, project, "access")) as client:
        groups = "/logstores/access/consumergroups"
        client.sls("POST", groups, {"consumerGroup": "billing", "timeout": 60, "order": False})
        client.sls("POST", f"{groups}/billing", [], query={"type": "heartbeat", "consumer": "one"})
        cursor = client.sls("GET", "/logstores/access/shards/0", query={"type": "cursor", "from": "begin"})["cursor"]
        wanted = {"type": "checkpoint", "consumer": "one", "forceSuccess": "true"}
        client.sls("POST", f"{groups}/billing", {"shard": 0, "checkpoint": cursor}, query=wanted)
    rows = shell.rows("consumer", "list", "access", "--project", project)
    [first] = [row for row in rows if row["shard"] == 0]
    assert (first["group"], first["checkpoint"], first["updated"][:2]) == ("billing", cursor, "20")
    shell.run("consumer", "delete", "access", "billing", "--project", project, typed="billing\n")
    assert shell.rows("consumer", "list", "access", "--project", project) == []


def test_projects_and_logstores_come_and_go(server: RunningServer, shell: Shell) -> None:
    project = server.fresh_name("cli")
    shell.log_in(server)
    assert shell.run("project", "create", project, "--description", "the shop") == f"made the project {project}\n"
    assert "is there already" in shell.run("project", "create", project)
    assert [row["description"] for row in shell.rows("project", "list") if row["projectName"] == project] == ["the shop"]
    shell.run("logstore", "create", "access", "--ttl", "7", "--shards", "1", "--project", project)
    shell.run("logstore", "update", "access", "--ttl", "9", "--project", project)
    assert [(row["logstoreName"], row["ttl"], row["shardCount"]) for row in shell.rows("logstore", "list", "--project", project)] == [
        ("access", 9, 1)
    ]
    assert "nothing was deleted" not in shell.run("project", "delete", project, typed="another\n")
    assert "nothing was deleted" in shell.errors
    shell.run("logstore", "delete", "access", "--project", project, typed="access\n")
    shell.run("project", "delete", project, "--yes")
    assert project not in shell.run("project", "list")


def test_more_names_than_one_page_are_all_listed(server: RunningServer, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    project, names = server.fresh_name("cli"), ["a1", "b2", "c3", "d4", "e5"]
    for name in names:
        server.make_logstore(project, name)
    monkeypatch.setattr("tailrace.cli.client.LIST_PAGE", 2)
    shell.log_in(server)
    assert [row["logstoreName"] for row in shell.rows("logstore", "list", "--project", project)] == names
    assert project in [row["projectName"] for row in shell.rows("project", "list")]


@pytest.mark.parametrize("words", [("logstore", "delete", "access", "--project", "web"), ("project", "delete", "web")])
def test_where_nobody_can_confirm_nothing_is_deleted(shell: Shell, words: tuple[str, ...]) -> None:
    shell.run(*words, typed="", code=2)
    assert "nobody is there to confirm" in shell.errors
    assert "`--yes`" in shell.errors


def test_an_index_is_a_file_and_twice_is_no_change(server: RunningServer, shell: Shell, tmp_path: Path) -> None:
    project = server.fresh_name("cli")
    server.make_logstore(project, "access")
    at = ("--project", project, "--logstore", "access")
    file = tmp_path / "index.yaml"
    file.write_text('line: {token: [" "]}\nkeys:\n  level: {type: text, token: [" "], doc_value: true}\n')
    shell.log_in(server)
    said = [shell.run("index", "set", str(file), *at) for _ in range(2)]
    assert ["made" in text for text in said] == [True, False]
    assert "is so already" in said[1]
    shown = tmp_path / "shown.yaml"
    shown.write_text(shell.run("index", "show", *at))
    assert "is so already" in shell.run("index", "set", str(shown), *at)
    status = shell.run("index", "status", "access", "--project", project).splitlines()
    assert (status[0].split()[:4], status[2].split()[:4]) == (["logstore", "state", "keys", "full_text"], ["access", "ready", "1", "yes"])
    shell.run("index", "delete", "access", "--project", project)
    assert shell.run("index", "show", *at, code=1) == ""


def test_users_and_keys_come_and_go(server: RunningServer, shell: Shell) -> None:
    project, name = server.fresh_name("cli"), server.fresh_name("user")
    server.make_logstore(project, "access")
    shell.log_in(server)
    shell.run("user", "add", name, "--role", f"{project}=reader", typed=PASSWORD + "\n")
    assert log_in(server, name).status == 200
    made = shell.rows("key", "create", "--user", name, "--only-action", "log:Get*", "--expires", "1h", "--remark", "for a test")
    key = (made[0]["id"], made[0]["key_secret"])
    assert server.request("GET", "/logstores/access", project=project, key=key).status == 200
    assert f"{name}" in shell.run("key", "list")
    assert shell.run("user", "set-role", name, "operator", "--project", project)
    shell.run("user", "set-role", name, "reader", "--everywhere")
    assert [row["roles"] for row in shell.rows("user", "list") if row["name"] == name] == [{project: "operator", "*": "reader"}]
    shell.run("user", "set-role", name, "none", "--everywhere")
    shell.run("user", "set-role", name, "none", "--project", project)
    again = shell.rows("key", "reset", key[0])[0]["key_secret"]
    assert server.request("GET", "/logstores/access", project=project, key=(key[0], again)).json()["errorMessage"].startswith("key ")
    shell.run("key", "revoke", key[0])
    shell.run("user", "reset-password", name, typed="another password\n")
    assert (log_in(server, name).code, log_in(server, name, "another password").status) == ("LoginFailed", 200)
    own = shell.rows("key", "create", "--user", name)[0]
    shell.log_in(server, (own["id"], own["key_secret"])).run("user", "reset-password", name, typed="another password\none of my own\n")
    assert log_in(server, name, "one of my own").status == 200
    shell.log_in(server).run("user", "reset-password", name, typed="another password\n")
    shell.run("user", "disable", name)
    assert log_in(server, name, "another password").code == "LoginFailed"
    shell.run("user", "enable", name)
    shell.run("user", "delete", name)
    assert name not in shell.run("user", "list")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["user", "add", "anna", "--role", "boss"], "`boss` is no role"),
        (["user", "set-role", "anna", "reader"], "it is not known in which project"),
        (["key", "create"], "a key belongs to a user or has a role"),
        (["key", "create", "--user", "anna", "--expires", "soon"], "`soon` is no length of time"),
    ],
)
def test_words_that_do_not_fit_are_told(server: RunningServer, shell: Shell, words: list[str], message: str) -> None:
    shell.log_in(server).run(*words, code=2)
    assert message in shell.errors


def test_the_owner_of_a_home_gets_in_again(tmp_path: Path, shell: Shell) -> None:
    """Without the server and without a key that works: the password of a user, and the server's own key."""
    home = ("--home", str(tmp_path))
    with running_server(tmp_path) as server:
        shell.run("user", "add", "anna", "--role", "admin", *home, typed=PASSWORD + "\n")
        shell.run("server", "new-master-key", *home)
    (tmp_path / "secret" / "admin.json").write_text('{"key_id": "lost", "key_secret": "lost"}')
    shell.run("user", "reset-password", "anna", *home, typed="short\n", code=1)
    shell.run("user", "reset-password", "anna", *home, typed="another password\n")
    shell.run("user", "reset-password", "nobody", *home, typed="another password\n", code=1)
    assert "there is no user `nobody`" in shell.errors
    assert server.key_id in shell.run("key", "reset", *home)
    with running_server(tmp_path) as again:
        assert (again.key_id, again.key_secret != server.key_secret) == (server.key_id, True)
        assert again.request("GET", "/", key=(server.key_id, server.key_secret)).code == "SignatureNotMatch"
        assert (log_in(again, "anna").code, log_in(again, "anna", "another password").status) == ("LoginFailed", 200)
        assert len((tmp_path / "secret" / "master.key").read_text().split()) == 1
        made = {(row["user"].partition(" ")[0], row["action"]) for row in records(again, "user: local", least=2)}
        assert made == {("local", "tailrace:SetPassword"), ("local", "tailrace:ResetKey")}
        shell.run("key", "reset", *home)
        assert json.loads((tmp_path / "secret" / "admin.json").read_text())["key_secret"] != again.key_secret


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: Shell, tmp_path: Path, name: str) -> None:
    script = shell.run("completion", name)
    assert "reset-password" in script
    if name == "bash":
        (tmp_path / "complete.sh").write_text(script)
        asked = f'. {tmp_path}/complete.sh; COMP_WORDS=(tailrace user res); COMP_CWORD=2; _tailrace; echo "${{COMPREPLY[*]}}"'
        found = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60, check=False)
        assert found.stdout.strip() == "reset-password", found.stderr
