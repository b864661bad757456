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
class Reach:
    """The agent's own policy: which real paths its inputs may read. No config from a server can widen it (DESIGN §4.5)."""

    never: Sequence[str] = ()
    """Real paths that are not read, nor what is below them: kernel file systems and the agent's own state."""
    roots: Sequence[str] = ("/",)
    """Only what lies below one of these real paths is read."""

    def allows(self, real_path: str) -> bool:
        return any(is_below(real_path, root) for root in self.roots) and not any(is_below(real_path, one) for one in self.never)

    def leads_on(self, real_directory: str) -> bool:
        """Whether a directory may be searched: something in it or below it may be read."""
        if any(is_below(real_directory, one) for one in self.never):
            return False
        return any(is_below(real_directory, root) or is_below(root, real_directory) for root in self.roots)


def is_below(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or lies somewhere below it. Both absolute, without `..` and links."""
    return directory in ("/", path) or path.startswith(f"{directory}/")


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
        """Watch what stands at a path now; again is fine, and needed when another directory stands there. False when changes may go
        unnoticed (limit of the system, network or overlay mount, gone): it must be polled."""
        ...

    def remove(self, directory: str) -> None: ...

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

    reach: Reach

    def open_file(self, path: str, *, beneath: str = "/") -> int:
        """Open a regular file to read, without waiting; symbolic links are followed. OSError otherwise, also for a fifo or a device
        (EINVAL), and where `reach` or `beneath`, a real directory, does not let the file that was opened be read (EPERM)."""
        ...

    @property
    def file_handles(self) -> int:
        """Input files have handles below this number, given from below; from there on they are for the process's own needs."""
        ...

    def identity(self, descriptor: int) -> FileIdentity: ...
    def born_at(self, path: str) -> int:
        """Birth time in ns of the file at a path, links followed; 0 where there is none. OSError when it is gone."""
        ...

    def watcher(self) -> Watcher: ...
