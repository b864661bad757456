"""The command line as a whole: which errors end with which sentence and which exit code."""

import os
import subprocess
import sys

import pytest

from tailrace import __version__
from tailrace.cli import main as cli
from tailrace.cli.output import Exit, exit_code
from tailrace.errors import ApiError, ConfigErrors, UnreachableError, UsageError


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert command in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["quer"], "error: unknown command `quer`\nhint: did you mean `query`?\n"),
        (["zzz"], "error: unknown command `zzz`\nhint: commands: up, query, tail, parse, config, plugin, agent, server\n"),
        (
            ["plugin", "show"],
            'error: command "plugin show" parameter NAME requires an argument\nhint: `tailrace plugin show --help` shows',
        ),
        (["plugin", "show", "x"], "error: unknown plugin `x`\n"),
        (
            ["config", "check"],
            'error: command "config check" parameter PATHS requires an argument\nhint: `tailrace config check --help` shows how',
        ),
    ],
)
def test_wrong_words_are_exit_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert err.startswith(message)
    assert out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("x"), 2), (ConfigErrors([]), 2), (UnreachableError("x"), 3), (ApiError(500, "InternalServerError", "x"), 1)],
)
def test_exit_codes(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_a_command_that_cannot_be_imported_does_not_hurt_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "gone", "It is not there.")
    assert cli.main(["plugin", "list", "--kind", "processor"]) == 0
    assert cli.main(["gone"]) == Exit.FAILED
    assert "error: `tailrace gone` cannot be loaded: No module named 'tailrace.cli.commands.gone'" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tailrace.cli.main", "--version"], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=30
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.FAILED, b"")


def test_the_command_line_loads_nothing_heavy() -> None:
    heavy = ("aiohttp", "sqlalchemy", "fastapi", "chdb", "yaml")
    script = f"import sys; from tailrace.cli.main import main; main(['--version']); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "[]"
