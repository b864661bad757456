"""A control group of this machine for one test, of version 1 or 2, whichever is there. Needs root."""

import os
import shutil
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
NAME = f"tailrace-test-{os.getpid()}"
PERIOD = 100_000


class ControlGroup:
    """`enter` are words that stand before a command which is to run in it."""

    def __init__(self, *, cores: float, memory_bytes: int) -> None:
        self._unified = (ROOT / "cgroup.controllers").exists()
        self._groups = [ROOT / NAME] if self._unified else [ROOT / "cpu" / NAME, ROOT / "memory" / NAME]
        for group in self._groups:
            group.mkdir()
        quota = int(cores * PERIOD)
        if self._unified:
            (ROOT / "cgroup.subtree_control").write_text("+cpu +memory")
            (self._groups[0] / "cpu.max").write_text(f"{quota} {PERIOD}")
            (self._groups[0] / "memory.max").write_text(str(memory_bytes))
        else:
            (self._groups[0] / "cpu.cfs_period_us").write_text(str(PERIOD))
            (self._groups[0] / "cpu.cfs_quota_us").write_text(str(quota))
            (self._groups[1] / "memory.limit_in_bytes").write_text(str(memory_bytes))

    @property
    def enter(self) -> list[str]:
        joins = " && ".join(f"echo $$ > {group}/cgroup.procs" for group in self._groups)
        return [shutil.which("sh") or "/bin/sh", "-c", f'{joins} && exec "$@"', "sh"]

    @property
    def throttled(self) -> int:
        """Periods in which the system itself had to stop it."""
        words = (self._groups[0] / "cpu.stat").read_text().split()
        return int(words[words.index("nr_throttled") + 1])

    def __enter__(self) -> "ControlGroup":
        return self

    def __exit__(self, *_: object) -> None:
        for group in self._groups:
            group.rmdir()
