"""kill -9 of the worker at random, while files grow and rotate: afterwards each event is at the target exactly once."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.agent.running import contents, wait_for


class RotatingWriter(threading.Thread):
    """Writes numbered lines; renames its file away after every `per_file` lines, as logrotate's `create` does."""

    def __init__(self, path: Path, *, count: int, per_file: int, per_second: int) -> None:
        super().__init__(daemon=True)
        self.path, self.count, self.per_file, self.per_second = path, count, per_file, per_second
        self.seen = threading.Event()
        """Set it when the agent has seen the file: what is rotated away before that is none of its business."""

    def run(self) -> None:
        began, rotations = time.monotonic(), 0
        file = self.path.open("w")
        for number in range(self.count):
            file.write(f"event {number:07d} {'x' * (number % 60)}\n")
            if number % 50 == 49:
                file.flush()
                time.sleep(max(0.0, began + number / self.per_second - time.monotonic()))
            if number % self.per_file == self.per_file - 1:
                self.seen.wait()
                file.close()
                rotations += 1
                self.path.rename(self.path.with_name(f"{self.path.name}.{rotations}"))
                file = self.path.open("w")
        file.close()


def must_be_each_once(contents, count):
    found = Counter(content[:13] for content in contents)
    missing = [number for number in range(count) if f"event {number:07d}" not in found]
    assert {name: times for name, times in found.items() if times > 1} == {}
    assert missing == []


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_killed_ten_times_while_a_rotating_file_is_written(agent, sink, pattern):
    chance = random.Random(11)
    sink.fault = lambda number: chance.choice([None, None, None, "slow", "lost answer", "500"])
    agent.enrol()
    agent.pipeline(FilePaths=[f"{agent.logs}/{pattern}"])
    count = 7_000
    writer = RotatingWriter(agent.logs / "app.log", count=count, per_file=600, per_second=1500)
    writer.start()
    for number in range(10):
        before = sink.requests
        agent.start()
        wait_for(lambda: sink.events)
        writer.seen.set()
        if number % 3 != 2:  # every third is killed while it starts
            wait_for(lambda before=before: sink.requests > before + chance.randrange(3) or not writer.is_alive())
        time.sleep(chance.uniform(0.0, 0.5))
        agent.kill()
    writer.join()
    sink.fault = lambda number: None
    agent.run_to_the_end()
    must_be_each_once(sink.contents(), count)


def size(out):
    return sum(len(data) for data in contents(out.parent.glob("events.jsonl*")))


def test_the_file_flusher_repeats_nothing_after_kill(agent, sink):
    out = agent.directory / "out" / "events.jsonl"
    agent.pipeline(flushers=[{"Type": "flusher_file", "FilePath": str(out), "MaxFileSize": 40_000, "MaxFiles": 1000}])
    chance = random.Random(5)
    count = 4000
    writer = RotatingWriter(agent.logs / "app.log", count=count, per_file=1000, per_second=1200)
    writer.start()
    for _ in range(5):
        before = size(out)
        agent.start()
        wait_for(lambda: size(out))
        writer.seen.set()
        wait_for(lambda before=before: size(out) > before or not writer.is_alive())
        time.sleep(chance.uniform(0.0, 0.3))
        agent.kill()
    writer.join()
    agent.run_to_the_end()
    lines = [line for path in out.parent.glob("events.jsonl*") if path.suffix != ".ledger" for line in path.read_text().splitlines()]
    must_be_each_once((line.split('"content":"')[1] for line in lines), count)


def test_a_stop_is_clean_and_quick(agent, sink):
    agent.enrol()
    agent.pipeline()
    writer = RotatingWriter(agent.logs / "app.log", count=3000, per_file=10_000, per_second=3000)
    writer.start()
    agent.start()
    wait_for(lambda: len(sink.events) > 100)
    began = time.monotonic()
    agent.stop()
    assert time.monotonic() - began < 5
    writer.join()
    agent.run_to_the_end()
    must_be_each_once(sink.contents(), 3000)
    assert sink.repeats == 0
