"""`tailrace store check` against a server: all is there; then rows are deleted behind its back, and the command lists them and fails."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tailrace.cli.main import main
from tailrace.server.store.embedded import EmbeddedStore
from tests.conftest import RunningServer, running_server
from tests.integration.server.loggroups import batch, log_group, package
from tests.integration.server.people import make_key


def check(server: RunningServer, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, rows and what it says."""
    code = main(["store", "check", "--output", "json", "--project", "checked", "--home", str(server.home), *words])
    out, errors = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], errors


def delete(home: Path, condition: str) -> None:
    async def run() -> None:
        store = EmbeddedStore(home / "server")
        await store.open([])
        ((table,),) = (await store.engine.execute("SELECT name FROM system.tables WHERE name LIKE 'ls_%' AND total_rows = 12")).rows
        await store.engine.execute(f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 2")
        await store.close()

    asyncio.run(run())


def test_what_is_deleted_behind_its_back_is_listed_and_the_command_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    with running_server(home) as server:
        server.make_logstore("checked", "app")
        server.make_logstore("checked", "quiet")
        key = server.enrol("agent-1", "checked", ["*"])
        for sequence in range(6):
            body, headers = batch([package(log_group(f"s{sequence}", events=2), 0xAB, sequence)])
            assert server.request("POST", "/logstores/app/shards/lb", project="checked", body=body, headers=headers, key=key).status == 200
        code, rows, said = check(server, capsys)
        assert (code, rows) == (0, [])
        assert "in 2 logstores: none is missing" in said
    delete(home, "pack_seq IN (2, 3)")
    with running_server(home) as server:
        code, rows, said = check(server, capsys)
        assert code == 1
        assert [(row["logstore"], row["first"], row["last"], row["cause"]) for row in rows] == [
            ("app", 4, 7, "missing"),
            ("app", 2, 3, "missing"),
        ]
        assert rows[0]["where"].startswith("shard ")
        assert rows[1]["where"] == f"agent-1/{(b'e' * 16).hex().upper()}/00000000000000AB"
        assert "4 acknowledged events" in said
        assert "hint: look for alarms" in said
        assert check(server, capsys, "--logstore", "quiet")[:2] == (0, [])
        assert check(server, capsys, "--logstore", "nowhere")[:2] == (1, [])


def test_a_check_takes_an_operator_of_the_project(server: RunningServer) -> None:
    project = server.fresh_name("checked")
    server.make_logstore(project, "app")
    path = f"/api/v1/projects/{project}/logstores/app/check"
    asked = {role: server.request("GET", path, key=make_key(server, role=role, project=project)).status for role in ("reader", "operator")}
    assert asked == {"reader": 401, "operator": 200}
