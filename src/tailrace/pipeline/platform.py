"""What a plugin may ask of the operating system. `agent/platform/` answers it; nothing else in the agent differs by system."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file this is, whatever it is called. `born` is its birth time in ns, 0 where the file system keeps none."""

    device: int
    inode: int
    born: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to `name` in `directory`; both empty when changes were missed and all must be looked at again."""

    directory: str
    name: str
    is_directory: bool = False

    @property
    def overflow(self) -> bool:
        return not self.directory


class Watcher(Protocol):
    """Tells of changes in directories (not below them)."""

    def add(self, directory: str) -> bool:
        """Watch a directory; again is fine. False when it cannot be watched (limit, network mount, gone): it must be polled."""
        ...

    def wait(self, timeout: float) -> bool:
        """Until there are changes, `wake` was called (from any thread), or `timeout` seconds have passed; whether there are changes."""
        ...

    def changes(self) -> Sequence[Change]:
        """What happened since the last call; repeats are folded."""
        ...

    def wake(self) -> None: ...
    def close(self) -> None: ...


class Platform(Protocol):
    """One operating system."""

    never_read: Sequence[str]
    """Roots that no input may read: kernel file systems and the agent's own state."""

    def open_file(self, path: str) -> int:
        """Open a regular file to read, without waiting; symbolic links are followed. OSError otherwise, also for a fifo, a device or a path
        below `never_read` (EPERM)."""
        ...

    def identity(self, descriptor: int) -> FileIdentity: ...
    def watcher(self) -> Watcher: ...
