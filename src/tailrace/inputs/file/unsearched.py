"""Where to look for files that rotation has taken away unseen: in directories that have changed since they were looked through."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

from tailrace.inputs.file.generation import TICK_NS
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import live_names
from tailrace.inputs.file.walk import Look

Bound = tuple[int, int]
"""Birth time and last writing of the first that is known of a path: what is older was there before it."""


class Unsearched:
    """Remembers by its mtime how each directory was when it was looked through: one that stays as it is costs one `stat`."""

    def __init__(self) -> None:
        self._searched: dict[str, int] = {}

    def paths(self, table: Registry) -> list[tuple[str, int, int]]:
        """The known paths beside which unknown files with rotated names stand that may be later than what is known, with their bounds."""
        by_directory: dict[str, dict[str, Bound]] = {}
        for path, bound in _bounds(table).items():
            directory, _, name = path.rpartition("/")
            by_directory.setdefault(directory, {})[name] = bound
        self._searched = {directory: searched for directory, searched in self._searched.items() if directory in by_directory}
        found: list[tuple[str, int, int]] = []
        for directory, names in by_directory.items():
            found += [(f"{directory}/{name}", *names[name]) for name in self._beside(table, directory, names)]
        return found

    def _beside(self, table: Registry, directory: str, names: Mapping[str, Bound]) -> set[str]:
        try:
            status, now = Path(directory or "/").stat(), time.time_ns()
            if self._searched.get(directory) == status.st_mtime_ns:
                return set()
            with os.scandir(directory or "/") as entries:
                unknown = [entry for entry in entries if not _is_known(table, status.st_dev, entry)]
        except OSError:
            return set()
        if now - status.st_mtime_ns > TICK_NS:  # else another change may hide in the same tick of the clock
            self._searched[directory] = status.st_mtime_ns
        live = {name for name in names if names.keys().isdisjoint(live_names(name))}
        return {name for entry in unknown for name in live_names(entry.name) if name in live and _is_later(entry, names[name])}


def _bounds(table: Registry) -> dict[str, Bound]:
    bounds = dict(table.last)
    for one in table.generations.values():
        own = one.before if any(one.before) else (one.first_born, one.modified)
        known = bounds.get(one.path, own)
        bounds[one.path] = min(known[0], own[0]), min(known[1], own[1])
    return bounds


def _is_known(table: Registry, device: int, entry: "os.DirEntry[str]") -> bool:
    file = device, entry.inode()
    if file in table.generations or file in table.notes:
        return True
    try:
        return file in table.copies and table.is_left(Look.of(entry.stat(follow_symlinks=False)))
    except OSError:
        return False


def _is_later(entry: "os.DirEntry[str]", bound: Bound) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime_ns >= bound[1]
    except OSError:
        return True  # it is being renamed: look again
