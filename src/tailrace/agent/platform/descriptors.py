"""The system's own names of files that this process has open."""

from pathlib import Path


def name_of(descriptor: int) -> str:
    """A short path of what is open; it holds for as long as it is."""
    return f"/proc/self/fd/{descriptor}"


def file_behind(descriptor: int) -> str | None:
    """The path of the regular file that is open; None for anything else, and where the system does not say."""
    try:
        target = Path(name_of(descriptor)).readlink()
    except OSError:
        return None
    return str(target) if target.is_file() else None
