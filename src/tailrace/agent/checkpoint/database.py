"""The checkpoint's SQLite file: write-ahead log, synchronous=FULL, one connection.

Layout: schema.sql. Every commit is durable when it returns; there is nothing half in it.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from tailrace.agent.checkpoint.migrations import MIGRATIONS
from tailrace.agent.checkpoint.rows import Content, StreamRow, Values, range_of, sealed, unsealed
from tailrace.errors import DamagedError, NewerFormatError

FORMAT = 4
EPOCH_SIZE = 16
WAL_PAGES = 4000
"""So many pages (16 MB) gather before they go into the file: with thousands of files at work a commit changes a thousand of them, the same
ones again and again."""
ROWS_AT_ONCE = 50
ROLLED_BACK = "rolled back"
CAUGHT_UP = "caught up"
"""Names of the targets whose server has been asked since the checkpoint was rolled back, and whose inputs know the answer; JSON."""
MISSING = "missing since"
"""Targets that do not exist, with the time since when (Unix seconds); JSON."""
FORMAT_NAME = "format"
"""The number of the format, once more and with a checksum: a flipped bit makes no newer release."""


class ForRows(NamedTuple):
    """A statement that works on one row, or on many of them at once."""

    head: str
    row: str
    between: str = ", "

    def of(self, count: int) -> str:
        return self.head + self.between.join([self.row] * count)


PUT_META = ForRows("INSERT OR REPLACE INTO meta VALUES ", "(?, ?, ?)")
PUT_CONFIG = ForRows("INSERT OR REPLACE INTO configs VALUES ", "(?, ?, ?)")
PUT_STREAM = ForRows("INSERT OR REPLACE INTO streams VALUES ", "(?, ?, ?, ?, ?, ?, ?, ?, ?)")
PUT_RANGE = ForRows("INSERT OR REPLACE INTO ranges VALUES ", "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
DROP_RANGE = ForRows("DELETE FROM ranges WHERE ", "(stream = ? AND sequence = ?)", " OR ")
DROP_STREAM = ForRows("DELETE FROM streams WHERE ", "id = ?", " OR ")
DROP_STREAM_RANGES = ForRows("DELETE FROM ranges WHERE ", "stream = ?", " OR ")
DROP_UNUSED_CONFIGS = "DELETE FROM configs WHERE version NOT IN (SELECT config_version FROM ranges)"


class Database:
    """An open checkpoint. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it when there is none. sqlite3.DatabaseError or DamagedError when it cannot be used, NewerFormatError."""
        self.path = path
        fresh = not path.exists()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        with ExitStack() as undo:
            undo.callback(self._connection.close)
            path.chmod(0o600)
            # The home has one owner (its lock): with the file held exclusively no commit pays for locking it.
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            if fresh:
                self._create()
                _sync(path.parent)  # SQLite leaves the name of a new file to the system
            if (version := self._format()) < FORMAT:
                self._migrate(version)
            undo.pop_all()

    def _create(self) -> None:
        schema = resources.files(__name__.rpartition(".")[0]).joinpath("schema.sql").read_text(encoding="utf-8")
        self._connection.executescript(f"BEGIN;\n{schema}\nPRAGMA user_version={FORMAT};")
        self._run(PUT_META, [sealed((FORMAT_NAME, str(FORMAT).encode()))])
        self._connection.execute("COMMIT")

    def _format(self) -> int:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT and self._meta().get(FORMAT_NAME) not in (None, str(version).encode()):
            raise DamagedError(f"the checkpoint `{self.path}` names two formats")
        if version > FORMAT:
            raise NewerFormatError(
                f"cannot use the checkpoint `{self.path}`: its format {version} is newer than {FORMAT}, which this release knows",
                hint="run the newer release again, or start with another home",
            )
        if version < 1:
            raise DamagedError(f"the checkpoint `{self.path}` has no format version")
        return int(version)

    def _migrate(self, version: int) -> None:
        """Bring an older format forward, in one transaction, after a copy that the older release can go on with."""
        self.copy(self.path.with_name(f"{self.path.stem}.format-{version}.db"))
        run = self._connection
        run.execute("BEGIN IMMEDIATE")
        for step in MIGRATIONS[version - 1 :]:
            step(run)
        self._run(PUT_META, [sealed((FORMAT_NAME, str(FORMAT).encode()))])
        run.execute(f"PRAGMA user_version={FORMAT}")
        run.execute("COMMIT")

    def _meta(self) -> dict[str, bytes]:
        return dict(unsealed("meta", row) for row in self._connection.execute("SELECT * FROM meta"))

    def load(self) -> Content:
        """Everything, checked row by row. A new checkpoint gets its epoch here."""
        check = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if check != "ok":
            raise DamagedError(f"the checkpoint `{self.path}` is damaged: {check}")
        meta = self._meta()
        epoch = meta.get("epoch")
        content = Content(epoch or self.renew_epoch(rolled_back=False), rolled_back=bool(meta.get(ROLLED_BACK)))
        content.caught_up = json.loads(meta.get(CAUGHT_UP) or b"[]")
        content.missing = json.loads(meta.get(MISSING) or b"{}")
        if len(content.epoch) != EPOCH_SIZE:
            raise DamagedError(f"the checkpoint `{self.path}` has no epoch")
        self._connection.execute(DROP_UNUSED_CONFIGS)
        content.configs = dict(unsealed("configs", row) for row in self._connection.execute("SELECT * FROM configs"))
        for row in self._connection.execute("SELECT * FROM streams"):
            stream = StreamRow.of(row)
            content.streams[stream.id] = stream
        for row in self._connection.execute("SELECT * FROM ranges ORDER BY stream, sequence"):
            prepared = range_of(row)
            content.ranges.setdefault(prepared.stream, []).append(prepared)
            if (row_of := content.streams.get(prepared.stream)) is not None:
                row_of.goes_on_behind(prepared)
        return content

    def renew_epoch(self, *, rolled_back: bool) -> bytes:
        """A new random epoch, durable on return. `rolled_back` stays set until `caught_up`."""
        epoch = secrets.token_bytes(EPOCH_SIZE)
        meta = {"epoch": epoch, ROLLED_BACK: b"1" if rolled_back else b"", CAUGHT_UP: b""}
        self._run(PUT_META, [sealed(item) for item in meta.items()])
        return epoch

    def fork(self, targets: Iterable[str]) -> None:
        """The server has other data under our identities: a new epoch, and the streams of these targets go back to what is acknowledged.

        One transaction; load the content again afterwards.
        """
        content = self.load()
        rows = [row for row in content.streams.values() if row.target in set(targets)]
        for row in rows:
            row.next = row.committed
        self._connection.execute("BEGIN IMMEDIATE")
        self._run(DROP_STREAM_RANGES, [(row.id,) for row in rows])
        self._run(PUT_STREAM, [row.values() for row in rows])
        self.renew_epoch(rolled_back=True)
        self._connection.execute("COMMIT")

    def commit(
        self,
        *,
        configs: Mapping[str, str],
        streams: Sequence[Values],
        prepared: Sequence[Values],
        acknowledged: Sequence[tuple[str, int]],
        forgotten: Iterable[str],
        notes: Mapping[str, bytes],
    ) -> None:
        """One transaction. `forgotten` streams go with their ranges, before anything else is done."""
        run = self._connection
        run.execute("BEGIN IMMEDIATE")
        try:
            gone = [(id_,) for id_ in forgotten]  # first: what else is said of such a stream is about the one that came after it
            self._run(DROP_STREAM, gone)
            self._run(DROP_STREAM_RANGES, gone)
            self._run(PUT_CONFIG, [sealed(item) for item in configs.items()])
            self._run(PUT_RANGE, prepared)
            self._run(DROP_RANGE, acknowledged)
            self._run(PUT_STREAM, streams)
            self._run(PUT_META, [sealed(item) for item in notes.items()])
            run.execute("COMMIT")
        except sqlite3.DatabaseError:
            if run.in_transaction:
                run.execute("ROLLBACK")
            raise

    def _run(self, statement: ForRows, rows: Sequence[Values]) -> None:
        """Many rows by one statement: each gives the interpreter away and has to get it back, whatever it does in between."""
        whole = len(rows) - len(rows) % ROWS_AT_ONCE
        for begin in range(0, whole, ROWS_AT_ONCE):
            self._connection.execute(statement.of(ROWS_AT_ONCE), [*chain.from_iterable(rows[begin : begin + ROWS_AT_ONCE])])
        self._connection.executemany(statement.of(1), rows[whole:])

    def copy(self, path: Path) -> None:
        """Write a consistent copy to `path`, durable on return. An older copy stays until the new one is whole."""
        unfinished = path.with_name(f"{path.name}.tmp")
        unfinished.unlink(missing_ok=True)
        target = sqlite3.connect(unfinished)
        try:
            self._connection.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        finally:
            target.close()
        unfinished.chmod(0o600)
        _sync(unfinished)
        unfinished.replace(path)
        _sync(path.parent)

    def close(self) -> None:
        self._connection.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
