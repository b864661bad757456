"""Copies of everything that a server holds, made while it runs (`backup_files` says what one is)."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Literal

import msgspec

from tailrace import __version__, telemetry
from tailrace.errors import BusyError, UsageError
from tailrace.journal import sync_directory, write_private
from tailrace.server.backup_files import (
    CREATE,
    DATABASE,
    FORMAT_VERSION,
    HOME,
    JOURNAL,
    MANIFEST,
    PARTS,
    QUARANTINE,
    TABLES,
    Manifest,
    copy_file,
    digest,
)
from tailrace.server.db.database import copy_database
from tailrace.server.settings import Settings
from tailrace.server.store.port import Snapshot, Store

OWN_FILES = ("home.json", "server.yaml", "ca.pem", "server/id")
NOT_OURS = "agent"
"""Begins the names of secrets of an agent on the same machine: two agents must never share them."""

_File = tuple[Path, int | None, str]
"""Where it lies, how many bytes of it count (None: all), its name in the backup."""

log = telemetry.logger("server.backup")


class Progress(msgspec.Struct):
    """Of the last backup of this process."""

    state: Literal["none", "running", "done", "failed"] = "none"
    directory: str = ""
    bytes: int = 0
    trouble: str = ""


class Backups:
    """One at a time. `held` keeps the metadata as they are."""

    def __init__(self, settings: Settings, store: Store, held: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self._home, self._elsewhere, self._store, self._held = settings.home, bool(settings.database), store, held
        self.progress = Progress()
        self._task: asyncio.Task[None] | None = None

    def start(self, directory: Path) -> None:
        """Raises UsageError for a directory that holds something and for metadata in PostgreSQL, BusyError while another one is made."""
        if self._elsewhere:
            raise UsageError(
                "the metadata lie in PostgreSQL (`database`), of which no backup can be made here",
                hint="stop the server, copy its home, and take the database with `pg_dump` (docs/howto/metadata-in-postgresql.md)",
            )
        if self._task is not None and not self._task.done():
            raise BusyError("another backup is being made", hint="wait until it is done: `GET /api/v1/backup` tells how far it is")
        if not directory.is_absolute() or (directory.exists() and any(directory.iterdir())):
            raise UsageError(f"`{directory}` is not an absolute path of an empty or new directory", hint="give each backup one of its own")
        self.progress = Progress("running", str(directory))
        self._task = asyncio.create_task(self._make(directory), name="backup")

    async def stop(self) -> None:
        """What was not finished is no backup."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _make(self, directory: Path) -> None:
        manifest = Manifest(FORMAT_VERSION, __version__, time.time())

        async def metadata() -> None:
            await asyncio.to_thread(self._copy_own, directory, manifest)

        try:
            await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
            async with AsyncExitStack() as stack:
                async with self._held():
                    snapshot = await stack.enter_async_context(self._store.snapshot(metadata))
                # Links keep the tables' files as they are: logstores and indexes may change for as long as this takes.
                await asyncio.to_thread(self._copy, snapshot, directory, manifest)
        except Exception as error:  # noqa: BLE001 - whatever ends this task (SQLite on a full disk, too): its state is all that anyone sees of it
            self.progress.state = "failed"
            self.progress.trouble = getattr(error, "message", "") or str(error) or type(error).__name__
            telemetry.alarm("BACKUP_ALARM", "a backup could not be made", directory=str(directory), reason=self.progress.trouble)
            return
        self.progress.state = "done"
        log.info("a backup was made", directory=str(directory), bytes=self.progress.bytes)

    def _copy_own(self, directory: Path, manifest: Manifest) -> None:
        database = directory / HOME / DATABASE
        database.parent.mkdir(mode=0o700, parents=True)
        copy_database(self._home / DATABASE, database)
        manifest.files[f"{HOME}/{DATABASE}"] = digest(database)
        self._copy_files(_own_files(self._home), directory, manifest)

    def _copy_files(self, files: Iterable[_File], directory: Path, manifest: Manifest) -> None:
        for source, length, name in files:
            manifest.files[name] = copied = copy_file(source, directory / name, length)
            self.progress.bytes += copied.size

    def _copy(self, snapshot: Snapshot, directory: Path, manifest: Manifest) -> None:
        files = [*_journal_files(snapshot), *_all_below(snapshot.quarantine, f"{HOME}/{QUARANTINE}"), *_table_files(snapshot)]
        _check_room(files, directory)
        self._copy_files(files, directory, manifest)
        for table in snapshot.tables:
            name = f"{TABLES}/{table.logstore}/{CREATE}"
            (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(directory / name, table.create)
            manifest.files[name] = digest(directory / name)
        write_private(directory / MANIFEST, msgspec.json.encode(manifest).decode())
        sync_directory(directory)


def _check_room(files: Iterable[_File], directory: Path) -> None:
    """Raises BusyError where they cannot all be there. Each takes whole blocks."""
    place = os.statvfs(directory)
    block = place.f_frsize
    needed = sum(-(-(path.stat().st_size if length is None else length) // block) * block for path, length, _ in files)
    free = place.f_bavail * block
    if needed > free:
        raise BusyError(f"the backup needs {needed} bytes, `{directory}` has room for {free}", hint="make room, or take another disk")


def _own_files(home: Path) -> Iterator[_File]:
    secrets = [path for path in (home / "secret").rglob("*") if path.is_file()]
    ours = [path for path in secrets if not path.relative_to(home / "secret").parts[0].startswith(NOT_OURS)]
    for path in [*(home / name for name in OWN_FILES), *ours]:
        if path.exists():
            yield path, None, f"{HOME}/{path.relative_to(home)}"


def _journal_files(snapshot: Snapshot) -> Iterator[_File]:
    for path, length in snapshot.journal:
        yield path, length, f"{HOME}/{JOURNAL}/{path.name}"


def _table_files(snapshot: Snapshot) -> Iterator[_File]:
    for table in snapshot.tables:
        yield from _all_below(table.directory, f"{TABLES}/{table.logstore}/{PARTS}")


def _all_below(directory: Path, name: str) -> Iterator[_File]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path, None, f"{name}/{path.relative_to(directory)}"
