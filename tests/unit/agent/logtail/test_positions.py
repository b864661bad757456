"""Where files go on of which a Logtail knew, and those of which it did not."""

import os
from pathlib import Path
from typing import Any

import pytest

from tailrace.agent.logtail.positions import Taken, take
from tailrace.agent.logtail.remains import Mark
from tailrace.agent.logtail.signature import signature
from tailrace.agent.platform import current
from tailrace.inputs.file.config import FileConfig

LATER = 7200.0
"""Seconds: birth times cannot be set, so that what is to be old is looked at from the future."""


def mark(path: Path, offset: int, **changes: Any) -> Mark:
    status, head = path.stat(), path.read_bytes()[: min(offset, 1024)]
    known = {"path": str(path), "device": status.st_dev, "inode": status.st_ino, "offset": offset, "sig_size": len(head)}
    return Mark(**{**known, "sig_hash": signature(head), "config": "app", "updated": int(status.st_mtime), "place": 0, **changes})


def taken(directory: Path, *marks: Mark, marked_at: float, tail_kb: int = 0) -> Taken:
    config = FileConfig.model_validate({"FilePaths": [f"{directory}/*.log"], "TailSizeKB": tail_kb})
    return take(config, marks, marked_at=marked_at, platform=current())


def offsets(result: Taken) -> dict[str, int]:
    """By the name that a file had in Logtail."""
    files = [position for position in result.streams.values() if "path" in position]
    return {Path(str(position["path"])).name: int(position["offset"]) for position in files}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_text("one\ntwo\nthree\n")
    return path


def test_a_known_file_goes_on_at_its_position(log: Path) -> None:
    now = log.stat().st_mtime
    assert offsets(taken(log.parent, mark(log, 8), marked_at=now)) == {"a.log": 8}
    assert offsets(taken(log.parent, mark(log, 0), marked_at=now)) == {"a.log": 0}


def test_a_file_that_holds_something_else_now_begins_anew_and_what_it_held_is_gone(log: Path) -> None:
    known = mark(log, 8)
    log.write_text("other than before\n")
    result = taken(log.parent, known, marked_at=log.stat().st_mtime + LATER)
    assert (offsets(result), result.gone) == ({"a.log": 0}, [known])


def test_another_device_number_is_no_other_file(log: Path) -> None:
    assert offsets(taken(log.parent, mark(log, 4, device=1), marked_at=log.stat().st_mtime)) == {"a.log": 4}


@pytest.mark.parametrize(("first", "second"), [((4, 100), (8, 200)), ((8, 200), (4, 100)), ((4, 100), (8, 100))])
@pytest.mark.parametrize("link", ["a.log", "b.log"])
def test_of_two_positions_of_one_file_the_newer_one_holds(log: Path, first: tuple[int, int], second: tuple[int, int], link: str) -> None:
    """Offset, and when it was written; under one name or two."""
    if link != log.name:
        (log.parent / link).hardlink_to(log)
    marks = mark(log, first[0], updated=first[1]), mark(log.parent / link, second[0], updated=second[1])
    result = taken(log.parent, *marks, marked_at=log.stat().st_mtime)
    assert set(offsets(result).values()) == {8}
    assert [mark.offset for mark, *_ in result.goes_on.values()] == [8]


def test_an_unknown_file_is_read_from_its_beginning_when_it_is_younger_than_the_positions(log: Path) -> None:
    assert offsets(taken(log.parent, marked_at=log.stat().st_mtime)) == {"a.log": 0}


def test_an_unknown_file_that_is_older_goes_on_at_its_end(log: Path) -> None:
    with log.open("a") as file:
        file.write("begun")
    assert offsets(taken(log.parent, marked_at=log.stat().st_mtime + LATER)) == {"a.log": len("one\ntwo\nthree\n")}


def test_one_that_was_written_to_since_goes_on_at_its_last_part(log: Path) -> None:
    log.write_text("x" * 2000 + "\nlast\n")
    marked_at = log.stat().st_mtime + LATER
    os.utime(log, (marked_at + 1, marked_at + 1))
    assert offsets(taken(log.parent, marked_at=marked_at, tail_kb=1)) == {"a.log": 2001}


def test_a_position_without_its_file_is_told_as_gone(log: Path) -> None:
    known = mark(log, 8)
    log.unlink()
    assert taken(log.parent, known, marked_at=0.0).gone == [known]


def test_what_appears_later_is_new(log: Path) -> None:
    """A mark says that the pattern was searched before."""
    marks = {key: position for key, position in taken(log.parent, marked_at=1000.0).streams.items() if key.startswith("scanned:")}
    assert [position["scanned_at"] for position in marks.values()] == [1_000_000_000_000]
