"""One-time runs of a home: what is imported, and pipelines that read files once. Each is a small file, `HOME/agent/jobs/<id>.json`.

The file is durable before anything is read, so that a run which was interrupted, however that happens, goes on at the next start.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from tailrace import telemetry
from tailrace.agent.kinds import checked
from tailrace.errors import StateError, TailraceError
from tailrace.journal import write_private
from tailrace.pipeline.contract import Progress
from tailrace.pipeline.loading import from_canonical
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig

ONE_TIME: Final = "input_static_file_onetime"
FORMAT: Final = 1
KEPT_FINISHED: Final = 100
"""Finished runs that are remembered, the latest ones."""

State: TypeAlias = Literal["running", "done", "timed out", "cancelled", "failed"]


@dataclass(slots=True)
class Job:
    """One run. Times are seconds since the Unix epoch."""

    id: str
    pipeline: str
    """Name of the pipeline at work for it."""
    base: str
    """Name of the pipeline whose processors and flushers it uses."""
    state: State = "running"
    created_at: float = 0.0
    finished_at: float = 0.0
    config: str = ""
    """Of an import: its pipeline, canonical. Empty: the pipeline is one of the agent's own."""
    inputs: str = ""
    """What the run was made for: its inputs, or its whole config with `ForceRerunWhenUpdate`."""
    timeout_secs: int = 0
    """0: it may take as long as it takes."""
    progress: dict[str, Any] | None = None

    @property
    def deadline(self) -> float | None:
        return self.created_at + self.timeout_secs if self.timeout_secs else None

    def row(self) -> dict[str, Any]:
        """For `tailrace agent status imports`."""
        progress = Progress(**self.progress) if self.progress else Progress(0, 0, 0, 0, 0, "")
        share = 100 if self.state == "done" else 100 * progress.bytes_done // progress.bytes if progress.bytes else 0
        return {
            "name": self.id,
            "pipeline": self.base,
            "state": self.state,
            "files": progress.files,
            "done": progress.files_done,
            "bytes": progress.bytes,
            "bytes_done": progress.bytes_done,
            "progress": f"{share} %",
            "missed": progress.missed,
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "last_error": progress.last_error,
        }


