"""A checkpoint at work, and what the next start finds of it."""

import threading

from tailrace.agent.checkpoint import CheckpointWriter, StreamRow, open_checkpoint
from tailrace.pipeline.contract import Range

STREAM = "00000000000000AA"


def row(id_=STREAM, **changes):
    values = {"target": "t", "input": "i", "key": id_, "committed": {"v": 1, "at": 0}, "next": {"v": 1, "at": 0}, "next_sequence": 0}
    return StreamRow(id_, **{**values, **changes})


def prepared(sequence, stream=STREAM):
    return Range(
        stream,
        sequence,
        sequence * 10,
        sequence * 10 + 10,
        {"v": 1, "at": sequence * 10 + 10},
        b"f" * 16,
        "config",
        sequence + 1_800_000_000_000_000_000,
    )


class Opened:
    """A checkpoint with a running writer, whose operations can be waited for."""

    def __init__(self, directory):
        opened = open_checkpoint(directory)
        self.content, self.database = opened.content, opened.database
        self.writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
        self.writer.start()
        self.row = opened.content.streams.get(STREAM, row())

    def prepare(self, *sequences):
        done = threading.Event()
        self.writer.prepare([(self.row, prepared(sequence), 1) for sequence in sequences], done.set)
        assert done.wait(5)

    def acknowledge(self, *sequences, prefix=None):
        done = threading.Event()
        through = None if prefix is None else (prefix, prepared(prefix).position)
        self.writer.acknowledge(self.row, sequences, through, done.set)
        assert done.wait(5)


def state(directory):
    """(committed, next, next sequence, sequences still prepared) as the next start finds them."""
    opened = open_checkpoint(directory)
    opened.database.close()
    found = opened.content.streams[STREAM]
    return found.committed["at"], found.next["at"], found.next_sequence, [one.sequence for one in opened.content.ranges.get(STREAM, [])]


def as_a_crash_leaves_it(directory):
    copy = directory / "as a crash leaves it"
    copy.mkdir()
    for path in directory.glob("checkpoint.db*"):
        (copy / path.name).write_bytes(path.read_bytes())
    return copy
