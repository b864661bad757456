"""What the inputs of one agent share: claims on files, and bounds that hold for all of them together. The agent answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Rank: TypeAlias = tuple[int, ...]
"""How well a pipeline's paths fit a file; the greatest wins."""


class Claims(Protocol):
    """Which pipeline a file belongs to when several name it. Thread-safe."""

    @property
    def version(self) -> int:
        """Changes with every `stake` and `withdraw`: answers given before may be different now."""
        ...

    def stake(self, pipeline: str, rank: Callable[[str], Rank | None], *, shares: bool = False) -> None:
        """Say which files a pipeline names, instead of what it said before. `rank` is called with a path, by any thread; None: not ours.
        One that `shares` keeps no other pipeline from its files."""
        ...

    def withdraw(self, pipeline: str) -> None: ...

    def better(self, pipeline: str, path: str) -> str:
        """The other pipeline that this path belongs to; empty when it belongs to `pipeline`. Of equals the first by name has it."""
        ...

    def inherits(self, pipeline: str, path: str) -> bool:
        """Whether it is for `pipeline` to go on with what was read at this path and may lie elsewhere now: the path belongs to it, or no
        pipeline names it any more."""
        ...


class Allowance(Protocol):
    """A bound that several holders share, first come, first served. Thread-safe."""

    bound: int

    @property
    def taken(self) -> int:
        """How much all hold."""
        ...

    def room(self, holder: object) -> int:
        """How much `holder` may hold at present, with what it holds."""
        ...

    def hold(self, holder: object, amount: int) -> None: ...
    def release(self, holder: object) -> None: ...


@dataclass(frozen=True, slots=True)
class DeletedBounds:
    """How much of deleted files may be held open until it is read, by all inputs."""

    files: Allowance
    bytes: Allowance
    """Room on the disk."""
    secs: float
    """How long each; infinite: until it is read."""


@dataclass(frozen=True, slots=True)
class FileBounds:
    """Bounds on files, with the manual's defaults behind them (logtail-facts §1.2)."""

    files: Allowance
    """Files that are followed, by all inputs."""
    watches: Allowance
    """Directories that are watched, by all inputs."""
    files_per_config: int
    wildcard_directories: int
    """Directories that one wildcard may stand for in one directory."""
    lacking: Allowance
    """Files that wait for a handle, of all inputs; without a bound."""
    deleted: DeletedBounds
