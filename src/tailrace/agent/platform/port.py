"""What the agent itself needs of an operating system, beyond what plugins may ask for (`tailrace.pipeline.platform`)."""

from pathlib import Path
from typing import Protocol

from tailrace.pipeline.platform import Platform


class OwnerLock(Protocol):
    """Says that this process alone works on a home. The system lets it go when the process ends, however that happens."""

    def release(self) -> None: ...


class AgentPlatform(Platform, Protocol):
    """One operating system, for the agent."""

    def own(self, path: Path) -> OwnerLock:
        """Take the lock file at `path`. BusyError, naming the process that has it, when another one does."""
        ...

    def prepare_process(self, title: str) -> None:
        """Name the process and let it open as many files as the system allows."""
        ...
