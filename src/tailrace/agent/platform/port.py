"""What the agent itself needs of an operating system, beyond what plugins may ask for (`tailrace.pipeline.platform`)."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from tailrace.pipeline.platform import Platform


class OwnerLock(Protocol):
    """Says that this process alone works on a home. The system lets it go when the process ends, however that happens."""

    def release(self) -> None: ...


class AgentPlatform(Platform, Protocol):
    """One operating system, for the worker."""

    def own(self, path: Path, patience: float = 0.0) -> OwnerLock:
        """Take the lock file at `path`. BusyError, naming the process that has it, when another one still does after `patience` seconds."""
        ...

    def prepare_process(self, title: str, max_open_files: int = 0) -> None:
        """Name the process and let it open so many files; 0: as many as the system allows."""
        ...

    def given(self) -> "Given":
        """What the machine and the control group let this process use."""
        ...

    def machine_cpu(self) -> tuple[float, float]:
        """(busy, all) of the machine's CPU time so far, in a unit of its own."""
        ...

    def give_back_memory(self) -> None:
        """Let the system have what was freed."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """Cores, and bytes of memory; 0 bytes is no bound."""

    cores: float
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses: CPU seconds since it began, resident bytes, threads."""

    cpu_secs: float
    rss_bytes: int
    threads: int


class Processes(Protocol):
    """One operating system, for the supervisor, which holds nothing else."""

    def name(self, title: str) -> None:
        """The title of this process in lists of processes."""
        ...

    def own(self, path: Path, patience: float = 0.0) -> OwnerLock: ...

    def become(self, command: Sequence[str]) -> NoReturn:
        """Run another program in place of this one, under the same process id."""
        ...

    def usage(self, pid: int) -> Usage | None:
        """None when there is no such process."""
        ...

    def open_files(self, pid: int) -> int:
        """How many files a process has open; 0 when that cannot be told."""
        ...

    def shared_memory(self, name: str, size: int) -> int:
        """A handle of zeroed memory that outlives the processes that write to it, as long as one holds it."""
        ...

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two connected ends that keep messages whole and can pass handles."""
        ...

    def send(self, connection: socket.socket, message: bytes, handles: Sequence[int]) -> None:
        """OSError when it cannot be sent now, or never."""
        ...

    def receive(self, connection: socket.socket, most: int) -> tuple[bytes, list[int]]:
        """One message and the handles that came with it, which are ours now; an empty one when the other end is gone."""
        ...


class Users(Protocol):
    """The users of a machine, for whoever installs."""

    @property
    def is_root(self) -> bool: ...

    def add(self, name: str, home: Path) -> bool:
        """Make a user for a service; False when there is one of this name. StateError."""
        ...

    def remove(self, name: str) -> None: ...

    def knows(self, name: str) -> bool: ...

    def give(self, path: Path, name: str) -> None:
        """Make a user the owner of one file, directory or link."""
        ...

    def become_owner(self, path: Path, *, reads_all: bool = False) -> None:
        """When root looks after another user's files: go on as that user, who may read whatever an installed agent may, or not."""
        ...


class Service(Protocol):
    """The agent's service, under whatever starts services here. All raise StateError."""

    def enable(self) -> None:
        """Let it start with the machine."""
        ...

    def disable(self) -> None:
        """Stop it, and let it start no more; before its files are removed."""
        ...

    def forget(self) -> None:
        """After its files were removed."""
        ...

    def do(self, verb: str) -> None:
        """`start`, `stop` or `restart`; returns when that is done."""
        ...

    @property
    def is_running(self) -> bool: ...
