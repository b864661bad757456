"""`tailrace config check`."""

import json
from pathlib import Path

import pytest

from tailrace.batch import NATIVE
from tailrace.cli.main import main
from tailrace.pipeline.loading import load_file

GOOD = """\
inputs:
  - Type: input_file
    FilePaths: [/var/log/nginx/access.log]
processors:
  - Type: processor_parse_regex_native
    Regex: (\\S+) (.*)
    Keys: [ip, request]
  - Type: processor_filter_regex_native
    Include:
      request: ^(?!.*(health|ready)).*
flushers:
  - Type: flusher_stdout
"""
BAD = """\
inputs:
  - Type: input_file
    FilePath: [/var/log/app.log]
processors:
  - Type: processor_drop
    DropKeys: [a]
  - Type: processor_drop
    DropKeys: [a]
  - Type: processor_parse_regex_native
    Regex: (\\d+) (\\S+) (\\S+) (.*)
    SourceKey: content
    CopyingRawLog: true

    Keys: [a, b, c]
flushers:
  - Type: flusher_stdout
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


def test_a_good_file_says_what_it_is(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(files / "good.yaml")]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith(f"{files}/good.yaml: pipeline `good` is fine (version ")
    assert lines[1:3] == ["  inputs[0] input_file", "  processors[0] processor_parse_regex_native"]
    assert lines[3].startswith("    Regex: ")
    assert lines[3].endswith(r" engine for `(\S+) (.*)`")
    assert lines[5] == "    Include.request: negation engine for `^(?!.*(health|ready)).*`"
    assert lines[6] == "  flushers[0] flusher_stdout"
    assert ("pure-Python twin" in err) is not NATIVE


def test_a_bad_file_shows_every_mistake_and_ends_with_2(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(files / "bad.yaml"), str(files / "good.yaml")]) == 2
    out, err = capsys.readouterr()
    assert "pipeline `good` is fine" in out
    bad = files / "bad.yaml"
    assert err.splitlines()[-3:] == [
        f"error: {bad}:14 processors[2].Keys: 3 names for 4 groups",
        "hint: the pattern has 4 capture groups; add a name or make one non-capturing: `(?:…)`",
        "3 mistakes in 1 of 2 files",
    ]
    assert f"error: {bad}:3 inputs[0].FilePath: unknown key\nhint: did you mean `FilePaths`?\n" in err


def test_json_holds_both(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(files), "--output", "json"]) == 2
    report = json.loads(capsys.readouterr().out)
    (pipeline,) = report["pipelines"]
    assert pipeline["name"] == "good"
    assert pipeline["processors"][0]["patterns"][0]["key"] == "Regex"
    assert {error["where"].split(" ", 1)[1] for error in report["errors"]} == {
        "inputs[0].FilePaths",
        "inputs[0].FilePath",
        "processors[2].Keys",
    }


def test_a_secret_never_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flusher = "{Type: flusher_sls, Endpoint: 'http://127.0.0.1:1', Project: proj, Logstore: logs, AccessKeyId: a, AccessKeySecret: s3cr3t}"
    (tmp_path / "p.yaml").write_text(f"inputs: [{{Type: input_file, FilePaths: [/srv/a]}}]\nflushers: [{flusher}]\n")
    for output in ("text", "json"):
        assert main(["config", "check", str(tmp_path / "p.yaml"), "--output", output]) == 0
        out, err = capsys.readouterr()
        assert "s3cr3t" not in out + err
        assert "flushers[0].AccessKeySecret: the secret stands in the file" in out


def test_an_empty_directory_and_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(tmp_path)]) == 2
    assert "holds no pipeline file" in capsys.readouterr().err
    assert main(["config", "check", str(tmp_path / "x.yaml")]) == 2
    assert "cannot read" in capsys.readouterr().err


CLASSIC = """{
 "inputDetail": {"logPath": "/var/log/app", "filePattern": "*.log", "regex": "(a)", "key": ["a"], "localStorage": true},
 "outputDetail": {"projectName": "shop", "logstoreName": "web", "endpoint": "http://127.0.0.1:9480"}
}"""
NOTE = "note: inputDetail.localStorage: has no effect: the spool belongs to the agent, for all pipelines"


def test_a_classic_config_is_checked_like_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.json").write_text(CLASSIC)
    assert main(["config", "check", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "pipeline `web` is fine" in out
    assert f"  {NOTE}\n" in out
    (tmp_path / "web.json").write_text(CLASSIC.replace('["a"]', '["a", "b"]'))
    assert main(["config", "check", str(tmp_path)]) == 2
    assert f"error: {tmp_path}/web.json:2 inputDetail.key: 2 names for 1 group" in capsys.readouterr().err


def test_a_classic_config_is_translated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "web.json").write_text(CLASSIC)
    assert main(["config", "translate", str(tmp_path / "web.json")]) == 0
    out, err = capsys.readouterr()
    (tmp_path / "again.yaml").write_text(out)
    assert load_file(tmp_path / "again.yaml").version == load_file(tmp_path / "web.json").version
    assert err == f"{NOTE}\n"
    assert main(["config", "translate", str(tmp_path / "again.yaml")]) == 2


def test_a_pattern_that_may_take_very_long_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parse = "{Type: processor_parse_regex_native, SourceKey: content, Regex: '((?:a+)+)b', Keys: [x]}"
    source = f"inputs: [{{Type: input_file, FilePaths: [/srv/a.log]}}]\nprocessors: [{parse}]\nflushers: [{{Type: flusher_stdout}}]\n"
    (tmp_path / "p.yaml").write_text(source)
    assert main(["config", "check", str(tmp_path / "p.yaml")]) == 0
    assert "note: the pattern `((?:a+)+)b` repeats what is repeated inside" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["up", "query", "tail", "agent run", "server run"])
def test_the_help_shows_no_flag_or_default_that_nobody_needs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert "Usage: tailrace" in shown
    for noise in ("--empty-", "[default: ()]", "--no-reverse", '[default: ""]'):
        assert noise not in shown
