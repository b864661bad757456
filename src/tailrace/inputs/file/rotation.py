"""Files that were rotated away while nobody looked: finding them again by inode, and finding those between two known ones."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tailrace.inputs.file.generation import FileId
from tailrace.pipeline.platform import FileIdentity, Platform

MAX_ENTRIES = 10_000
"""Entries of one directory that a search looks at."""
COUNTER = r"[.\-_]\d[\d.\-_T:]*"
"""What rotation puts into a name: `.1`, `-20261122`, `.2026-11-22_07`."""
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh")
"""How gzip, zstd, xz and bzip2 begin: copies of what has been read, not logs."""


def find_file(directory: str, file: FileId) -> str | None:
    """The name that a file has now in a directory; None when it is not there."""
    for entry in _entries(directory):
        try:
            if entry.inode() == file[1] and entry.stat().st_dev == file[0]:
                return entry.path
        except OSError:
            continue
    return None


def rotated_between(platform: Platform, path: str, born_after: int, known: set[FileId]) -> list[tuple[FileIdentity, str]]:
    """Files that were rotated away from `path`, born later than the last known one, the oldest first.

    Such files were created at `path`, filled and renamed between two looks. None where the file system keeps no birth times.
    """
    if not born_after:
        return []
    found: list[tuple[FileIdentity, str]] = []
    for entry in _entries(str(Path(path).parent)):
        if not _is_rotation_of(entry.name, Path(path).name) or (identity := _identity(platform, entry.path)) is None:
            continue
        if identity.born > born_after and (identity.device, identity.inode) not in known:
            found.append((identity, entry.path))
    return sorted(found, key=lambda one: one[0].born)


def is_compressed(head: bytes) -> bool:
    return head.startswith(COMPRESSED)


def _is_rotation_of(name: str, live: str) -> bool:
    stem, dot, extension = live.rpartition(".")
    before_extension = rf"|{re.escape(stem)}{COUNTER}\.{re.escape(extension)}" if dot and stem else ""
    return re.fullmatch(rf"{re.escape(live)}{COUNTER}{before_extension}", name) is not None


def _identity(platform: Platform, path: str) -> FileIdentity | None:
    try:
        descriptor = platform.open_file(path)
    except OSError:
        return None
    try:
        return None if is_compressed(os.pread(descriptor, 8, 0)) else platform.identity(descriptor)
    finally:
        os.close(descriptor)


def _entries(directory: str) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(directory) as entries:
            for number, entry in enumerate(entries):
                if number >= MAX_ENTRIES:
                    return
                yield entry
    except OSError:
        return
