"""Makes a home of a backup: a server that is started there goes on where the other one was."""

import asyncio
import shutil
from pathlib import Path

from tailrace.errors import StateError
from tailrace.journal import sync_directory
from tailrace.server.backup_files import CREATE, ENGINE, HOME, PARTS, TABLES, Manifest, check, copy_file
from tailrace.server.store.engine import Engine
from tailrace.server.store.freezing import Freezing
from tailrace.server.store.port import FrozenTable


async def restore(backup: Path, home: Path) -> Manifest:
    """Raises StateError for a home that holds something, DamagedError for a backup that is not whole, EngineError."""
    partial = home.with_name(f"{home.name}.restoring")
    await asyncio.to_thread(_check_place, home, partial)
    manifest = await asyncio.to_thread(check, backup)
    partial.mkdir(mode=0o700, parents=True)
    for name in manifest.files:
        await asyncio.to_thread(copy_file, backup / name, _place(name, partial), None)
    engine = Engine(partial / ENGINE)
    await engine.open()
    try:
        for directory in sorted((partial / TABLES).glob("*")):
            create = (directory / CREATE).read_text("utf-8")
            await Freezing(engine).thaw(FrozenTable(int(directory.name), create, directory / PARTS))
    finally:
        await engine.close()
    await asyncio.to_thread(_finish, partial, home)
    return manifest


def _check_place(home: Path, partial: Path) -> None:
    if home.exists() and any(home.iterdir()):
        raise StateError(f"`{home}` is not empty", hint="restore into a new home")
    if partial.exists():
        raise StateError(f"`{partial}` is there: a restore was interrupted, or runs", hint="remove it, if none runs")


def _place(name: str, home: Path) -> Path:
    return home / name.removeprefix(f"{HOME}/") if name.startswith(f"{HOME}/") else home / name


def _finish(partial: Path, home: Path) -> None:
    shutil.rmtree(partial / TABLES, ignore_errors=True)
    if home.exists():
        home.rmdir()
    partial.rename(home)
    sync_directory(home.parent)
