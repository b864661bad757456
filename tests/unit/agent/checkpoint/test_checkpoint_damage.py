"""Whatever happens to the bytes of a checkpoint, the agent starts: with all that was in it, with its copy, or anew under another epoch."""

import os
import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.agent.checkpoint import CheckpointWriter, StreamRow, open_checkpoint
from tailrace.agent.checkpoint.rows import Content
from tailrace.pipeline.contract import Range

STREAMS = [f"{number:016X}" for number in range(1, 9)]


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A directory whose fsync costs nothing, where the system has one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else tmp_path) as directory:
        yield Path(directory)


def a_real_one(directory: Path) -> tuple[dict[str, bytes], Content]:
    """The files of a checkpoint as a kill leaves them, and what they hold."""
    opened = open_checkpoint(directory)
    writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
    writer.start()
    durable = threading.Event()
    writer.keep_config("config", "inputs: []")
    for id_ in STREAMS:
        row = StreamRow(id_, "target", "input", id_, {"v": 1, "at": 0}, {"v": 1, "at": 0}, 0)
        ranges = [Range(id_, number, number * 10, number * 10 + 10, {"v": 1, "at": number}, b"f" * 16, "config") for number in range(4)]
        writer.prepare([(row, one, 1) for one in ranges], durable.set)
    writer.barrier(durable.set)
    assert durable.wait(10)
    files = {path.name: path.read_bytes() for path in directory.iterdir() if "shm" not in path.name}
    writer.stop()
    return files, open_again(directory, files)


def open_again(directory: Path, files: dict[str, bytes]) -> Content:
    for path in directory.iterdir():
        path.unlink()
    for name, data in files.items():
        (directory / name).write_bytes(data)
    opened = open_checkpoint(directory)
    opened.database.close()
    return opened.content


def mutations(files: dict[str, bytes], count: int | None) -> Iterator[tuple[str, bytes]]:
    """Every truncation and every flipped byte of every file, or `count` of them, with the first and the last bytes among them."""
    every = [(name, cut, at) for name, data in files.items() for cut in (True, False) for at in range(len(data))]
    edges = [one for one in every if one[2] < 100]
    chosen = every if count is None else random.Random(7).sample(every, count - count // 4) + edges[: count // 4]
    for name, cut, at in chosen:
        data = files[name]
        yield name, data[:at] if cut else data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


@pytest.mark.parametrize("count", [150, pytest.param(None, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_whatever_happens_to_its_bytes_it_opens_and_tells_no_lies(in_memory: Path, count: int | None) -> None:
    files, whole = a_real_one(in_memory)
    assert len(whole.ranges) == len(STREAMS)
    for name, data in mutations(files, count):
        found = open_again(in_memory, {**files, name: data})
        if found.rolled_back:
            assert found.epoch != whole.epoch
        # What is there is true: a torn end of the write-ahead log takes the newest transactions with it, and nothing else is lost.
        assert all(ranges == whole.ranges[id_][: len(ranges)] for id_, ranges in found.ranges.items())
        assert all(found.streams[id_].key == whole.streams[id_].key for id_ in found.streams)
