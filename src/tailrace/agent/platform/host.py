"""What `doctor` asks of an operating system: its limits, who holds a lock, how a process is. It looks, and changes nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Watching:
    """What this user may still watch. Without an instance, or a watch, files are found by polling; `most` is the limit of watches."""

    instance_left: bool
    watch_left: bool
    most: int


@dataclass(frozen=True, slots=True)
class Space:
    """Of the file system that a directory lies on, for this user."""

    free_bytes: int
    all_bytes: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class ProcessState:
    """`stopped`: it was told to stand still (SIGSTOP), and does."""

    parent: int
    stopped: bool


class Host(Protocol):
    """One operating system, for whoever wants to know why something does not work there."""

    def watching(self, directory: Path) -> Watching: ...

    def open_files(self) -> int:
        """How many files a process of this user may open."""
        ...

    def space(self, directory: Path) -> Space:
        """OSError when the directory cannot be looked at."""
        ...

    def holder(self, lock: Path) -> int | None:
        """The process that has this lock; 0 when its file does not say which. None when nobody has it, or it cannot be told."""
        ...

    def process(self, pid: int) -> ProcessState | None:
        """None when there is no such process."""
        ...
