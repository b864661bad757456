"""The limits of the agent: what holds, how it slows down, and that it says so."""

import threading
import time
from pathlib import Path

import pytest

from tailrace.agent.delivery.bandwidth import Bandwidth
from tailrace.agent.delivery.share import Share
from tailrace.agent.guard import Guard, Limits
from tailrace.agent.guard.allowance import CpuAllowance
from tailrace.agent.guard.guard import WINDOW
from tailrace.agent.platform import Given, Usage, current, processes
from tailrace.agent.platform.linux_given import given
from tailrace.agent.settings.settings import AgentSettings

MIB = 1 << 20


class Clock:
    """Time, and CPU that a process has used."""

    def __init__(self) -> None:
        self.at = self.cpu = 0.0

    def now(self) -> float:
        return self.at

    def used(self) -> float:
        return self.cpu


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("cores", [0.1, 0.4, 2.0])
def test_the_mean_over_any_half_minute_keeps_to_the_allowance(cores: float, cost: float):
    clock, spent = Clock(), list[tuple[float, float]]()
    allowance = CpuAllowance(cores, clock.used, clock.now)
    while clock.at < 120:
        clock.at += 1e-6 if allowance.take() else max(1e-6, allowance.due_in())
        clock.at += cost / 8  # eight threads at once
        clock.cpu += cost
        spent.append((clock.at, clock.cpu))
    for begin, before in spent[:: len(spent) // 50 + 1]:
        window = [cpu for at, cpu in spent if begin <= at <= begin + 30]
        assert window[-1] - before <= cores * 30 * 1.1 + cost
    assert spent[-1][1] >= cores * 120 * 0.95


def test_work_that_nobody_can_hold_back_slows_reading_and_never_stops_it():
    clock = Clock()
    allowance = CpuAllowance(0.4, clock.used, clock.now)
    reads = 0
    for _ in range(1000):
        clock.at, clock.cpu = clock.at + 0.1, clock.cpu + 0.1
        reads += allowance.take()
    assert 9 <= reads <= 30


def test_a_limit_that_rises_is_there_at_once():
    clock = Clock()
    allowance = CpuAllowance(0.1, clock.used, clock.now)
    clock.cpu += 0.25
    assert allowance.due_in() == pytest.approx(1.5)
    allowance.cores = 1.0
    assert allowance.due_in() == pytest.approx(0.15)


def test_bandwidth_of_any_ten_seconds_keeps_to_the_rate():
    clock, sent = Clock(), list[tuple[float, int]]()
    bandwidth = Bandwidth(20 * MIB, clock.now)
    for number in range(900):
        size = (64 << 10) * (1 + number % 17)
        clock.at += bandwidth.book(size)
        sent.append((clock.at, size))
        if number == 300:
            clock.at += 5  # a pause saves nothing up
    for begin, _ in sent[::20]:
        assert sum(size for at, size in sent if begin <= at < begin + 10) <= 20 * MIB * 10 * 1.05
    assert Bandwidth(0).book(1 << 40) == 0


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({"a/b/cpu.max": "50000 100000", "a/cpu.max": "max 100000", "a/memory.max": "268435456"}, "0::/a/b\n", (0.5, 268435456)),
        ({"cpu.max": "20000 100000", "memory.max": "max"}, "0::/gone/in/a/container\n", (0.2, 0)),
        (
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "30000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
                "memory/x/memory.limit_in_bytes": "9223372036854771712", "memory/memory.limit_in_bytes": "100000000",
            },
            "5:memory:/x\n4:cpu,cpuacct:/x\n1:name=systemd:/x\n",
            (0.3, 100000000),
        ),
        ({}, "0::/\n", (None, 0)),
    ],
)  # fmt: skip
def test_what_a_control_group_gives(tmp_path: Path, files: dict[str, str], own: str, expected: tuple[float | None, int]):
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(f"{text}\n")
    (tmp_path / "own").write_text(own)
    found = given(tmp_path / "cgroup", tmp_path / "own")
    assert (found.cores, found.memory_bytes) == (expected[0] or found.cores, expected[1])
    assert found.cores > 0


def test_no_limit_is_wider_than_what_the_control_group_gives():
    settings = AgentSettings(cpu_usage_limit=2.0, mem_usage_limit=384, scaled_cpu_usage_limit=8.0, resource_auto_scale=True)
    limits = Limits.of(settings, Given(0.5, 200 * MIB))
    assert (limits.cores, limits.idle_cores, limits.memory_bytes, limits.threads) == (0.5, 0.5, 160 * MIB, 1)
    roomy = Limits.of(settings, Given(16.0))
    assert (roomy.cores, roomy.idle_cores, roomy.memory_bytes, roomy.threads) == (2.0, 8.0, 384 * MIB, 8)


def guard(**limits) -> Guard:
    return Guard(Limits(**limits), current(), processes())


def test_who_may_not_read_is_called_back_when_it_may():
    one = guard(cores=0.01)
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    called = threading.Event()
    assert not one.may_read(called.set)
    with one.watching(list):
        assert called.wait(10)
    assert one.wait(threading.Event())


def test_one_that_is_stopped_does_not_wait():
    one = guard(cores=0.1)
    stopping = threading.Event()
    stopping.set()
    assert not one.wait(stopping)


def test_without_limits_nothing_waits():
    one = guard()
    assert one.may_read(lambda: None)
    assert one.report() == {"cpu_limit": 0.0, "memory_limit": 0, "over_limit_secs": 300, "limited_by": []}


class Holding:
    """`Processes` that say how much memory is held."""

    rss = 0

    def usage(self, _pid: int) -> Usage:
        return Usage(0.0, self.rss, 1)


def test_near_the_memory_limit_less_waits_and_at_it_nothing_is_read_until_it_is_sent():
    system, share = Holding(), Share("target", 8 * MIB)
    one = Guard(Limits(memory_bytes=100 * MIB), current(), system)
    share.take(3 * MIB)
    for rss, limit, may_read in ((50, 8, True), (95, 2, True), (101, 2, False)):
        system.rss = rss * MIB
        one._look([share])
        assert (share.limit, one.may_read(lambda: None)) == (limit * MIB, may_read)
    for _ in range(WINDOW):
        one._look([share])
    assert one.limited_by == ["memory"]
    share.give_back(3 * MIB)
    one._look([share])
    assert one.may_read(lambda: None)


def test_an_idle_machine_gives_more_where_it_is_allowed():
    ticks = [0.0, 0.0]

    class Machine:
        def machine_cpu(self) -> tuple[float, float]:
            return ticks[0], ticks[1]

    one = Guard(Limits(cores=0.4, idle_cores=2.0, idle_below=0.4), Machine(), processes())

    def pass_seconds(count: int, share: float) -> float:
        for _ in range(count):
            ticks[0] += share
            ticks[1] += 1.0
            one._look([])
        return one.cpu.cores

    assert [pass_seconds(4, 0.1), pass_seconds(1, 0.1), pass_seconds(1, 0.9), pass_seconds(5, 0.3)] == [0.4, 2.0, 0.4, 2.0]
