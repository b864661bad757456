"""Files for blocks: reused as they are, given back when nobody needs them, never reused after a failure."""

import os
import sys
from pathlib import Path

import pytest

from tailrace.batch import EventBatch
from tailrace.server.store import columns
from tailrace.server.store.block_file import BlockFiles

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere these are temporary files")


def blocks() -> list[str]:
    """Our files in memory."""
    names = [os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{one}")]
    return [name for name in names if "tailrace-block" in name]


@pytest.fixture
def files(tmp_path: Path):
    made = BlockFiles(tmp_path)
    yield made
    made.trim(0)
    assert blocks() == []


def test_a_file_serves_one_block_after_the_other(files: BlockFiles) -> None:
    with files.take() as first:
        pass
    with files.take() as second, files.take() as third:
        assert second == first
        assert third != second
        assert len(blocks()) == 2


def test_after_a_failure_nobody_gets_the_file(files: BlockFiles) -> None:
    with pytest.raises(OSError, match="the engine may still read it"), files.take():
        raise OSError("the engine may still read it")
    assert blocks() == []


def test_what_nobody_used_for_long_is_given_back(files: BlockFiles) -> None:
    with files.take():
        pass
    files.trim()
    assert len(blocks()) == 1
    files.trim(0)
    assert blocks() == []


def test_nothing_of_a_longer_block_is_left_behind_a_shorter_one(files: BlockFiles) -> None:
    def rows(count: int) -> list[tuple[columns.Placement, EventBatch]]:
        return [(columns.Placement(1, 0, 0, 0), EventBatch.from_events([(1, [(b"k", b"v%d" % n)]) for n in range(count)]))]

    with files.take() as path:
        columns.write_block(path, rows(1))
        short = path.read_bytes()
        columns.write_block(path, rows(500))
        assert path.stat().st_size > len(short)
        columns.write_block(path, rows(1))
        assert path.read_bytes() == short
