"""Under a flood the agent keeps to its limits and to those of its control group, and nothing is lost."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from tests.faults.control_group import ControlGroup
from tests.faults.supervised import SupervisedAgent
from tests.integration.agent.running import wait_for
from tests.integration.agent.sink import Sink

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

REGEX = r"(\d+) (\w+) ((?!nothing).*)"
"""What looks ahead costs enough CPU for a flood to last."""
PARSER = {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": REGEX, "Keys": ["number", "word", "rest"]}
SLACK = 1.1
MIB = 1 << 20


class Scales(Sink):
    """Acknowledges everything, and keeps when how many raw bytes came."""

    def __init__(self) -> None:
        super().__init__()
        self.weighed: list[tuple[float, int]] = []

    def _store(self, request: web.Request, body: bytes) -> bool:
        self.weighed.append((time.monotonic(), int(request.headers["x-log-bodyrawsize"])))
        return True

    def most_within(self, secs: float) -> int:
        """Bytes in the fullest period of so many seconds."""
        return max(sum(size for at, size in self.weighed if start <= at < start + secs) for start, _ in self.weighed)


def flood(path: Path, mib: int) -> None:
    line = b"%s the quick brown fox jumps over the lazy dog and runs on through fields of barley, hedges and a brook\n"
    block = b"".join(line % (b"%08d" % number) for number in range(10_000))
    with path.open("ab") as out:
        while out.tell() < mib * MIB:
            out.write(block)


@pytest.fixture
def scales() -> Iterator[Scales]:
    made = Scales()
    made.start()
    yield made
    made.stop()


def to(scales: Scales, directory: Path, settings: str) -> SupervisedAgent:
    """An agent with a parser that sends to the scales."""
    made = SupervisedAgent(directory, settings=settings)
    made.agent.endpoint = scales.endpoint
    made.agent.enrol()
    made.agent.pipeline(processors=[PARSER])
    return made


def test_cpu_and_memory_stay_within_their_limits(tmp_path: Path, scales: Scales):
    with to(scales, tmp_path, "cpu_usage_limit: 0.1\nmem_usage_limit: 128\nmax_bytes_per_sec: 0\n") as agent:
        flood(agent.log, 800)
        agent.start()
        wait_for(lambda: scales.weighed, "the first bytes", 60)
        worker, began, most = agent.worker, time.monotonic(), 0
        before = sum(worker.cpu_times()[:2])
        while time.monotonic() < began + 30:
            most = max(most, worker.memory_info().rss)
            time.sleep(0.2)
        cores = (sum(worker.cpu_times()[:2]) - before) / (time.monotonic() - began)
        print(f"cpu {cores:.3f} of 0.1 cores, rss {most >> 20} of 128 MiB")
        assert 0.05 < cores <= 0.1 * SLACK
        assert most <= 128 * MIB * SLACK
        shown = subprocess.run(
            [sys.executable, "-m", "tailrace.cli.main", "agent", "status", "--home", str(agent.home)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "limited by cpu" in shown.stdout
        assert agent.reports() == []


def test_the_bandwidth_stays_within_its_limit(tmp_path: Path, scales: Scales):
    with to(scales, tmp_path, f"cpu_usage_limit: 2\nmax_bytes_per_sec: {8 * MIB}\n") as agent:
        flood(agent.log, 320)
        agent.start()
        wait_for(lambda: scales.weighed, "the first bytes", 60)
        time.sleep(30)
        most = scales.most_within(10)
        print(f"bandwidth {most / 10 / MIB:.3f} of 8 MiB/s")
        assert 4 * MIB * 10 < most <= 8 * MIB * 10 * 1.05


@pytest.mark.peer
def test_a_control_group_is_kept_to_though_the_settings_allow_more(tmp_path: Path, scales: Scales):
    settings = "cpu_usage_limit: 2\nmem_usage_limit: 1024\nmax_bytes_per_sec: 0\n"
    with ControlGroup(cores=0.3, memory_bytes=192 * MIB) as group, to(scales, tmp_path, settings) as agent:
        flood(agent.log, 600)
        agent.agent.command = [*group.enter, *agent.agent.command]
        agent.start()
        wait_for(lambda: scales.weighed, "the first bytes", 60)
        worker, began, most = agent.worker, time.monotonic(), 0
        before = sum(worker.cpu_times()[:2])
        while time.monotonic() < began + 30:
            most = max(most, worker.memory_info().rss)
            time.sleep(0.2)
        cores = (sum(worker.cpu_times()[:2]) - before) / (time.monotonic() - began)
        throttled = group.throttled
        print(f"cpu {cores:.3f} of 0.3 cores, {throttled} periods throttled, rss {most >> 20} of {int(192 * 0.8)} MiB")
        assert cores <= 0.3 * SLACK
        assert most <= 192 * MIB * 0.8 * SLACK
        assert agent.reports() == []  # nobody was killed for its memory
        assert psutil.pid_exists(worker.pid)


def test_more_files_than_handles_are_all_read(tmp_path: Path):
    """Those that are read to their end are closed for the others; the agent's own handles are not for files."""
    with SupervisedAgent(tmp_path, settings="max_open_files: 64\nprocess_thread_count: 1\n") as agent:
        agent.start()
        worker, most = agent.worker, 0
        assert worker is not None
        for number in range(120):
            agent.write(number * 10, 10, agent.agent.logs / f"{number}.log")
        for number in range(120):
            agent.write(1200 + number * 10, 10, agent.agent.logs / f"{number}.log")
        until = time.monotonic() + 300
        while len(agent.found()) < 2400:
            assert time.monotonic() < until, len(agent.found())
            most = max(most, worker.num_fds())
            time.sleep(0.02)
        most = max(most, worker.num_fds())  # what was read stays open for minutes
        print(f"{most} handles, {worker.num_threads()} threads")
        assert 32 < most <= 64
        assert sorted(agent.found()) == list(range(2400))
        assert agent.reports() == []


def test_whatever_is_done_to_the_worker_nothing_is_lost_or_there_twice(tmp_path: Path):
    """Killed and stopped again and again while it keeps to a limit; what is written meanwhile comes once."""
    with SupervisedAgent(tmp_path, settings="hang_secs: 5\ncpu_usage_limit: 0.3\n") as agent:
        agent.start()
        count = 0
        for turn in range(8):
            agent.write(count, 5000)
            count += 5000
            worker = agent.worker
            worker.suspend() if turn % 2 else worker.kill()
            agent.write(count, 5000)
            count += 5000
            agent.replaced(worker.pid, within=120)
        agent.wait_for_lines(count, within=120)
        assert sorted(agent.found()) == list(range(count))
