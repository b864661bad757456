"""What `tailrace up` collects: patterns of files, and the pipeline file that says so to the agent."""

import fnmatch
import glob
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tailrace.cli.home import Home
from tailrace.errors import UsageError

MACHINE_LOGS: Final = "/var/log/**/*.log"
PIPELINE_FILE: Final = "up.yaml"
WHOLE_DIRECTORY: Final = "/**/*"
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


def as_pattern(text: str) -> str:
    """A `--collect` word as an absolute pattern: a directory means every file below it; what is there has no wildcards in its name."""
    path = os.path.abspath(Path(text).expanduser())  # noqa: PTH100  # a pattern, not a path: nothing may be resolved
    if not Path(path).exists():
        return path
    literal = glob.escape(path)
    return f"{literal.rstrip('/')}{WHOLE_DIRECTORY}" if Path(path).is_dir() else literal


def patterns(home: Home) -> list[str]:
    """All that is collected, this machine's logs first."""
    wanted = [MACHINE_LOGS] if home.machine_logs else []
    return [*wanted, *(pattern for pattern in home.collect if pattern not in wanted)]


def is_no_text(pattern: str) -> bool:
    """Whether all that it matches is left out for its name."""
    return any(fnmatch.fnmatch(Path(pattern).name, name) for name in NOT_TEXT)


def check(home: Home) -> None:
    """UsageError when there is nothing to collect, or a pattern that the agent could not search: before anything is written or started."""
    from tailrace.inputs.file.config import FileConfig

    for problem in FileConfig.model_construct(file_paths=patterns(home)).problems():
        raise UsageError(problem.message, hint="it looks like `/srv/app/*.log` or, with all directories below, `/srv/app/**/*.log`")
    if not patterns(home) and not own_pipelines(home).names:
        raise UsageError(
            "there is nothing to collect: no file is named, and this machine's logs are left out",
            hint="name some with `--collect PATH`, or take the machine's with `--machine-logs`",
        )


def source(home: Home) -> dict[str, Any]:
    """Options of the `input_file`; what stands in the files already is imported once. Left out is what Tailrace itself writes, its home and
    files that its output goes to, and below a directory what is hidden, such as the files of a version control."""
    hidden = [f"{pattern.removesuffix('/*')}/.*" for pattern in patterns(home) if pattern.endswith(WHOLE_DIRECTORY)]
    return {
        "FilePaths": patterns(home),
        "MaxDirSearchDepth": DEPTH,
        "TailingAllMatchedFiles": True,
        "ExcludeDirs": [str(home.directory), *hidden],
        "ExcludeFilePaths": [*_own_output(), *hidden],
        "ExcludeFiles": list(NOT_TEXT),
    }


def pipeline(home: Home, endpoint: str, project: str, logstore: str) -> dict[str, Any]:
    """The pipeline of `tailrace up`."""
    flusher = {"Type": "flusher_sls", "Endpoint": endpoint, "Project": project, "Logstore": logstore}
    return {"inputs": [{"Type": "input_file", **source(home)}], "flushers": [flusher]}


def write_pipeline(home: Home, document: dict[str, Any]) -> Path:
    """Its file; there is none while all that is collected is in other pipelines."""
    path = home.pipelines / PIPELINE_FILE
    if not patterns(home):
        path.unlink(missing_ok=True)
        return path
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


def _own_output() -> list[str]:
    """Regular files that stdout and stderr of this process are redirected to: their lines must not come back as logs."""
    from tailrace.agent.platform.descriptors import file_behind

    return list(dict.fromkeys(file for descriptor in (1, 2) if (file := file_behind(descriptor))))
