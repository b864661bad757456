"""`tailrace config push|diff|edit`: a directory of files is what a project runs, and the same again is no change."""

from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.integration.server.test_admin_commands import Shell
from tests.integration.server.test_audit import CLASSIC, PIPELINE, records, sls


@pytest.fixture
def shell(server: RunningServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    project = server.fresh_name("files")
    server.make_logstore(project, "access")
    monkeypatch.setenv("TAILRACE_PROJECT", project)
    shell = Shell(monkeypatch, capsys).log_in(server)
    monkeypatch.setenv("TAILRACE_PROJECT", project)
    shell.project = project
    return shell


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "app.yaml").write_text(PIPELINE)
    (tmp_path / "classic.json").write_text(str({**CLASSIC, "configName": "classic"}).replace("'", '"'))
    (tmp_path / ".hidden.yaml").write_text("not: read")
    (tmp_path / "README.md").write_text("# configs")
    return tmp_path


def test_twice_makes_no_change(server: RunningServer, shell: Shell, directory: Path) -> None:
    sls(server, "POST", "/machinegroups", shell.project, {"groupName": "all", "machineIdentifyType": "ip", "machineList": []})
    first = shell.run("config", "push", str(directory), "--group", "all")
    assert first.splitlines() == [
        "app: saved version 1", "app: applied to all", "classic: saved version 1", "classic: applied to all"
    ]  # fmt: skip
    assert shell.run("config", "diff", str(directory)) == ""
    again = shell.run("config", "push", str(directory), "--group", "all")
    assert again.splitlines() == ["app: is version 1 already", "classic: is version 1 already"]
    assert {row["version"] for row in shell.rows("config", "list")} == {1}
    made = [row["action"] for row in records(server, f'project: "{shell.project}" and action: ApplyConfigToMachineGroup', least=2)]
    assert made == ["log:ApplyConfigToMachineGroup"] * 2


def test_a_difference_is_shown_before_it_is_made(shell: Shell, directory: Path) -> None:
    shell.run("config", "push", str(directory))
    (directory / "app.yaml").write_text(PIPELINE.replace("/var/log", "/srv/log"))
    (directory / "new.yaml").write_text(PIPELINE)
    shown = shell.run("config", "diff", str(directory), code=1)
    assert "-  - /var/log/*.log" in shown
    assert "+  - /srv/log/*.log" in shown
    assert "--- server/new" in shown
    assert {row["version"] for row in shell.rows("config", "list")} == {1}
    assert "app: saved version 2" in shell.run("config", "push", str(directory))


def test_what_is_not_among_the_files_goes_only_when_asked(shell: Shell, directory: Path) -> None:
    shell.run("config", "push", str(directory))
    (directory / "classic.json").unlink()
    shell.run("config", "diff", str(directory))
    assert "classic: on the server only" in shell.errors
    shell.run("config", "push", str(directory))
    assert {row["name"] for row in shell.rows("config", "list")} == {"app", "classic"}
    assert "classic: deleted" in shell.run("config", "push", str(directory), "--prune")
    assert [row["name"] for row in shell.rows("config", "list")] == ["app"]


def test_a_config_is_changed_in_the_editor(shell: Shell, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run("config", "push", str(directory))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s,/var/log,/opt/log,")
    assert "app: saved version 2" in shell.run("config", "edit", "app")
    shell.run("config", "edit", "app")
    assert "nothing was changed" in shell.errors
    monkeypatch.setenv("EDITOR", "sed -i s,input_file,input_nothing,")
    shell.run("config", "edit", "app", typed="n\n", code=1)
    assert "app was not saved" in shell.errors
    assert [row["version"] for row in shell.rows("config", "list") if row["name"] == "app"] == [2]


def test_a_directory_without_configs_is_a_mistake(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    shell.run("config", "push", str(tmp_path), code=2)
    assert "holds no config" in shell.errors
