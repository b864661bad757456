"""A process that keeps things as the agent and the server do, and says in a file `told` what it has been promised. Run under `strace`.

python keeping.py DIRECTORY STEPS
"""

import os
import sys
import threading
from collections import deque
from pathlib import Path

from tailrace.agent.checkpoint import CheckpointWriter, StreamRow, open_checkpoint
from tailrace.agent.diagnostics.outbox import Outbox
from tailrace.agent.spool import Kept, Ref, Spool
from tailrace.journal import Journal
from tailrace.pipeline.contract import Identity, Payload, Range
from tailrace.wire.internal_logs import STATUS

STREAM = "00000000000000AA"
CHECKPOINT_COPIES = 40
"""A copy of the checkpoint is made after so many steps."""


def body(number: int) -> bytes:
    return b"%d." % number * (number * 37 % 300 + 1)


def kept(number: int) -> Kept:
    position = {"v": 1, "offset": number * 10 + 10}
    done = Range(STREAM, number, number * 10, number * 10 + 10, position, b"f" * 16, "config")
    payload = Payload(Identity(b"e" * 16, STREAM, number, done.start, done.end, b"f" * 16), body(number), 100, "none", 1)
    return Kept(StreamRow(STREAM, "target", "input", "1:2:3", {"v": 1}, {"v": 1}, 0), done, 1, [payload])


def main(home: Path, steps: int) -> None:
    told = os.open(home / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(what: str, number: int) -> None:
        os.write(told, f"{what} {number}\n".encode())

    opened = open_checkpoint(home / "agent")
    writer = CheckpointWriter(opened.database, opened.content.streams, opened.content.configs)
    writer.start()
    spool = Spool(home, segment_bytes=16_384)
    shelf = spool.shelf("target")
    journal = Journal(home / "journal", segment_bytes=8_192)
    outbox = Outbox(home / "diagnostics")
    outbox.position("there")
    waiting: deque[tuple[Kept, Ref]] = deque()
    for number in range(1, steps):
        one = kept(number)
        durable = threading.Event()
        writer.prepare([(one.stream, one.range, 1)], durable.set)
        durable.wait()
        tell("prepared", number)
        waiting.append((one, shelf.write([one])[0]))
        tell("spooled", number)
        journal.append([(1, body(number))])
        journal.sync()
        tell("journalled", number)
        if number % 3 == 0:
            for _ in range(min(len(waiting), number % 5)):
                done, ref = waiting.popleft()
                tell("acknowledging", done.range.sequence)
                writer.acknowledge(done.stream, [done.range.sequence], (done.range.sequence, done.range.position), lambda: None)
                durable = threading.Event()
                writer.barrier(durable.set)
                durable.wait()
                tell("acknowledged", done.range.sequence)
                shelf.release([ref])
        if number % 4 == 0:
            outbox.put(STATUS, "", number, [{"n": str(number)}])
            tell("said", number)
        if number % 20 == 0:
            tell("delivering", number)
            outbox.sent("there", number // 4, 5)
            tell("delivered", number)
        if number % CHECKPOINT_COPIES == 0:
            writer._copy()
    os._exit(0)  # as a kill would


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
