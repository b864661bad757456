"""Log lines: where they go, what they carry, what they never carry."""

import asyncio
import json
import logging
import stat
from pathlib import Path

import pytest

from tailrace import telemetry


@pytest.fixture
def lines(tmp_path: Path):
    """Set telemetry up on a fresh directory; a function that reads its JSON lines."""
    telemetry.setup("test", level="debug", directory=tmp_path)
    yield lambda: [json.loads(line) for line in (tmp_path / "test.log").read_text().splitlines()]
    for handler in [h for h in logging.getLogger().handlers if getattr(h, "tailrace", False)]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_a_line_says_when_how_bad_where_what_and_its_values(lines):
    telemetry.logger("agent.reader").info("file opened", path="/var/log/a.log", size=12)
    (line,) = lines()
    assert line["level"] == "info"
    assert line["logger"] == "agent.reader"
    assert line["event"] == "file opened"
    assert (line["path"], line["size"], line["role"]) == ("/var/log/a.log", 12, "test")
    assert line["time"].endswith("+00:00")


def test_stderr_gets_readable_text_and_stdout_stays_free_for_data(lines, capsys):
    telemetry.setup("test")
    telemetry.logger("server").warning("disk is nearly full", path="/a b", free_bytes=3)
    out = capsys.readouterr()
    assert out.out == ""
    assert "warning server: disk is nearly full  path='/a b'  free_bytes=3" in out.err


def test_what_is_below_the_level_is_not_written(lines, tmp_path):
    telemetry.setup("quiet", level="warning", directory=tmp_path)
    telemetry.logger("a").info("chatter")
    assert (tmp_path / "quiet.log").read_text() == ""


def test_lines_of_libraries_come_through_the_same_handlers(lines):
    logging.getLogger("somelibrary").warning("retrying %s with password=%s", "x", "hunter2")
    (line,) = lines()
    assert line["logger"] == "somelibrary"
    assert line["event"] == "retrying x with password=***"


async def test_a_mark_is_on_every_line_of_its_task_and_on_none_of_others(lines):
    async def request() -> None:
        telemetry.mark(request_id="5F3A")
        telemetry.logger("api").info("inside")

    await asyncio.create_task(request())
    telemetry.logger("api").info("outside")
    inside, outside = lines()
    assert inside["request_id"] == "5F3A"
    assert "request_id" not in outside


def test_an_exception_carries_its_trace(lines):
    try:
        int("bad")
    except ValueError:
        telemetry.logger("x").exception("cannot parse")
    (line,) = lines()
    assert line["level"] == "error"
    assert "ValueError: invalid literal" in line["exception"]


def test_secrets_are_not_in_the_file(lines):
    telemetry.logger("x").info("enrolled", access_key_secret="s3cr3t", headers={"Authorization": "LOG id:s3cr3t"}, url="http://u:s3cr3t@h/")
    (line,) = lines()
    assert "s3cr3t" not in json.dumps(line)
    assert line["access_key_secret"] == "***"


def test_a_repeated_warning_is_written_once_and_another_path_is_another_message(lines):
    log = telemetry.logger("repeat")
    for path in ("/a", "/b"):
        for attempt in range(5):
            log.warning("cannot open", path=path, attempt=attempt)
    assert [(line["path"], line["attempt"]) for line in lines()] == [("/a", 0), ("/b", 0)]


def test_repeated_lines_below_warning_are_all_written(lines):
    for _ in range(3):
        telemetry.logger("repeat").info("request done")
    assert len(lines()) == 3


def test_the_log_file_is_for_its_owner_only(lines, tmp_path):
    assert stat.S_IMODE((tmp_path / "test.log").stat().st_mode) == 0o600
