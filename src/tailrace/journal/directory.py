"""Directories whose names outlive a power cut: what lies in them is worth nothing without."""

import os
from pathlib import Path


def make_directory(path: Path) -> None:
    """A directory that only its owner may enter, and those above it, durable on return. What is there stays as it is. OSError."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        sync_directory(one.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in it durable. OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
