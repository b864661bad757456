"""The system's own names of files that this process has open."""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def name_of(descriptor: int) -> str:
    """A short path of what is open; it holds for as long as it is."""
    return f"/proc/self/fd/{descriptor}"


def file_behind(descriptor: int) -> str | None:
    """The path of the regular file that is open; None for anything else, and where the system does not say."""
    try:
        status, target = os.fstat(descriptor), Path(name_of(descriptor)).readlink()
    except OSError:
        return None
    # Not by its path: this user may not search the directory of what another one has opened.
    return str(target) if stat.S_ISREG(status.st_mode) and status.st_nlink else None


@contextmanager
def in_memory(text: str) -> Generator[Path]:
    """A path that has this text for as long as it is needed, for libraries that read files only. No disk sees it."""
    descriptor = os.memfd_create("tailrace", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
        yield Path(name_of(descriptor))
    finally:
        os.close(descriptor)
