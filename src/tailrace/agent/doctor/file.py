"""Why a file is collected, or is not: what its path, its rights and its content say, pipeline by pipeline, without an agent at work."""

import os
import stat
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.running import NOT_RUNNING
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.content import is_compressed
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.patterns import Excluded, PathPattern
from tailrace.inputs.file.roots import HOST, Roots
from tailrace.pipeline.model import PipelineConfig
from tailrace.pipeline.platform import Reach, is_below

NO_PIPELINE = warning(
    "there is no pipeline that could name it", "is this the agent's home (`--home`)? `--pipelines` names files that lie elsewhere"
)


def examine_file(path: str, pipelines: Sequence[PipelineConfig], reach: Reach, seen: Sequence[Mapping[str, Any]] | None) -> list[Finding]:
    """What there is to say of an absolute path. `seen`: what the running agent says of it (rows of `status files`); None: none runs."""
    findings = [*_file(path, reach)]
    fitting: dict[str, tuple[int, ...]] = {}
    sharing: set[str] = set()
    for pipeline in pipelines:
        for config in [plugin.config for plugin in pipeline.inputs if isinstance(plugin.config, FileConfig)]:
            rank = Paths(config).ranking(Roots())(path)
            if rank is None:
                findings += [info(f"pipeline `{pipeline.name}`: no, {why}") for why in _why_not(path, config)]
            else:
                fitting[pipeline.name] = rank
                sharing |= {pipeline.name} if config.allowing_included_by_multi_configs else set()
    findings += _belongs(fitting, sharing) if pipelines else [NO_PIPELINE]
    if fitting and os.path.lexists(path):
        findings += _at_work(seen)
    return findings


# --- the file -----------------------------------------------------------------------------------------------------------------------
def _file(path: str, reach: Reach) -> Iterator[Finding]:
    real = os.path.realpath(path)
    if not reach.allows(real):
        remedy = "`allowed_roots` in HOME/agent.yaml says what may be read; the agent's own files never are"
        yield warning(f"the agent's own policy forbids to read `{real}`", remedy)
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        yield warning("there is no such file", "check the path; a file is found when it appears")
        return
    except OSError as error:
        remedy = "check the path, and the rights on its directories"
        yield warning(f"this user cannot look at it: {(error.strerror or str(error)).lower()}", remedy)
        return
    if not stat.S_ISREG(status.st_mode):
        yield warning("it is no regular file", "name a file: directories, pipes and devices are not read")
        return
    if real != path:
        yield info(f"a link leads to `{real}`")
    try:
        with Path(path).open("rb") as file:
            head = file.read(8)
    except OSError as error:
        remedy = "run this as the agent's user; if it is, give it the right, for instance by the group `adm`"
        yield warning(f"this user cannot read it: {(error.strerror or str(error)).lower()}", remedy)
        return
    if not head:
        yield info("it is empty: there is nothing to collect yet")
    elif is_compressed(head):
        yield warning("it is compressed, so it is no log that grows", f"`tailrace agent import {path}` reads it once")
    else:
        yield ok(f"it can be read and has {status.st_size:,} bytes")


# --- pipelines ----------------------------------------------------------------------------------------------------------------------
def _why_not(path: str, config: FileConfig) -> Iterator[str]:
    patterns = Paths(config).patterns(HOST)
    fitting = [pattern for pattern in patterns if pattern.matches(path)]
    if not fitting:
        yield from (_why_pattern(path, pattern, config) for pattern in patterns)
        return
    name = path.rpartition("/")[2]
    for entry in config.exclude_files:
        if Excluded.of(directories=(), names=[entry], paths=()).file(path, name):
            yield f"`ExcludeFiles` takes it out: `{entry}`"
    for entry in config.exclude_file_paths:
        if Excluded.of(directories=(), names=(), paths=[entry]).file(path, name):
            yield f"`ExcludeFilePaths` takes it out: `{entry}`"
    for entry in config.exclude_dirs:
        if all(Excluded.of(directories=[entry], names=(), paths=()).above(path, pattern.base) for pattern in fitting):
            yield f"`ExcludeDirs` takes its directory out: `{entry}`"


def _why_pattern(path: str, pattern: PathPattern, config: FileConfig) -> str:
    directory, _, name = path.rpartition("/")
    if not is_below(directory or "/", pattern.base):
        return f"it does not lie below `{pattern.base}` (`{pattern.text}`)"
    if not pattern.name.match(name):
        return f"its name does not fit `{pattern.text}`"
    below = [part for part in directory[len(pattern.base.rstrip("/")) :].split("/") if part]
    deeper = len(below) - len(pattern.steps)
    if pattern.depth < deeper:
        wanted = f"`MaxDirSearchDepth` is {config.max_dir_search_depth}" if "/**/" in pattern.text else "it has no `**`"
        return f"it lies {deeper} directories too deep for `{pattern.text}`: {wanted}"
    return f"its directories do not fit `{pattern.text}`"


def _belongs(fitting: Mapping[str, tuple[int, ...]], sharing: Container[str]) -> Iterator[Finding]:
    if not fitting:
        yield warning("no pipeline names it", "name it in `FilePaths` of one; above stands why each pipeline does not")
        return
    best = min(fitting, key=lambda name: (tuple(-part for part in fitting[name]), name))
    yield ok(f"it belongs to the pipeline `{best}`")
    for name in sorted(fitting):
        if name != best:
            also = (
                "reads it, too (`AllowingIncludedByMultiConfigs`)"
                if name in sharing
                else f"does not read it, it names it less well than `{best}`"
            )
            yield info(f"pipeline `{name}`: {also}")


# --- the agent ----------------------------------------------------------------------------------------------------------------------
def _at_work(seen: Sequence[Mapping[str, Any]] | None) -> Iterator[Finding]:
    if seen is None:
        yield warning("no agent runs on this home", NOT_RUNNING)
        return
    if not seen:
        yield info(
            "the agent does not read it yet: it stood there before its pipeline arrived and has not changed since, or the pipeline is not"
            " in force; `tailrace agent import` takes what is in it",
        )
    for row in seen:
        if row["last_error"]:
            yield warning(f"the agent says: {row['last_error']}", "docs/reference/alarms.md has what each alarm means")
        elif row["stream"]:
            yield ok(f"the agent has read {row['read']:,} of {row['size']:,} bytes, {row['committed']:,} are acknowledged")
