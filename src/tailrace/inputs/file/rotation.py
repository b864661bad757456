"""Where rotation puts files: by name beside the live one, found again by inode or by what they hold."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tailrace.inputs.file.content import Content, is_compressed, unpacking
from tailrace.inputs.file.generation import FileId
from tailrace.pipeline.platform import Platform

Entry = TypeVar("Entry")

COUNTER = r"[.\-_]\d[\d.\-_T:]*"
"""What rotation puts into a name: `.1`, `-20261122`, `.2026-11-22_07`."""
PACKED = r"\.(?:gz|zst|xz|bz2|Z)"
IS_PACKED = re.compile(rf"(.+){PACKED}", re.DOTALL)
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
    if packed := IS_PACKED.fullmatch(name):
        yield packed[1]
    for separator in re.finditer(r"(?<=.)[.\-_](?=\d)", name, re.DOTALL):
        if match := ROTATED.fullmatch(name, separator.start()):
            yield name[: separator.start()] + match["extension"]


def live_first(files: Mapping[str, Entry]) -> list[tuple[str, Entry]]:
    """Files by path, those last that may have been rotated away from another of them: the live file leads to them, in their order."""

    def order(one: tuple[str, Entry]) -> tuple[bool, str]:
        rotated = any(path in files for path in family(one[0]) if path != one[0])
        return rotated, one[0] if rotated else ""

    return sorted(files.items(), key=order)


def family(path: str) -> set[str]:
    """A path and those of the live files that it may have been rotated away from."""
    directory, _, name = path.rpartition("/")
    return {path, *(f"{directory}/{live}" for live in live_names(name))}


def rotated_from(path: str, *, relatives: bool = False) -> list[Rotated]:
    """The rotated files beside a live one, those last written first in time; `relatives`: also those of the file that `path`, which may
    have a rotated name itself, comes from."""
    directory, _, name = path.rpartition("/")
    names = {name, *live_names(name)} if relatives else {name}
    found: dict[str, Rotated] = {}
    for entry in _entries(directory or "/"):
        if entry.name == name or names.isdisjoint(live_names(entry.name)):
            continue
        try:
            if entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                found[entry.name] = Rotated(entry.path, (status.st_dev, status.st_ino), status.st_mtime_ns, status.st_size)
        except OSError:
            continue
    done = [one for name, one in found.items() if not _is_being_packed(name, one, directory)]
    return sorted(done, key=lambda one: (one.modified, _age(one.path), one.path))


def _is_being_packed(name: str, file: Rotated, directory: str) -> bool:
    """Whether the file that it is made from still stands beside it: until that goes it holds only a part, or nothing."""
    packed = IS_PACKED.fullmatch(name)
    if packed is None:
        return False
    try:
        return Path(directory, packed[1]).stat().st_mtime_ns <= file.modified
    except OSError:
        return not file.size


def _age(path: str) -> int:
    """Of files that were written within one tick of the clock, the one with the larger number is the older one, as logrotate counts."""
    numbers = re.findall(r"\d+", path.rpartition("/")[2])
    return -int(numbers[-1]) if numbers else 0


def find_file(directory: str, file: FileId) -> str | None:
    """The name that a file has now in a directory; None when it is not there."""
    return _found(directory, file) or _found(directory, file)  # a listing may miss what is renamed meanwhile


def _found(directory: str, file: FileId) -> str | None:
    for entry in _entries(directory):
        try:
            if entry.inode() == file[1] and entry.stat().st_dev == file[0]:
                return entry.path
        except OSError:
            continue
    return None


def _nothing() -> None:
    """There is nothing to do meanwhile."""


def open_content(platform: Platform, path: str, *, beneath: str, unpack: bool = True, meanwhile: Callable[[], None] = _nothing) -> Content:
    """Open a file that lies, all links followed, below the real directory `beneath`; with `unpack` as the log that is packed in it, and
    `meanwhile` called again and again while it is unpacked. OSError, also when it is packed in a way that cannot be read."""
    return content_of(platform, platform.open_file(path, beneath=beneath), unpack=unpack, meanwhile=meanwhile)


def content_of(platform: Platform, descriptor: int, *, unpack: bool = True, meanwhile: Callable[[], None] = _nothing) -> Content:
    """The same of a file that is open already; its handle is the content's, or closed."""
    content: Content | None = None
    try:
        unpacked = unpacking(descriptor, meanwhile) if unpack else None
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
