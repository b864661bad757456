"""Export jobs: files that the server writes in the background and keeps for a day.

DIRECTORY/<id>.json    what the job is, written when it begins and when it ends
DIRECTORY/<id>.part    a file that is being written
DIRECTORY/<id>         one that is whole
"""

import asyncio
import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.query.exporting import Export
from tailrace.server.query.formats import Format

KEEP_SECS = 86_400
MAX_JOBS = 100
"""Of one project, those that are done included."""
MIN_FREE_DISK = 0.1

log = telemetry.logger("server.exports")


@dataclass
class Job:
    """Times are Unix seconds. `logstore` is its id, for names are used again: nobody gets the events of one that bore it before."""

    id: str
    project: str
    logstore: int
    query: str
    format: Format
    created: int
    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    rows: int = 0
    bytes: int = 0
    message: str = ""


class Exports:
    """One per server. One job runs at a time: the others wait."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)

    async def open(self) -> None:
        """What was not done when the server ended has failed."""
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._directory.glob("*.json"):
            job = _read(path)
            if job is None:
                log.warning("an export job cannot be read and is removed", file=str(path))
                path.unlink()
                continue
            if job.status != "done":
                job.status, job.message = "failed", "the server was restarted"
            self._jobs[job.id] = job
        for path in self._directory.iterdir():
            if path.suffix == ".part" or path.name.removesuffix(".json") not in self._jobs:
                path.unlink()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def start(self, project: str, logstore: int, export: Export) -> Job:
        """Raises ApiError 400 where the project has too many, 503 when the disk does not take one."""
        self._expire()
        if sum(job.project == project for job in self._jobs.values()) >= MAX_JOBS:
            raise ApiError(400, "ParameterInvalid", f"project `{project}` has {MAX_JOBS} export jobs already: delete some")
        job = Job(secrets.token_hex(8), project, logstore, export.statement, export.kind, int(time.time()))
        try:
            self._note(job)
            (self._directory / f"{job.id}.part").touch(mode=0o600)
        except OSError as error:
            self._remove(job)
            raise ApiError(503, "ServerBusy", f"cannot begin an export: {error.strerror}") from error
        self._jobs[job.id] = job
        task = asyncio.create_task(self._run(job, export))
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
        return job

    def jobs(self, logstore: int) -> list[Job]:
        """The newest first."""
        self._expire()
        found = [job for job in self._jobs.values() if job.logstore == logstore]
        return sorted(found, key=lambda job: job.created, reverse=True)

    def job(self, logstore: int, number: str) -> Job:
        """Raises ApiError 404."""
        found = self._jobs.get(number)
        if found is None or found.logstore != logstore:
            raise ApiError(404, "ExportNotExist", f"export `{number[:40]}` does not exist")
        return found

    def file(self, job: Job) -> Path:
        """Raises ApiError 400 for one that is not done."""
        if job.status != "done":
            raise ApiError(400, "ExportNotDone", f"export `{job.id}` is {job.status}: {job.message or 'ask again later'}")
        return self._directory / job.id

    async def delete(self, job: Job) -> None:
        task = self._tasks.get(job.id)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._remove(job)

    async def forget(self, logstore: int) -> None:
        """Its jobs go with it."""
        for job in self.jobs(logstore):
            await self.delete(job)

    async def _run(self, job: Job, export: Export) -> None:
        partial = self._directory / f"{job.id}.part"
        try:
            async with self._turn:
                job.status = "running"
                await self._write(job, export, partial)
            partial.replace(self._directory / job.id)
            job.status = "done"
        except Exception as error:  # noqa: BLE001 - the root of a task: whatever it is, the one who waits for the job has to learn of it
            job.status, job.message = "failed", error.message if isinstance(error, TailraceError) else str(error) or repr(error)
            log.warning("an export failed", job=job.id, reason=job.message)
        finally:
            with contextlib.suppress(FileNotFoundError):
                partial.unlink()
        try:
            self._note(job)
        except OSError as error:
            log.warning("the end of an export cannot be noted: after a restart it has failed", job=job.id, reason=error.strerror)

    async def _write(self, job: Job, export: Export, path: Path) -> None:
        with path.open("wb") as file:
            async for part in export.parts():
                usage = shutil.disk_usage(self._directory)
                if usage.free - len(part) < usage.total * MIN_FREE_DISK:
                    raise ApiError(400, "ServerBusy", f"less than {MIN_FREE_DISK:.0%} of the server's disk is free")
                await asyncio.to_thread(file.write, part)
                job.rows, job.bytes = export.exported, job.bytes + len(part)

    def _note(self, job: Job) -> None:
        document: Mapping[str, Any] = asdict(job)
        (self._directory / f"{job.id}.json").write_text(json.dumps(document), "utf-8")

    def _expire(self) -> None:
        for job in [job for job in self._jobs.values() if job.created < time.time() - KEEP_SECS and job.id not in self._tasks]:
            self._remove(job)

    def _remove(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        for path in (self._directory / f"{job.id}{ending}" for ending in ("", ".part", ".json")):
            path.unlink(missing_ok=True)


def _read(path: Path) -> Job | None:
    """None for what is damaged, or of a release that noted the logstore's name: that may be another's by now."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return Job(**document) if isinstance(document["logstore"], int) else None
    except (ValueError, TypeError, KeyError):
        return None
