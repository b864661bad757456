"""The files that pipelines name: whether they are there, and whether the agent may read them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Scene
from tailrace.agent.platform import current
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.patterns import PathPattern
from tailrace.inputs.file.roots import HOST
from tailrace.pipeline.platform import Reach

MAX_ENTRIES: Final = 20_000
"""So many names are looked at per pipeline: `doctor` is to answer soon."""
SHOWN: Final = 3
RIGHTS: Final = "give the agent's user the right to read: for instance `usermod -aG adm USER`, or `setfacl -R -m u:USER:rX DIRECTORY`"


@dataclass(slots=True)
class _Seen:
    """Of one pipeline."""

    files: int = 0
    closed_files: list[str] = field(default_factory=list[str])
    closed_directories: list[str] = field(default_factory=list[str])
    missing: list[str] = field(default_factory=list[str])
    forbidden: list[str] = field(default_factory=list[str])
    entries: int = 0


def check_files(scene: Scene) -> Iterator[Finding]:
    """As this user, whose rights the system itself is asked for. `--file PATH` says it all of one file."""
    reach = current([scene.home], roots=[Path(root) for root in scene.settings.allowed_roots]).reach
    for pipeline in scene.pipelines:
        for config in [plugin.config for plugin in pipeline.inputs if isinstance(plugin.config, FileConfig)]:
            seen = _Seen()
            for pattern in Paths(config).patterns(HOST):
                _search(pattern, reach, seen)
            yield from _told(f"pipeline `{pipeline.name}`", seen)


def _told(name: str, seen: _Seen) -> Iterator[Finding]:
    if seen.forbidden:
        remedy = "`allowed_roots` in HOME/agent.yaml says what may be read; the agent's own files never are"
        yield warning(f"{name}: the agent's own policy forbids to read {_some(seen.forbidden)}", remedy)
    if seen.closed_directories:
        yield warning(f"{name}: this user cannot search {_some(seen.closed_directories)}", RIGHTS)
    if seen.closed_files:
        yield warning(f"{name}: this user cannot read {_some(seen.closed_files)}", RIGHTS)
    if seen.missing:
        yield info(f"{name}: there is no directory {_some(seen.missing)} yet", "check `FilePaths`; it is found when it appears")
    readable = seen.files - len(seen.closed_files)
    if readable:
        more = " or more" if seen.entries >= MAX_ENTRIES else ""
        yield ok(f"{name}: files that fit and can be read: {readable}{more}")
    elif not (seen.closed_files or seen.closed_directories or seen.missing or seen.forbidden):
        yield info(f"{name}: no file fits yet", "check `FilePaths`; `tailrace agent doctor --file PATH` says why a file does not fit")


def _search(pattern: PathPattern, reach: Reach, seen: _Seen) -> None:
    """The files that a pattern finds, one level after the other."""
    level, depth = [pattern.base], 0
    if not reach.leads_on(os.path.realpath(pattern.base)):
        seen.forbidden.append(pattern.base)
        return
    while level and depth <= len(pattern.steps) + pattern.depth and seen.entries < MAX_ENTRIES:
        level = [below for directory in level for below in _directory(directory, pattern, depth, reach, seen)]
        depth += 1


def _directory(directory: str, pattern: PathPattern, depth: int, reach: Reach, seen: _Seen) -> list[str]:
    """Counts the files of one directory; those of its directories that are searched next."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except FileNotFoundError:
        seen.missing += [directory] if depth == 0 else []
        return []
    except OSError:
        seen.closed_directories.append(directory)
        return []
    below: list[str] = []
    for entry in entries[: MAX_ENTRIES - seen.entries]:
        if entry.is_dir() and (depth >= len(pattern.steps) or pattern.steps[depth].match(entry.name)):
            below += [entry.path] if reach.leads_on(os.path.realpath(entry.path)) else []
        elif entry.is_file() and depth >= len(pattern.steps) and pattern.name.match(entry.name):
            seen.files += 1
            seen.closed_files += [] if _opens(entry.path) else [entry.path]
    seen.entries += len(entries)
    return below


def _opens(path: str) -> bool:
    """Tried: access(2) does not count what the agent's capability gives it."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(f"`{path}`" for path in paths[:SHOWN])
    return shown if len(paths) <= SHOWN else f"{shown} and {len(paths) - SHOWN} more"
