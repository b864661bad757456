"""The time of a model: what real files and `time.time_ns` say passes only when the model lets it pass, so that each run repeats.

Files get the times of the last tick, as a system's clock gives them: what happens within one tick has one time.
"""

import os
from pathlib import Path
from unittest.mock import patch

from tailrace.agent.platform.port import AgentPlatform
from tailrace.pipeline.platform import FileIdentity

TICK_NS = 4_000_000
BEGIN_NS = 1_600_000_000_000_000_000


class Clock:
    """The clock of one directory. It has the place of `time.time_ns` from `start` to `stop`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.now = BEGIN_NS
        self._born: dict[int, int] = {}
        """By inode."""
        self._modified: dict[int, int] = {}
        """By inode: what was set last."""
        self._patch = patch("time.time_ns", self.time_ns)

    def start(self) -> None:
        self._patch.start()
        self.stamp()

    def stop(self) -> None:
        self._patch.stop()

    def time_ns(self) -> int:
        self.now += 100
        return self.now

    def pass_by(self, nanoseconds: int) -> None:
        self.now += nanoseconds

    def born(self, inode: int) -> int:
        return self._born[inode]

    def stamp(self) -> None:
        """Give files that have come or changed since the last call, and their directory, the time of now."""
        tick = self.now - self.now % TICK_NS
        here = {path: path.stat() for path in [*self._directory.iterdir(), self._directory]}
        for status in here.values():
            if status.st_ino not in self._modified:
                self._born[status.st_ino] = tick
        known, self._modified = self._modified, {}
        for path, status in here.items():
            modified = status.st_mtime_ns
            if known.get(status.st_ino) != modified and not BEGIN_NS <= modified <= self.now:  # else it was kept, as gzip does
                modified = tick
                os.utime(path, ns=(modified, modified))
            self._modified[status.st_ino] = modified


class TimedPlatform:
    """A platform on which files were born when a clock says."""

    def __init__(self, platform: AgentPlatform, clock: Clock) -> None:
        self._platform, self._clock = platform, clock
        self.reach, self.open_file, self.file_handles = platform.reach, platform.open_file, platform.file_handles

    def identity(self, descriptor: int) -> FileIdentity:
        status = os.fstat(descriptor)
        return FileIdentity(status.st_dev, status.st_ino, self._clock.born(status.st_ino))

    def born_at(self, path: str) -> int:
        return self._clock.born(Path(path).stat().st_ino)
