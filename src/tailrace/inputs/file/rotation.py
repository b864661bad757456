"""Where rotation puts files: by name beside the live one, found again by inode or by what they hold."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tailrace.inputs.file.content import Content, is_compressed, unpacking
from tailrace.inputs.file.generation import FileId
from tailrace.pipeline.platform import Platform

COUNTER = r"[.\-_]\d[\d.\-_T:]*"
"""What rotation puts into a name: `.1`, `-20261122`, `.2026-11-22_07`."""
PACKED = r"\.(?:gz|zst|xz|bz2|Z)"
ROTATED = re.compile(rf"{COUNTER}(?P<extension>(?:\.(?!(?:gz|zst|xz|bz2|Z)$)[A-Za-z]\w*)?)(?:{PACKED})?")


@dataclass(frozen=True, slots=True)
class Rotated:
    """One file beside a live one whose name says that it was rotated away from there."""

    path: str
    file: FileId
    modified: int
    """mtime in ns: when it was last written. Copying sets it, compressing keeps it."""
    size: int


def live_names(name: str) -> Iterator[str]:
    """What a file may have been called before rotation gave it this name; nothing for a name that rotation does not make."""
    for separator in re.finditer(r"(?<=.)[.\-_](?=\d)", name, re.DOTALL):
        if match := ROTATED.fullmatch(name, separator.start()):
            yield name[: separator.start()] + match["extension"]


def rotated_from(path: str) -> list[Rotated]:
    """The rotated files beside a live one, those last written first in time."""
    live = Path(path)
    found: list[Rotated] = []
    for entry in _entries(str(live.parent)):
        if entry.name == live.name or live.name not in live_names(entry.name):
            continue
        try:
            if entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                found.append(Rotated(entry.path, (status.st_dev, status.st_ino), status.st_mtime_ns, status.st_size))
        except OSError:
            continue
    return sorted(found, key=lambda one: (one.modified, _age(one.path)))


def _age(path: str) -> int:
    """Of files that were written within one tick of the clock, the one with the larger number is the older one, as logrotate counts."""
    numbers = re.findall(r"\d+", path.rpartition("/")[2])
    return -int(numbers[-1]) if numbers else 0


def find_file(directory: str, file: FileId) -> str | None:
    """The name that a file has now in a directory; None when it is not there."""
    for entry in _entries(directory):
        try:
            if entry.inode() == file[1] and entry.stat().st_dev == file[0]:
                return entry.path
        except OSError:
            continue
    return None


def open_content(platform: Platform, path: str, *, unpack: bool = True) -> Content:
    """Open a file, with `unpack` as the log that is packed in it. OSError, also when it is packed in a way that cannot be read."""
    descriptor = platform.open_file(path)
    content: Content | None = None
    try:
        unpacked = unpacking(descriptor) if unpack else None
        if unpacked is not None or not unpack or not is_compressed(os.pread(descriptor, 8, 0)):
            content = Content(descriptor, platform.identity(descriptor), unpacked)
    finally:
        if content is None:
            os.close(descriptor)
    if content is None:
        raise OSError("it is compressed in a way that cannot be read")
    return content


def _entries(directory: str) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except OSError:
        return
