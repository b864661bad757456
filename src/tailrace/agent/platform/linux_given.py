"""What the machine and the control group of this process give it: cgroup v1 and v2, and the machine's own use of its CPUs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tailrace.agent.platform.port import Given

ROOT: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")
MACHINE: Final = Path("/proc/stat")
NO_LIMIT: Final = 1 << 60
"""cgroup v1 says "none" with a number near 2^63."""


def given(root: Path = ROOT, own: Path = OWN) -> Given:
    """The tightest bounds of this process's group and of all that it lies in."""
    cores, memory = [float(len(os.sched_getaffinity(0)))], list[int]()
    for directory in _groups(root, own):
        cores += _quota_v2(directory / "cpu.max")
        cores += _quota_v1(directory / "cpu.cfs_quota_us", directory / "cpu.cfs_period_us")
        memory += [*_numbers(directory / "memory.max"), *_numbers(directory / "memory.limit_in_bytes")]
    return Given(min(cores), min((size for size in memory if 0 < size < NO_LIMIT), default=0))


def machine_cpu() -> tuple[float, float]:
    """(busy, all) ticks of all CPUs since the start of the machine: proc(5), idle and iowait are the fourth and fifth."""
    ticks = [float(word) for word in MACHINE.read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """Directories of the groups, from this process's up to the root of each hierarchy. In a container the path may not exist: its own group
    is the root there."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        base = root / controllers if controllers else root
        group = base / path.lstrip("/")
        while True:
            if group.is_dir():
                yield group
            if group == base or base not in group.parents:
                break
            group = group.parent


def _quota_v2(file: Path) -> list[float]:
    with contextlib.suppress(OSError, ValueError):
        quota, period = file.read_text().split()
        return [int(quota) / int(period)]  # `max` is no number
    return []


def _quota_v1(quota: Path, period: Path) -> list[float]:
    with contextlib.suppress(OSError, ValueError):
        if int(quota.read_text()) > 0:
            return [int(quota.read_text()) / int(period.read_text())]
    return []


def _numbers(file: Path) -> list[int]:
    with contextlib.suppress(OSError, ValueError):
        return [int(file.read_text())]
    return []
