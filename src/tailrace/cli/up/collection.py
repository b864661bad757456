"""What `tailrace up` collects: patterns of files, what stands behind them at present, and the pipeline file that says so to the agent."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tailrace.cli.home import Home

MACHINE_LOGS: Final = "/var/log/**/*.log"
PIPELINE_FILE: Final = "up.yaml"
DEPTH: Final = 100
"""Levels below a `**`: deeper than any log directory, and far below the 1000 that are allowed."""
NOT_TEXT: Final = ("*.gz", "*.xz", "*.bz2", "*.zst", "*.lz4", "*.zip", "*.tar", "*.tgz", "*.journal", "*.db")
"""Names in a directory that are no lines of text."""
HEADER: Final = """\
# Written by `tailrace up` at every start, from HOME/home.json. Put pipelines of your own into files beside this one.
"""


@dataclass(slots=True)
class OwnPipelines:
    """Pipeline files that somebody put beside ours: names of the pipelines that run, and why a file does not."""

    names: list[str] = field(default_factory=list[str])
    broken: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Survey:
    """The files that the patterns match now. `unreadable` are files and directories that this user may not read."""

    sizes: dict[str, int] = field(default_factory=dict[str, int])
    unreadable: list[str] = field(default_factory=list[str])
    unmatched: list[str] = field(default_factory=list[str])
    """Patterns that match nothing yet."""

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def as_pattern(text: str) -> str:
    """A `--collect` word as an absolute pattern: a directory means every file below it."""
    path = os.path.abspath(Path(text).expanduser())  # noqa: PTH100  # a pattern, not a path: nothing may be resolved
    return f"{path}/**/*" if Path(path).is_dir() else path


def patterns(home: Home) -> list[str]:
    """All that is collected, this machine's logs first."""
    wanted = [MACHINE_LOGS] if home.machine_logs else []
    return [*wanted, *(pattern for pattern in home.collect if pattern not in wanted)]


def survey(home: Home) -> Survey:
    """Look at the file system once."""
    found = Survey()
    excluded = excluded_paths(home)
    for pattern in patterns(home):
        every = glob.iglob(pattern, recursive=True)  # noqa: PTH207  # takes an absolute pattern, which Path.glob does not
        matches = [path for path in every if _is_collected(path, excluded)]
        if not matches:
            found.unmatched.append(pattern)
        for path in matches:
            try:
                found.sizes[path] = Path(path).stat().st_size
            except OSError:
                continue  # gone since
            if not os.access(path, os.R_OK):
                found.unreadable.append(path)
                del found.sizes[path]
        found.unreadable += _closed_directories(pattern)
    return found


def excluded_paths(home: Home) -> list[str]:
    """What must never be collected because Tailrace itself writes it: its home, and files that its output goes to."""
    return [str(home.directory), *_own_output()]


def pipeline(home: Home, endpoint: str, project: str, logstore: str) -> dict[str, Any]:
    """The pipeline of `tailrace up`; what stands in the files already is imported once."""
    return {
        "inputs": [
            {
                "Type": "input_file",
                "FilePaths": patterns(home),
                "MaxDirSearchDepth": DEPTH,
                "TailingAllMatchedFiles": True,
                "ExcludeDirs": [str(home.directory)],
                "ExcludeFilePaths": _own_output(),
                "ExcludeFiles": list(NOT_TEXT),
            }
        ],
        "flushers": [{"Type": "flusher_sls", "Endpoint": endpoint, "Project": project, "Logstore": logstore}],
    }


def write_pipeline(home: Home, document: dict[str, Any]) -> Path:
    path = home.pipelines / PIPELINE_FILE
    text = HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def own_pipelines(home: Home) -> OwnPipelines:
    """What the agent will find in HOME/pipelines beside `up.yaml`."""
    from tailrace.pipeline.loading import load_directory

    found = OwnPipelines()
    loaded = load_directory(home.pipelines, broken=lambda path, error: found.broken.update({path.name: error.errors[0].message}))
    found.names = [config.name for config in loaded if config.name != Path(PIPELINE_FILE).stem]
    return found


def _is_collected(path: str, excluded: list[str]) -> bool:
    name = Path(path)
    if any(path == other or path.startswith(f"{other}/") for other in excluded) or any(name.match(suffix) for suffix in NOT_TEXT):
        return False
    return name.is_file()


def _closed_directories(pattern: str) -> Iterator[str]:
    """Directories below the fixed part of `pattern` that cannot be listed."""
    root = pattern.split("*", 1)[0].rpartition("/")[0] or "/"
    if "**" not in pattern:
        return
    closed: list[str] = []
    for _ in os.walk(root, onerror=lambda error: closed.append(str(error.filename)) if isinstance(error, PermissionError) else None):
        pass
    yield from closed


def _own_output() -> list[str]:
    """Regular files that stdout and stderr of this process are redirected to: their lines must not come back as logs."""
    from tailrace.agent.platform.descriptors import file_behind

    return list(dict.fromkeys(file for descriptor in (1, 2) if (file := file_behind(descriptor))))
