"""Copies of everything that a server holds, made while it runs (`backup_files` says what one is)."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

import msgspec

from tailrace import __version__, telemetry
from tailrace.errors import BusyError, TailraceError, UsageError
from tailrace.journal import sync_directory, write_private
from tailrace.server.backup_files import (
    CREATE,
    DATABASE,
    FORMAT_VERSION,
    HOME,
    JOURNAL,
    MANIFEST,
    PARTS,
    TABLES,
    Manifest,
    copy_file,
    digest,
)
from tailrace.server.db.database import copy_database
from tailrace.server.store.port import Snapshot, Store

OWN_FILES = ("home.json", "server.yaml", "ca.pem", "server/id")
NOT_OURS = "agent"
"""Begins the names of secrets of an agent on the same machine: two agents must never share them."""

log = telemetry.logger("server.backup")


class Progress(msgspec.Struct):
    """Of the last backup of this process."""

    state: Literal["none", "running", "done", "failed"] = "none"
    directory: str = ""
    bytes: int = 0
    trouble: str = ""


class Backups:
    """One at a time. `held` keeps the metadata as they are."""

    def __init__(self, home: Path, store: Store, held: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self._home, self._store, self._held = home, store, held
        self.progress = Progress()
        self._task: asyncio.Task[None] | None = None

    def start(self, directory: Path) -> None:
        """Raises UsageError for a directory that holds something, BusyError while another one is made."""
        if self._task is not None and not self._task.done():
            raise BusyError("another backup is being made", hint="`tailrace backup status` tells how far it is")
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
        try:
            await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
            database = directory / HOME / DATABASE
            database.parent.mkdir(mode=0o700, parents=True)

            async def metadata() -> None:
                await asyncio.to_thread(copy_database, self._home / DATABASE, database)

            async with self._held(), self._store.snapshot(metadata) as snapshot:
                await asyncio.to_thread(self._copy, snapshot, directory)
        except (TailraceError, OSError) as error:
            self.progress.state, self.progress.trouble = "failed", getattr(error, "message", str(error))
            telemetry.alarm("BACKUP_ALARM", "a backup could not be made", directory=str(directory), reason=self.progress.trouble)
            return
        self.progress.state = "done"
        log.info("a backup was made", directory=str(directory), bytes=self.progress.bytes)

    def _copy(self, snapshot: Snapshot, directory: Path) -> None:
        manifest = Manifest(FORMAT_VERSION, __version__, time.time())
        manifest.files[f"{HOME}/{DATABASE}"] = digest(directory / HOME / DATABASE)
        for source, length, name in [*_own_files(self._home), *_journal_files(snapshot), *_table_files(snapshot)]:
            manifest.files[name] = copied = copy_file(source, directory / name, length)
            self.progress.bytes += copied.size
        for table in snapshot.tables:
            name = f"{TABLES}/{table.logstore}/{CREATE}"
            (directory / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(directory / name, table.create)
            manifest.files[name] = digest(directory / name)
        write_private(directory / MANIFEST, msgspec.json.encode(manifest).decode())
        sync_directory(directory)


def _own_files(home: Path) -> Iterator[tuple[Path, int | None, str]]:
    secrets = [path for path in (home / "secret").rglob("*") if path.is_file()]
    ours = [path for path in secrets if not path.relative_to(home / "secret").parts[0].startswith(NOT_OURS)]
    for path in [*(home / name for name in OWN_FILES), *ours]:
        if path.exists():
            yield path, None, f"{HOME}/{path.relative_to(home)}"


def _journal_files(snapshot: Snapshot) -> Iterator[tuple[Path, int | None, str]]:
    for path, length in snapshot.journal:
        yield path, length, f"{HOME}/{JOURNAL}/{path.name}"


def _table_files(snapshot: Snapshot) -> Iterator[tuple[Path, int | None, str]]:
    for table in snapshot.tables:
        for path in sorted(table.directory.rglob("*")):
            if path.is_file():
                yield path, None, f"{TABLES}/{table.logstore}/{PARTS}/{path.relative_to(table.directory)}"
