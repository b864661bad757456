"""The log's file stays within its bound, and comes through a bad disk by itself."""

import gzip
import logging
from pathlib import Path

import pytest

from tailrace.telemetry.log_file import LogFile


@pytest.fixture
def log(tmp_path: Path):
    """A handler with files of 1 000 bytes, of which three are kept."""
    (tmp_path / "logs").mkdir()
    handler = LogFile(tmp_path / "logs" / "a.log", lambda count: f"{count} missed", max_bytes=1000, kept=3)
    yield handler
    handler.close()


def say(handler: LogFile, text: str) -> None:
    handler.emit(logging.LogRecord("x", logging.INFO, __file__, 1, text, None, None))


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()


def test_a_full_file_is_compressed_and_no_line_is_lost(log: LogFile, tmp_path: Path):
    for number in range(40):
        say(log, f"{number:03d} {'x' * 95}")
    log.close()
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert files == ["a.log", "a.log.1.gz", "a.log.2.gz", "a.log.3.gz"]
    assert all((tmp_path / "logs" / name).stat().st_mode & 0o777 == 0o600 for name in files)
    oldest_first = [tmp_path / "logs" / name for name in ("a.log.3.gz", "a.log.2.gz", "a.log.1.gz", "a.log")]
    lines = "".join(text_of(path) for path in oldest_first).splitlines()
    assert [int(line[:3]) for line in lines] == list(range(40))


def test_the_oldest_is_dropped_at_the_bound(log: LogFile, tmp_path: Path):
    for number in range(100):
        say(log, f"{number:03d} {'x' * 95}")
    log.close()
    kept = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in kept] == ["a.log", "a.log.1.gz", "a.log.2.gz", "a.log.3.gz"]
    assert text_of(tmp_path / "logs" / "a.log.3.gz").startswith("060 ")


def test_a_file_that_another_process_moved_is_left_alone(log: LogFile, tmp_path: Path):
    say(log, "before")
    (tmp_path / "logs" / "a.log").rename(tmp_path / "logs" / "moved")
    say(log, "after")
    assert (tmp_path / "logs" / "moved").read_text() == "before\n"
    assert (tmp_path / "logs" / "a.log").read_text() == "after\n"


def test_lines_without_a_place_are_counted_and_told_when_there_is_one(log: LogFile, tmp_path: Path):
    logs = tmp_path / "logs"
    logs.rename(tmp_path / "away")
    say(log, "one")
    say(log, "two")
    logs.mkdir()
    say(log, "three")
    assert (logs / "a.log").read_text() == "2 missed\nthree\n"


def test_what_could_not_be_compressed_is_with_the_next(log: LogFile, tmp_path: Path):
    blocked = tmp_path / "logs" / "a.log.1.gz.tmp"
    blocked.mkdir()
    for number in range(11):
        say(log, f"{number:03d} {'x' * 95}")
    log._settle()
    assert (tmp_path / "logs" / "a.log.1").exists()
    blocked.rmdir()
    for number in range(11, 21):
        say(log, f"{number:03d} {'x' * 95}")
    log.close()
    assert text_of(tmp_path / "logs" / "a.log.2.gz").startswith("000 ")
    assert text_of(tmp_path / "logs" / "a.log.1.gz").startswith("010 ")
