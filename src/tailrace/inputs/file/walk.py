"""One walk over all directories of an input, a slice at a time, so that reading goes on in between.

A directory is watched before it is listed: what appears after the listing raises an event. Only files that are new or have changed since
the last walk are reported.
"""

import errno
import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.generation import FileId
from tailrace.inputs.file.patterns import Excluded, PathPattern
from tailrace.inputs.file.roots import Root
from tailrace.pipeline.platform import Reach

SLICE_ENTRIES = 256
"""After so many entries of a directory the walk may pause."""
UPDATED_SECS = 1800.0
"""A directory without an update for so long is no longer watched where the config does not preserve it (the manual's 30 min)."""


class Look(NamedTuple):
    """What matters of a file's status: an `os.stat_result` takes four times the memory. Times in ns since the epoch."""

    st_dev: int
    st_ino: int
    st_size: int
    st_mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Look":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def look_at(path: str) -> Look | None:
    """The status of the file that a path leads to; None when there is none."""
    try:
        return Look.of(os.stat(path))  # noqa: PTH116 - a `Path` costs more than the look itself, thousands of times a second
    except OSError:
        return None


@dataclass(slots=True)
class Directory:
    """One directory as the last walk found it."""

    path: str
    root: Root
    identity: FileId
    linked: bool
    """A link leads here: another directory may stand here at any time."""
    level: int
    patterns: list[PathPattern] = field(default_factory=list[PathPattern])
    """Those that collect right in it; none where it is only on the way to others."""
    files: dict[str, Look] = field(default_factory=dict[str, Look])
    links: set[str] = field(default_factory=set[str])
    """Names that are links to files: what is written there raises no event here."""
    others: dict[str, str] = field(default_factory=dict[str, str])
    """Names that belong to another pipeline → which."""
    watched: bool = False
    asleep: bool = False
    """Not watched, its files not looked at, because nothing was updated for long."""
    modified: int = 0
    scanned_at: int = 0
    """When the last complete listing of it began (wall clock, ns); 0 when there was none."""


