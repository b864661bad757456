"""History on purpose: an import is a one-time run of a pipeline's processors and flushers over files that are named now."""

import fnmatch
import glob
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tailrace.agent.jobs import ONE_TIME, Job
from tailrace.errors import UsageError
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.walk import Look
from tailrace.inputs.static_file.listing import walk_once
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.model import PipelineConfig
from tailrace.pipeline.platform import Reach

DEPTH: Final = 1000
"""A directory that is named means all below it."""
NOT_TAKEN: Final = frozenset(
    {
        "Type", "FilePaths", "MaxDirSearchDepth", "ExcludeFilePaths", "ExcludeFiles", "ExcludeDirs", "TailSizeKB", "TailingAllMatchedFiles",
        "FlushTimeoutSecs", "Run", "ModifiedSince",
    }
)  # fmt: skip
"""Keys of `input_file` that say which files there are and how they are followed; an import names its own files."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be imported. `since` is seconds since the Unix epoch; 0: all."""

    paths: Sequence[str]
    """Absolute paths of files or directories, or patterns."""
    pipeline: str = ""
    """Empty: the one whose `FilePaths` name the first path."""
    since: int = 0
    id: str = ""
    excluded: Sequence[str] = ()
    """Paths that are left out: what has been collected already."""

    @classmethod
    def of(cls, question: "dict[str, Any]") -> "Request":
        """From a question of the local socket; its sender is the owner, its form is checked all the same. UsageError."""
        paths, since, pipeline = question.get("paths"), question.get("since", 0), question.get("pipeline", "")
        if not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path.startswith("/") for path in paths):
            raise UsageError("an import needs absolute paths", hint="`tailrace agent import PATH…`")
        if not isinstance(since, int) or not isinstance(pipeline, str):
            raise UsageError("an import needs a time in seconds and the name of a pipeline")
        return cls([str(path) for path in paths], pipeline, max(0, since))


def job_of(request: Request, pipelines: Sequence[PipelineConfig]) -> Job:
    """The run that imports it. UsageError when no pipeline fits, ConfigErrors when its options do not go together."""
    base = _base(request, pipelines)
    now = time.time()
    id_ = request.id or f"import-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{secrets.token_hex(3)}"
    config = from_document(_document(base, request, id_), id_)
    return Job(id_, config.name, base.name, created_at=now, config=config.canonical())


def _document(base: PipelineConfig, request: Request, id_: str) -> dict[str, Any]:
    document = base.document()
    source = next(one for one in document["inputs"] if one["Type"] in ("input_file", ONE_TIME))
    taken = {key: value for key, value in source.items() if key not in NOT_TAKEN}
    files = {"FilePaths": [_pattern(path) for path in request.paths], "MaxDirSearchDepth": DEPTH, "Run": id_}
    limits = {
        **({"ModifiedSince": request.since} if request.since else {}),
        "ExcludeFilePaths": [_literal(path) for path in request.excluded],
    }
    options = {**document.get("global", {}), **({"EarliestTime": request.since} if request.since else {})}
    return {**document, "configName": id_, "global": options, "inputs": [{**taken, **files, **limits, "Type": ONE_TIME}]}


def _base(request: Request, pipelines: Sequence[PipelineConfig]) -> PipelineConfig:
    usable = [one for one in pipelines if any(plugin.type in ("input_file", ONE_TIME) for plugin in one.inputs)]
    names = ", ".join(f"`{one.name}`" for one in usable) or "none"
    if request.pipeline:
        found = next((one for one in usable if one.name == request.pipeline), None)
        if found is None:
            raise UsageError(f"there is no file pipeline named `{request.pipeline}`", hint=f"file pipelines here: {names}")
        return found
    fitting = [one for one in usable if any(names_path(one, path) for path in request.paths)]
    if len(fitting) == 1 or (not fitting and len(usable) == 1):
        return (fitting or usable)[0]
    which = "several pipelines name these files" if fitting else "no pipeline names these files"
    raise UsageError(f"{which}, so it is not clear where their events go", hint=f"choose one with `--pipeline NAME`: {names}")


def names_path(pipeline: PipelineConfig, path: str) -> bool:
    """Whether one of the pipeline's `FilePaths` may mean `path`, or a rotated copy of what it means."""
    patterns = [text for plugin in pipeline.inputs if isinstance(plugin.config, FileConfig) for text in plugin.config.file_paths]
    return any(fnmatch.fnmatchcase(path, text.replace("/**/", "/*")) or fnmatch.fnmatchcase(path, f"{text}*") for text in patterns)


def _pattern(path: str) -> str:
    """A path as an entry of `FilePaths`: a directory means all below it, a file that is there means itself, all else is a pattern."""
    where = Path(path)
    if where.is_dir():
        return f"{_literal(os.path.realpath(path))}/**/*"
    return _literal(path) if where.exists() else path


def _literal(path: str) -> str:
    return glob.escape(path)


def files_of(pipeline: PipelineConfig, reach: Reach) -> dict[str, Look]:
    """The files that a run would take now, by path."""
    found: dict[str, Look] = {}
    for plugin in pipeline.inputs:
        if isinstance(plugin.config, FileConfig):
            found.update(walk_once(plugin.config, reach).files)
    return found


def collected(files: Mapping[str, Look], known: set[tuple[int, int]]) -> list[str]:
    """Paths of those files that the pipeline has read, wholly or in part."""
    return [path for path, look in files.items() if look[:2] in known]
