"""Opening the checkpoint, whatever state it is in.

A damaged database never stops the agent: it is set aside as `checkpoint.db.damaged-<time>`, the last online copy or an empty one takes its
place, and the epoch is renewed, because the server may know more of our streams than we do now (DESIGN §4.3, Agent 4). One
that only cannot be used at this moment (locked, a full disk, no permission) is whole: it stays, and the agent tries again later.
"""

import shutil
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tailrace import telemetry
from tailrace.agent.checkpoint.database import Database
from tailrace.agent.checkpoint.rows import Content
from tailrace.errors import DamagedError, StateError
from tailrace.journal import make_directory

NAME = "checkpoint.db"
COPY = "checkpoint.copy.db"

_LOCKED = "another program has it locked: end that one (`fuser FILE` names it)"
_FORBIDDEN = "let this user read and write it, and its directory"
UNUSABLE_NOW = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "look at its disk, which takes no writes",
    sqlite3.SQLITE_NOMEM: "make room in memory",
}
"""What to do, by SQLite's primary result code (sqlite.org/rescode.html): these say nothing of what the file holds."""
UNREADABLE = {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_DATA, sqlite3.SQLITE_IOERR_CORRUPTFS}
"""Extended result codes of a disk that gives back no longer what was written: damage."""


@dataclass(slots=True)
class Opened:
    """An open checkpoint and all that is in it."""

    database: Database
    content: Content


def open_checkpoint(directory: Path, *, expected: bool = False) -> Opened:
    """The checkpoint in `directory`. `expected`: this agent has run before, so that a missing one is a lost one.

    NewerFormatError when a newer release wrote it, StateError when it cannot be used at this moment (another program holds it locked for
    seconds, the disk is full, …); nothing is touched then.
    """
    make_directory(directory)
    path, copy = directory / NAME, directory / COPY
    if path.exists() or not (copy.exists() or expected):
        try:
            return _load(path, rolled_back=False)
        except DamagedError as error:
            reason = str(error)
            _set_aside(path)
    else:
        reason = "it is missing, though this agent has run before"
    if copy.exists():
        try:
            return _fall_back(path, copy, reason)
        except DamagedError as error:
            reason = f"{reason}; the copy: {error}"
            _set_aside(path)
            _set_aside(copy)
    _warn("the checkpoint is lost and there is no copy that can be used: the server is asked where our streams end", path, reason)
    return _load(path, rolled_back=True)


def _load(path: Path, *, rolled_back: bool) -> Opened:
    """DamagedError, StateError, NewerFormatError."""
    try:
        return _read(path, rolled_back=rolled_back)
    except sqlite3.DatabaseError as error:
        remedy = UNUSABLE_NOW.get(error.sqlite_errorcode & 0xFF)
        if remedy is None or error.sqlite_errorcode in UNREADABLE:
            raise DamagedError(str(error)) from error
        raise StateError(f"cannot use the checkpoint `{path}` now: {error}", hint=remedy) from error


def _read(path: Path, *, rolled_back: bool) -> Opened:
    database = Database(path)
    with ExitStack() as undo:
        undo.callback(database.close)
        content = database.load()
        undo.pop_all()
    if rolled_back:
        content.epoch, content.rolled_back = database.renew_epoch(rolled_back=True), True
    return Opened(database, content)


def _fall_back(path: Path, copy: Path, reason: str) -> Opened:
    made = datetime.fromtimestamp(copy.stat().st_mtime, UTC).isoformat(timespec="seconds")
    shutil.copyfile(copy, path)
    opened = _load(path, rolled_back=True)
    _warn(f"the checkpoint is damaged: going on with the copy of {made}", path, reason)
    return opened


def _set_aside(path: Path) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(part.with_name(f"{part.name}.damaged-{stamp}"))


def _warn(message: str, path: Path, reason: str) -> None:
    telemetry.alarm("CHECKPOINT_ALARM", message, path=str(path), reason=reason)