@dataclass(slots=True)
class Scan:
    """What one walk found."""

    began_at: int
    """Wall clock in ns: what is not in it came later."""
    first: bool = False
    files: dict[str, Look] = field(default_factory=dict[str, Look])
    """New and changed ones, in the order of the patterns and then of the directories."""
    first_pattern: dict[str, str] = field(default_factory=dict[str, str])
    """Path → text of the pattern that found it first; in the first walk only."""
    directories: dict[str, Directory] = field(default_factory=dict[str, Directory])
    gone: list[str] = field(default_factory=list[str])
    """Paths of the last walk where no file of ours stands any more."""
    lost: dict[str, str] = field(default_factory=dict[str, str])
    """Paths that belong to another pipeline now → which."""
    won: set[str] = field(default_factory=set[str])
    """Paths that belonged to another pipeline until now."""
    unreadable: dict[str, OSError] = field(default_factory=dict[str, OSError])
    left_out: int = 0
    """New files beyond the bounds."""
    crowded: dict[str, int] = field(default_factory=dict[str, int])
    """Directories where a wildcard stands for more directories than it may → how many."""

    def here(self) -> set[FileId]:
        """All files that stand at a path of ours."""
        return {look[:2] for directory in self.directories.values() for look in directory.files.values()}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a walk goes by."""

    config: FileConfig
    excluded: Excluded
    reach: Reach
    wildcard_directories: int
    enter: Callable[[Directory], bool]
    """Watches a directory before it is listed; whether all its changes will be told."""
    leave: Callable[[str], None]
    """A directory that needs no watch any more."""
    better: Callable[[str], str]
    """The other pipeline that a path belongs to, or nothing."""


class _Place(NamedTuple):
    path: str
    level: int
    linked: bool
    above: "tuple[FileId, object] | None"
    """The directories on the way here, the nearest first: against loops of links."""


class Walk:
    """Made for one walk. `before`: the directories of the last one; `room`: how many files may be followed in all."""

    def __init__(self, rules: Rules, before: dict[str, Directory], *, room: int, judge_again: bool, first: bool) -> None:
        self._rules = rules
        self._before = before
        self._judge_again = judge_again
        self._room = room - sum(len(directory.files) for directory in before.values())
        self.scan = Scan(time.time_ns(), first)

    def run(self, patterns: list[tuple[Root, PathPattern]]) -> Generator[Directory | None, None, Scan]:
        """May be left between any two steps for as long as is wanted. Yields each directory that has been listed completely."""
        for root, pattern in patterns:
            yield from self._descend(root, pattern)
        self._compare()
        return self.scan

    def _descend(self, root: Root, pattern: PathPattern) -> Generator[Directory | None, None, None]:
        real = os.path.realpath(pattern.base)
        waiting = [_Place(pattern.base, 0, real != pattern.base, None)]
        while waiting:
            place = waiting.pop()
            yield (yield from self._visit(root, pattern, place, waiting))

    def _visit(self, root: Root, pattern: PathPattern, place: _Place, waiting: list[_Place]) -> Generator[None, None, Directory | None]:
        if self._rules.excluded.directory(place.path):
            return None
        began = time.time_ns()
        try:
            status = Path(place.path).stat()
            directory = self._directory(root, place, status)
            if directory is None:
                return None
            collecting = place.level >= len(pattern.steps)
            if collecting:
                directory.patterns.append(pattern)
            above = (directory.identity, place.above)
            below: list[_Place] = []
            with os.scandir(place.path) as entries:
                for number, entry in enumerate(entries, 1):
                    if collecting and pattern.name.match(entry.name) and entry.is_file():
                        if not directory.asleep:
                            self._file(directory, pattern, entry)
                    elif self._leads_on(pattern, place.level, entry):
                        below.append(_Place(entry.path, place.level + 1, place.linked or entry.is_symlink(), above))
                    if not number % SLICE_ENTRIES:
                        yield
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.scan.unreadable[place.path] = error
            return None
        directory.scanned_at = began
        waiting += self._bounded(pattern, place, below)
        return directory

    def _directory(self, root: Root, place: _Place, status: os.stat_result) -> Directory | None:
        """The entry of a directory, watched; None where a loop of links comes back to where it began, and where nothing may be read: that
        is an OSError where the config itself names it."""
        identity = (status.st_dev, status.st_ino)
        if place.linked and _is_among(identity, place.above):
            return None
        if not self._may_enter(root, os.path.realpath(place.path) if place.linked else place.path):
            if place.level:
                return None
            raise PermissionError(errno.EPERM, "the agent's own policy forbids to read it", place.path)
        known = self.scan.directories.get(place.path)
        if known is not None:
            return known
        directory = Directory(place.path, root, identity, place.linked, place.level, modified=status.st_mtime_ns)
        before = self._before.get(place.path)
        if before is not None and self._sleeps(before, status):
            directory.asleep, directory.files, directory.links = True, before.files, before.links
            directory.others = before.others
            self._rules.leave(place.path)
        else:
            directory.watched = self._rules.enter(directory)
        self.scan.directories[place.path] = directory
        return directory

    def _sleeps(self, before: Directory, status: os.stat_result) -> bool:
        kept = self._rules.config.preserved_dir_depth
        if kept < 0 or before.level <= kept or status.st_mtime_ns != before.modified:
            return False
        last = max([before.modified, *(look.st_mtime_ns for look in before.files.values())])
        return before.asleep or time.time() - last / 1e9 > UPDATED_SECS

    def _leads_on(self, pattern: PathPattern, level: int, entry: "os.DirEntry[str]") -> bool:
        if level >= len(pattern.steps):
            if level >= len(pattern.steps) + pattern.depth:
                return False
        elif not pattern.steps[level].match(entry.name):
            return False
        try:
            return entry.is_dir()
        except OSError:
            return False

    def _may_enter(self, root: Root, real: str) -> bool:
        return self._rules.reach.leads_on(real) and Reach(roots=(root.beneath,)).leads_on(real)

    def _bounded(self, pattern: PathPattern, place: _Place, below: list[_Place]) -> list[_Place]:
        """Of the directories that one wildcard stands for the first by name, always the same ones."""
        bound = self._rules.wildcard_directories
        if place.level < len(pattern.steps) and len(below) > bound:
            self.scan.crowded[place.path] = len(below)
            below = sorted(below)[:bound]
        return below[::-1]

    # --- files ------------------------------------------------------------------------------------------------------------------
    def _file(self, directory: Directory, pattern: PathPattern, entry: "os.DirEntry[str]") -> None:
        name = entry.name
        if name in directory.files or self._rules.excluded.file(entry.path, name):
            return
        before = self._before.get(directory.path)
        known = before.files.get(name) if before is not None else None
        try:
            status = entry.stat()
        except OSError:
            return  # it went away between listing and looking, or it is a link to nothing
        if (known is None or self._judge_again) and not self._is_ours(directory, before, name, entry.path):
            return
        look = Look.of(status)
        if known is None:
            if self._room <= 0:
                self.scan.left_out += 1
                return
            self._room -= 1
        if entry.is_symlink():
            directory.links.add(name)
        if known is not None and look == known:
            directory.files[name] = known
            return
        directory.files[name] = look
        self.scan.files[entry.path] = look
        if self.scan.first:
            self.scan.first_pattern[entry.path] = pattern.text

    def _is_ours(self, directory: Directory, before: Directory | None, name: str, path: str) -> bool:
        """Whether no other pipeline has the better claim. Asked once for a file, and again when claims have changed."""
        known = before.others.get(name, "") if before is not None else ""
        if known and not self._judge_again:
            other = known
        else:
            other = self._rules.better(path)
            if known and not other:
                self.scan.won.add(path)
            elif other and other != known:
                self.scan.lost[path] = other
        if other:
            directory.others[name] = other
        return not other

    def _compare(self) -> None:
        found = self.scan.directories
        for path, before in self._before.items():
            now = found.get(path)
            if now is None:
                self._rules.leave(path)
            files = now.files if now is not None else {}
            self.scan.gone += [child(path, name) for name in before.files if name not in files and child(path, name) not in self.scan.lost]


def _is_among(identity: FileId, above: object) -> bool:
    while isinstance(above, tuple):
        here, above = above
        if here == identity:
            return True
    return False


def child(directory: str, name: str) -> str:
    """As `os.scandir` forms paths."""
    return f"/{name}" if directory == "/" else f"{directory}/{name}"
