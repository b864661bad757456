"""The command line as a whole: which errors end with which sentence and which exit code."""

import os
import re
import shlex
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
        (["zzz"], "error: unknown command `zzz`\nhint: the commands are `up`, `query`, `tail`,"),
        (["agent", "statu"], "error: unknown command `statu`\nhint: did you mean `status`?\n"),
        (["server", "zzz"], "error: unknown command `zzz`\nhint: the commands are `run`"),
        (["--hel"], "error: unknown option `--hel`\nhint: did you mean `--help`?\n"),
        (["query", "--sinc=1h"], "error: unknown option `--sinc`\nhint: did you mean `--since`?\n"),
        (["tail", "--zzz"], "error: unknown option `--zzz`\nhint: `tailrace tail --help` shows how to call it\n"),
        (["query", "a", "b", "c"], "error: too many words: `b c`\nhint: quote what has spaces in it\n"),
        (["query", "--limit", "x"], "error: `--limit` cannot be `x`: it is a whole number\nhint: `tailrace query --help` shows"),
        (["query", "--limit", "1", "--limit", "2"], "error: `--limit` stands twice\nhint: `tailrace query --help` shows"),
        (["query", "--output", "xml"], "error: `--output` cannot be `xml`\nhint: it is one of `table`, `json`, `csv`\n"),
        (["query", "--output", "jsn"], "error: `--output` cannot be `jsn`\nhint: did you mean `json`?\n"),
        (["query", "--since"], "error: `--since` needs a value\nhint: `tailrace query --help` shows how to call it\n"),
        (["parse"], "error: `--config` is missing\nhint: `tailrace parse --help` shows how to call it\n"),
        (["plugin", "show"], "error: `NAME` is missing\nhint: `tailrace plugin show --help` shows how to call it\n"),
        (["plugin", "show", "x"], "error: unknown plugin `x`\n"),
        (["config", "check"], "error: `PATHS` is missing\nhint: `tailrace config check --help` shows how"),
    ],
)
def test_wrong_words_are_exit_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert err.startswith(message)
    assert out == ""


@pytest.mark.parametrize("command", ["parse", "query"])
def test_help_shows_examples_that_the_command_takes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    _, _, shown = capsys.readouterr().out.partition("\nExamples:\n\n")
    examples = [line.strip() for line in shown.splitlines() if line.strip()]
    assert len(examples) == 3
    for example in examples:  # each on one line of a terminal, and of words that the command understands
        words = shlex.split(example.rpartition("tailrace ")[2].partition(" < ")[0].partition(" > ")[0])
        assert words[0] == command
        assert cli.application().parse_args(words, exit_on_error=False, print_error=False)[0].__name__ == command


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


def test_a_group_lists_each_of_its_commands_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["agent", "--help"]) == 0
    listed = re.findall(r"^│ ([a-z-]+) +(\S.*?) *│$", capsys.readouterr().out, re.MULTILINE)
    assert {"status", "settings", "doctor", "enroll", "import", "dead-letters", "token", "run"} <= {name for name, _ in listed}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backup", "--help"], "Keep the copy as safe as the server itself"),
        (["import-ilogtail", "--help"], "Stop Logtail and the agent first"),
        (["restore", "--help"], "Agents find the server that is started there"),
    ],
)
def test_a_command_without_verbs_tells_all_that_it_does(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_what_is_off_or_empty_is_no_default_worth_telling(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["key", "create"], ["project", "delete"], ["import-ilogtail"], ["logstore", "create"]):
        assert cli.main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "[default: 30]" in shown
    assert "[default: table]" in shown
    for noise in ("[default: False]", "[default: ()]", '[default: ""]', "[choices: ,"):
        assert noise not in shown
