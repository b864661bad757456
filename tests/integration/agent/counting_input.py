"""An input without files, as a binlog reader is one: it has a position that only itself understands, and acknowledges when data is durable.

Run as a program it is the agent with this input registered. `Source` stands for the database: numbered transactions up to `Last`.
"""

import sys
import threading
import time

from tailrace.batch import EventBatch, fingerprint
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import input_plugin

PER_RANGE = 7
SERVER_ID = "3E11FA47-71CA-11E1-9E33-C80AA9429562"


class CountingConfig(PluginConfig):
    """What is counted."""

    last: int = option(doc="Number of the last transaction.", ge=0)
    pause_ms: int = option(0, doc="Pause between two ranges.", unit="ms", ge=0)
    acknowledged: str = option(
        "", doc="File that gets the last durable position of each flusher's lane, as the source's own acknowledgement."
    )


def gtid(last):
    return {"v": 3, "gtid": f"{SERVER_ID}:1-{last}", "note": {"opaque": [last, None]}}


def last_of(position):
    return int(position["gtid"].rpartition("-")[2])


@input_plugin("input_counting")
class InputCounting:
    """Implements `Input`."""

    Config = CountingConfig
    key = f"input_counting:{SERVER_ID}"

    def __init__(self, config):
        self.config = config
        self.drained = False
        self._stopping = threading.Event()

    @classmethod
    def sample(cls):
        return {"Last": 10}

    def start(self, context):
        self._thread = threading.Thread(target=self._run, args=(context,), daemon=True)
        self._thread.start()

    def stop(self, deadline):
        self._stopping.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def update(self, config):
        return False

    def replay(self, context, stream, done):
        batch, digest = self._batch(done.start, done.end)
        return batch if digest == done.fingerprint else None

    def on_durable(self, done):
        if self.config.acknowledged:
            with open(self.config.acknowledged, "a") as file:
                file.write(f"{last_of(done.position)}\n")

    def _run(self, context):
        state = next(iter(context.streams), None)
        position = state.next if state else gtid(0)
        stream = context.open_stream("transactions", position)
        while (at := last_of(position)) < self.config.last and not self._stopping.wait(self.config.pause_ms / 1000):
            end = min(at + PER_RANGE, self.config.last)
            batch, digest = self._batch(at, end)
            position = gtid(end)
            done = {"start": at, "end": end, "position": position, "fingerprint": digest, "readable_at": 0}
            if not context.submit(batch, stream=stream, **done):
                return
        self.drained = last_of(position) >= self.config.last

    def _batch(self, start, end):
        contents = [f"transaction {number}".encode() for number in range(start + 1, end + 1)]
        return EventBatch.from_events([(0, [(b"content", content)]) for content in contents]), fingerprint(b"".join(contents))


if __name__ == "__main__":
    from tailrace.cli.main import main

    sys.exit(main())
