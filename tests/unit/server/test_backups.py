"""A backup holds up changes for a moment only, and says why it cannot be made, whatever the reason is."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tailrace.errors import UsageError
from tailrace.server.backup import Backups, Progress
from tailrace.server.settings import Settings
from tailrace.server.store.port import Snapshot


class Still:
    """A store that has a journal only, of this one file."""

    def __init__(self, journal: Path, length: int) -> None:
        self._journal, self._length = journal, length
        self.links = 0

    @asynccontextmanager
    async def snapshot(self, also: Callable[[], Awaitable[None]]) -> AsyncGenerator[Snapshot]:
        await also()
        self.links += 1
        try:
            yield Snapshot([], [(self._journal, self._length)], self._journal.with_name("quarantine"))
        finally:
            self.links -= 1


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "server").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / "home" / "server" / "meta.db")) as database:
        database.execute("CREATE TABLE projects (name)")
    return tmp_path / "home"


def backups(home: Path, journal: Path, length: int, changing: asyncio.Lock | None = None) -> tuple[Backups, Still]:
    store, lock = Still(journal, length), changing or asyncio.Lock()
    return Backups(Settings(home=home), store, lambda: lock), store  # type: ignore[arg-type]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.005)


async def finished(made: Backups) -> Progress:
    await until(lambda: made.progress.state != "running")
    return made.progress


async def test_changes_go_on_while_files_are_copied(home: Path, tmp_path: Path) -> None:
    pipe, changing = tmp_path / "1.seg", asyncio.Lock()
    os.mkfifo(pipe)
    made, store = backups(home, pipe, 4, changing)
    made.start(tmp_path / "backup")
    await until(lambda: store.links == 1)
    async with asyncio.timeout(5), changing:
        assert made.progress.state == "running"
        assert (tmp_path / "backup" / "home" / "server" / "meta.db").exists(), "it is of the moment in which nothing changed"
        assert store.links == 1, "what is being copied stays"
    await asyncio.to_thread(pipe.write_bytes, b"data")
    assert (await finished(made)).state == "done"
    assert store.links == 0


async def test_a_disk_with_too_little_room_is_refused_before_it_is_filled(home: Path, tmp_path: Path) -> None:
    journal = tmp_path / "1.seg"
    journal.write_bytes(b"data")
    made, _ = backups(home, journal, 1 << 60)
    made.start(tmp_path / "backup")
    progress = await finished(made)
    assert progress.state == "failed"
    assert f"needs {1 << 60} bytes, `{tmp_path / 'backup'}` has room for " in progress.trouble
    assert not (tmp_path / "backup" / "home" / "server" / "journal").exists()


async def test_trouble_of_the_database_ends_a_backup(home: Path, tmp_path: Path) -> None:
    (home / "server" / "meta.db").write_bytes(b"no database at all" * 100)
    made, _ = backups(home, tmp_path / "1.seg", 0)
    made.start(tmp_path / "backup")
    assert await finished(made) == Progress("failed", str(tmp_path / "backup"), 0, "file is not a database")


def test_metadata_in_postgresql_are_refused_rather_than_left_out(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home, database="postgresql://logs@db.example.org/logs")
    made = Backups(settings, Still(tmp_path / "1.seg", 0), asyncio.Lock)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="PostgreSQL") as refused:
        made.start(tmp_path / "backup")
    assert "pg_dump" in refused.value.hint
    assert "docs/howto/metadata-in-postgresql.md" in refused.value.hint
    assert not (tmp_path / "backup").exists()
