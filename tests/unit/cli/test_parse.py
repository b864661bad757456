"""`tailrace parse`, as one calls it: a pipeline file, sample lines on stdin."""

import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tailrace.cli.main import main

PIPELINE = """\
inputs:
  - Type: input_file
    FilePaths: [/var/log/app.log]
    Multiline: {StartPattern: '\\d+ '}
processors:
  - Type: processor_parse_regex_native
    Regex: (\\d+) (\\w+) (.*)
    Keys: [t, level, message]
    KeepingSourceWhenParseFail: true
  - Type: processor_parse_timestamp_native
    SourceKey: t
    SourceFormat: '%s'
flushers:
  - Type: flusher_sls
    Endpoint: http://127.0.0.1:9480
    Project: proj
    Logstore: logs
    AccessKeySecret: ${env:NOT_SET_ANYWHERE}
    AccessKeyId: x
"""
DISCARDED = "1 event would be discarded: N d old (limit 300 s, `global.MaxLogAgeSecs`), if the lines were written just now"
SAMPLE = b"1777777777 INFO first\n  and its second line\n1777777778 bad\n"


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*words: str, sample: bytes = SAMPLE, pipeline: str = PIPELINE) -> Done:
        (tmp_path / "p.yaml").write_text(pipeline)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sample)))
        code = main(["parse", "--config", str(tmp_path / "p.yaml"), *words])
        return Done(code, *capsys.readouterr())

    return run


def test_events_are_shown_with_what_failed_and_why(parse) -> None:
    done = parse()
    assert [re.sub(r"\d+ \w+ old", "N d old", line) for line in done.err.splitlines()] == [
        "2 events in, 2 out, 1 failed, 0 discarded",
        "processors[0] processor_parse_regex_native: 1 event failed: `content` does not match `Regex`: `1777777778 bad`",
        "event times: 2026-05-03T03:09:37Z to 2026-05-03T03:09:37Z; a time without a zone is read as UTC+00:00",
        DISCARDED,
    ]
    lines = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in done.out.splitlines()]
    assert lines[0] == ["__time__", "t", "level", "message", "content"]
    assert lines[2] == ["2026-05-03T03:09:37Z", "1777777777", "INFO", "first\\n  and its second line"]
    assert lines[3] == ["(when read)", "1777777778 bad"]
    assert done.code == 4


def test_json_lines(parse) -> None:
    done = parse("--output", "json", sample=b"1777777777 INFO a\n")
    assert json.loads(done.out) == {"__time__": "2026-05-03T03:09:37Z", "t": "1777777777", "level": "INFO", "message": "a"}
    assert done.code == 0


def test_a_sample_may_be_a_file(parse, tmp_path: Path) -> None:
    (tmp_path / "sample.log").write_bytes(SAMPLE)
    done = parse(str(tmp_path / "sample.log"), "--output", "csv", sample=b"")
    assert done.out.splitlines()[0] == "__time__,t,level,message,content"


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (PIPELINE.replace("Keys: [t, level, message]", "Keys: [t, level]"), "p.yaml:8 processors[0].Keys: 2 names for 3 groups"),
        (
            PIPELINE.replace("'%s'", "${env:NOT_SET_ANYWHERE}"),
            "processors[1].SourceFormat: the environment variable `NOT_SET_ANYWHERE` is not set",
        ),
        ("{", "is not YAML"),
    ],
)
def test_a_bad_pipeline_is_exit_2(parse, pipeline: str, message: str) -> None:
    done = parse(pipeline=pipeline)
    assert done.code == 2
    assert message in done.err
    assert done.out == ""


def test_a_sample_that_is_not_there(parse) -> None:
    done = parse("/nowhere/sample.log")
    assert (done.code, done.err) == (2, "error: cannot read `/nowhere/sample.log`: no such file or directory\n")


def test_any_bytes_may_come(parse) -> None:
    done = parse(sample=b"\x00\xff\x1b[31m\r\n\n")
    assert done.code == 4
    assert "\x1b" not in done.out + done.err


def test_it_works_as_a_command_in_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    command = [sys.executable, "-m", "tailrace.cli.main", "parse", "--config", str(tmp_path / "p.yaml"), "--output", "csv"]
    done = subprocess.run(command, input=SAMPLE, capture_output=True, check=False, timeout=60)
    assert done.returncode == 4
    assert done.stdout.splitlines()[0] == b"__time__,t,level,message,content"


@pytest.mark.parametrize("hours", [8, -8])
def test_a_wrong_time_zone_shows_before_it_costs_events(parse, hours: int) -> None:
    local = datetime.now(UTC) - timedelta(hours=hours)
    pipeline = PIPELINE.replace("'%s'", "'%Y-%m-%dT%H:%M:%S'\n    SourceTimezone: GMT+00:00").replace(r"(\d+) (\w+)", r"(\S+) (\w+)")
    pipeline = pipeline.replace("    Multiline: {StartPattern: '\\d+ '}\n", "")
    done = parse(sample=f"{local:%Y-%m-%dT%H:%M:%S} INFO a line\n".encode(), pipeline=pipeline)
    assert ("1 event would be discarded: 8 h old, wrong time zone?" in done.err) == (hours > 0), done.err


def test_topic_and_tags_of_a_path(parse) -> None:
    pipeline = "global: {TopicType: filepath, TopicFormat: '/srv/(.*)/app.log'}\n" + PIPELINE
    done = parse("--path", "/srv/shop/app.log", sample=b"1777777777 INFO a\n", pipeline=pipeline)
    assert done.err.splitlines()[-2:] == ["topic: `shop`", "tag: `__path__` = `/srv/shop/app.log`"]