class Jobs:
    """The runs of a home. Used by one thread at a time. What writes raises StateError when that fails, as on a full disk."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "agent" / "jobs"
        self.all: dict[str, Job] = {job.id: job for job in self._load()}
        self.postponed: list[PipelineConfig] = []
        """Pipelines that run once and whose run could not be made durable: they wait for the disk."""
        self.changed: Callable[[], object] = lambda: None
        """Called when there is a run more or less, or one that is postponed; on the thread that did it."""

    @property
    def running(self) -> list[Job]:
        return [job for job in self.all.values() if job.state == "running"]

    def rows(self) -> list[dict[str, Any]]:
        jobs = list(self.all.values())  # in one step: another thread may ask
        return [job.row() for job in sorted(jobs, key=lambda one: one.created_at, reverse=True)]

    def add(self, job: Job) -> None:
        """Durable on return; else it is as if it had not been called."""
        self.save(job)
        self.all[job.id] = job
        finished = sorted((one for one in self.all.values() if one.state != "running"), key=lambda one: one.finished_at)
        for old in finished[: max(0, len(finished) - KEPT_FINISHED)]:
            del self.all[old.id]
            self._path(old.id).unlink(missing_ok=True)
            self._files(old.id).unlink(missing_ok=True)
        self.changed()

    def note_files(self, job: Job, keys: Iterable[str]) -> None:
        """Durable on return: which files a run takes, by their identities. Before `add`: without its run a note says nothing."""
        self._write(self._files(job.id), "".join(f"{key}\n" for key in keys))

    def notes(self, base: str) -> list[Path]:
        """Notes of the files that imports by a pipeline have taken, as far back as runs are remembered; for `read_notes`."""
        return [self._files(job.id) for job in self.all.values() if job.base == base and job.state != "cancelled"]

    def save(self, job: Job) -> None:
        self._write(self._path(job.id), json.dumps({"format": FORMAT, **asdict(job)}))

    def _write(self, path: Path, text: str) -> None:
        try:
            write_private(path, text)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StateError(f"cannot write what is known of a one-time run, `{path}`: {reason}") from error

    def finish(self, job: Job, state: State) -> None:
        job.state, job.finished_at = state, time.time()
        self.add(job)

    # --- pipelines --------------------------------------------------------------------------------------------------------------
    def at_work(self, pipelines: Sequence[PipelineConfig]) -> list[PipelineConfig]:
        """What has to run: the agent's pipelines without those whose one run is over, and the imports that are not."""
        return [*self.own(pipelines), *self._imports()]

    def own(self, pipelines: Sequence[PipelineConfig]) -> list[PipelineConfig]:
        """Those of the agent's pipelines that have to run. One that reads files once waits until its run can be made durable: else another
        start would read everything again."""
        at_work: list[PipelineConfig] = []
        for pipeline in pipelines:
            try:
                named = self._own(pipeline)
            except StateError as error:
                self.postponed.append(pipeline)
                self.changed()
                message = "cannot begin a one-time run; it is tried again"
                telemetry.alarm("LOAD_LOCAL_EVENT_ALARM", message, pipeline=pipeline.name, reason=error.message)
            else:
                at_work += [named] if named is not None else []
        return at_work

    def take_postponed(self) -> list[PipelineConfig]:
        """Those of `postponed` that can begin now."""
        waiting, self.postponed = self.postponed, []
        return self.own(waiting)

    def _imports(self) -> Iterator[PipelineConfig]:
        for job in [job for job in self.running if job.config]:
            try:
                yield from_canonical(job.config)
            except TailraceError as error:  # the others run; this one does when a release or plugin is back that knows it
                message = "cannot go on with an import: its pipeline cannot be loaded"
                telemetry.alarm("USER_CONFIG_ALARM", message, run=job.id, reason=error.message)

    def _own(self, pipeline: PipelineConfig) -> PipelineConfig | None:
        if not any(plugin.type == ONE_TIME for plugin in pipeline.inputs):
            return pipeline
        known = self.all.get(pipeline.name)
        inputs = _made_for(pipeline)
        if known is None or known.inputs != inputs:
            timeout = pipeline.global_options.excution_timeout
            known = Job(pipeline.name, pipeline.name, pipeline.name, created_at=time.time(), inputs=inputs, timeout_secs=timeout)
            self.add(known)
        run = f"{pipeline.name}-{int(known.created_at * 1000):x}"[-64:]
        return with_run(pipeline, run) if known.state == "running" else None

    def _load(self) -> Iterator[Job]:
        for path in sorted(self._directory.glob("*.json")):
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                if document.pop("format") == FORMAT:
                    yield _job(document)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                telemetry.alarm("LOAD_LOCAL_EVENT_ALARM", "cannot read what is known of a one-time run", path=str(path), reason=str(error))

    def _path(self, id_: str) -> Path:
        return self._directory / f"{id_}.json"

    def _files(self, id_: str) -> Path:
        return self._directory / f"{id_}.files"


def read_notes(notes: Iterable[Path]) -> set[str]:
    """The identities of files that were noted. What cannot be read is named by an alarm."""
    found: set[str] = set()
    for path in notes:
        try:
            found.update(path.read_text(encoding="utf-8").split())
        except FileNotFoundError:  # a pipeline that runs once notes none
            continue
        except (OSError, ValueError) as error:
            message = "cannot read which files an import has taken; they may be imported again"
            telemetry.alarm("LOAD_LOCAL_EVENT_ALARM", message, path=str(path), reason=str(error))
    return found


def with_run(pipeline: PipelineConfig, run: str) -> PipelineConfig:
    """The pipeline with its one-time inputs named after their run."""
    return replace(pipeline, inputs=tuple(_named(plugin, run) for plugin in pipeline.inputs))


def _named(plugin: ConfiguredPlugin, run: str) -> ConfiguredPlugin:
    if plugin.type != ONE_TIME:
        return plugin
    return replace(plugin, config=type(plugin.config).model_validate({**plugin.config.document(), "Run": run}))


def _made_for(pipeline: PipelineConfig) -> str:
    if pipeline.global_options.force_rerun_when_update:
        return pipeline.version
    inputs = json.dumps([plugin.document() for plugin in pipeline.inputs], sort_keys=True)
    return hashlib.sha256(inputs.encode()).hexdigest()


def _job(document: dict[str, Any]) -> Job:
    """TypeError when its values are not what a run has."""
    job = checked(Job(**document))
    if job.state not in get_args(State):
        raise TypeError("`state` is of another kind")
    if job.progress:
        job.row()
    return job
