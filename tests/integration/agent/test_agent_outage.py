"""A long outage, with more data than memory and spool can hold: files wait, nothing grows, nothing is lost, others notice nothing."""

import os
import time
from pathlib import Path

import psutil

from tests.integration.agent.running import wait_for
from tests.integration.agent.test_agent_spool import kept_bytes

SPOOL_BYTES = 4_194_304


def line(number: int) -> str:
    """1 kB that compression makes little of."""
    return f"event {number:07d} {os.urandom(480).hex()}"


def is_in(file: Path, text: str) -> bool:
    return file.exists() and text in file.read_text()


def test_an_outage_with_far_more_data_than_the_spool_holds(agent, sink, tmp_path):
    sink.fault = lambda number: "503"
    agent.enrol()
    agent.pipeline(FilePaths=[f"{agent.logs}/a.log"])
    out = agent.home / "out" / "fresh.jsonl"
    agent.pipeline("other", FilePaths=[f"{agent.logs}/fresh.log"], flushers=[{"Type": "flusher_file", "FilePath": str(out)}])
    (agent.home / "agent.yaml").write_text(f"buffer_file_num: 1\nbuffer_file_size: {SPOOL_BYTES * 2}\n")  # two targets: half of it each
    lines = [line(number) for number in range(30_000)]
    (agent.logs / "a.log").write_text("".join(f"{text}\n" for text in lines))
    agent.start()
    wait_for(lambda: kept_bytes(agent.home) > 0.4 * SPOOL_BYTES, "the spool is full", 40)
    before = psutil.Process(agent.process.pid).memory_info().rss
    for number in range(5):
        with (agent.logs / "fresh.log").open("a") as file:
            file.write(f"fresh {number}\n")
        began = time.monotonic()
        wait_for(lambda number=number: is_in(out, f"fresh {number}"), "a fresh line of another target")
        assert time.monotonic() - began < 9.0
    assert psutil.Process(agent.process.pid).memory_info().rss - before < 40 << 20
    assert kept_bytes(agent.home) <= SPOOL_BYTES
    assert not sink.events
    sink.fault = lambda number: None
    wait_for(lambda: len(sink.events) >= len(lines), "everything arrives", 60)
    arrived = sorted(sink.events, key=lambda event: int(event["__tag__:__pack_id__"].rpartition("-")[2], 16))
    assert [event["content"] for event in arrived] == lines
    wait_for(lambda: kept_bytes(agent.home) == 0, "the spool is empty again")
    agent.stop()
