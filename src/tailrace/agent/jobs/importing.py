"""History on purpose: an import is a one-time run of a pipeline's processors and flushers over files that are named now."""

import contextlib
import glob
import itertools
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tailrace.agent.jobs.jobs import ONE_TIME, Job
from tailrace.errors import UsageError
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.generation import FileId, file_of, stream_key
from tailrace.inputs.file.roots import Roots
from tailrace.inputs.file.rotation import family
from tailrace.inputs.static_file.config import StaticFileConfig
from tailrace.inputs.static_file.listing import is_wanted, walk_once
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.model import PipelineConfig
from tailrace.pipeline.platform import FileIdentity, Platform

DEPTH: Final = 1000
"""A directory that is named means all below it."""
MOST_ASKED: Final = 1000
"""Files that a pattern finds, of which it is asked whose they are."""
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
    is_ours: bool = True
    """Of this machine's administrator, who may hear the names of all pipelines; otherwise a project's, which may not."""

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
        if found is None and not request.is_ours:
            raise UsageError(f"this agent runs no config `{request.pipeline}` that reads files")
        if found is None:
            raise UsageError(f"there is no file pipeline named `{request.pipeline}`", hint=f"file pipelines here: {names}")
        return found
    named = [path for text in request.paths for path in _stands_for(text)]
    fitting = [one for one in usable if names_any(one, named)]
    if len(fitting) == 1 or (not fitting and len(usable) == 1):
        return (fitting or usable)[0]
    if not usable:
        raise UsageError(
            "no pipeline here collects files, so it is not clear where these events go",
            hint="import with the home of the agent that has one (`--home`)",
        )
    which = "several pipelines name these files" if fitting else "no pipeline names these files"
    raise UsageError(f"{which}, so it is not clear where their events go", hint=f"choose one with `--pipeline NAME`: {names}")


def names_any(pipeline: PipelineConfig, paths: Sequence[str]) -> bool:
    """Whether the pipeline's file inputs name one of the paths, or the live file that one was rotated away from."""
    rankings = [Paths(plugin.config).ranking(Roots()) for plugin in pipeline.inputs if isinstance(plugin.config, FileConfig)]
    return any(ranking(one) is not None for ranking in rankings for path in paths for one in family(path))


def _stands_for(text: str) -> list[str]:
    """A path, or the first files that a pattern finds."""
    found = () if Path(text).exists() else glob.iglob(text, recursive=True)  # noqa: PTH207 - an absolute pattern
    return list(itertools.islice(found, MOST_ASKED)) or [text]


def _pattern(path: str) -> str:
    """A path as an entry of `FilePaths`: a directory means all below it, a file that is there means itself, all else is a pattern."""
    where = Path(path)
    if where.is_dir():
        return f"{_literal(os.path.realpath(path))}/**/*"
    return _literal(path) if where.exists() else path


def _literal(path: str) -> str:
    return glob.escape(path)


def files_of(pipeline: PipelineConfig, platform: Platform) -> dict[str, str]:
    """The files that a run would take now: path and identity (device, inode and birth time). What is gone meanwhile is left out."""
    found: dict[str, str] = {}
    for config in [plugin.config for plugin in pipeline.inputs if isinstance(plugin.config, StaticFileConfig)]:
        for path, look in walk_once(config, platform.reach).files.items():
            if is_wanted(config, look):
                with contextlib.suppress(OSError):
                    found[path] = stream_key(FileIdentity(look.st_dev, look.st_ino, platform.born_at(path)))
    return found


def known(files: Mapping[str, str], collected: set[FileId], imported: set[str]) -> list[str]:
    """Paths of those files that have been read, wholly or in part: followed by the pipeline, or taken by an import before."""
    return [path for path, key in files.items() if key in imported or file_of(key) in collected]
