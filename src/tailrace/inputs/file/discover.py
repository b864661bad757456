"""Finding files: one scan lists every file that the config names, and every directory that may get one."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.patterns import Excluded, PathPattern, path_pattern

MAX_FILES = 100_000
"""Files of one agent (the manual's bound); what lies beyond is left out with an alarm."""


@dataclass(slots=True)
class Scan:
    """What one scan found."""

    files: dict[str, os.stat_result] = field(default_factory=dict[str, os.stat_result])
    """By path, in the order of the patterns and then of the directories."""
    first_pattern: dict[str, str] = field(default_factory=dict[str, str])
    """Path → text of the pattern that found it first."""
    directories: dict[str, list[re.Pattern[str]]] = field(default_factory=dict[str, list[re.Pattern[str]]])
    """Directory → the names that are collected right in it; none for one that is only on the way to others."""
    unreadable: dict[str, OSError] = field(default_factory=dict[str, OSError])
    complete: bool = True
    """False when MAX_FILES was reached."""


class Discovery:
    """The scans of one `input_file`."""

    def __init__(self, config: FileConfig, never_read: Sequence[str]) -> None:
        self.patterns = [path_pattern(text, config.max_dir_search_depth) for text in config.file_paths]
        self._never_read = never_read
        self._excluded = Excluded.of(directories=config.exclude_dirs, names=config.exclude_files, paths=config.exclude_file_paths)

    def scan(self) -> Scan:
        found = Scan()
        for pattern in self.patterns:
            if not self._forbidden(os.path.realpath(pattern.base)):
                self._descend(found, pattern, pattern.base, 0, set())
        return found

    def collects(self, scan: Scan, directory: str, name: str) -> bool:
        """Whether a name that turned up in a known directory is one of ours."""
        names = scan.directories.get(directory, ())
        return any(pattern.match(name) for pattern in names) and not self._excluded.file(join(directory, name), name)

    def _descend(self, found: Scan, pattern: PathPattern, directory: str, level: int, above: set[tuple[int, int]]) -> None:
        """`level` counts directories below the pattern's base; `above` are those on the way here, against loops of links."""
        if self._excluded.directory(directory):
            return
        try:
            status = Path(directory).stat()
            entries = list(os.scandir(directory))
        except FileNotFoundError:
            return
        except OSError as error:
            found.unreadable[directory] = error
            return
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        names = found.directories.setdefault(directory, [])
        collecting = level >= len(pattern.steps)
        if collecting and pattern.name not in names:
            names.append(pattern.name)
        for entry in entries:
            if collecting and pattern.name.match(entry.name) and not self._excluded.file(entry.path, entry.name):
                self._file(found, pattern, entry)
            if self._leads_on(pattern, level, entry):
                self._descend(found, pattern, entry.path, level + 1, above | {here})

    def _leads_on(self, pattern: PathPattern, level: int, entry: "os.DirEntry[str]") -> bool:
        if level >= len(pattern.steps) + pattern.depth or (level < len(pattern.steps) and not pattern.steps[level].match(entry.name)):
            return False
        try:
            if not entry.is_dir():
                return False
        except OSError:
            return False
        return not self._forbidden(os.path.realpath(entry.path) if entry.is_symlink() else entry.path)

    def _file(self, found: Scan, pattern: PathPattern, entry: "os.DirEntry[str]") -> None:
        if entry.path in found.files:
            return
        if len(found.files) >= MAX_FILES:
            found.complete = False
            return
        try:
            if entry.is_file():
                found.files[entry.path] = entry.stat()
                found.first_pattern[entry.path] = pattern.text
        except OSError:
            return  # it went away between listing and looking

    def _forbidden(self, path: str) -> bool:
        return any(path == root or path.startswith(f"{root}/") for root in self._never_read)


def join(directory: str, name: str) -> str:
    """As `os.scandir` forms paths."""
    return f"/{name}" if directory == "/" else f"{directory}/{name}"
