"""The form of a backup: its files, what `backup.json` says of them, and how they are copied.

    DIRECTORY/backup.json    format, and of each file its size and SHA-256; written last, so that without it there is no backup
    DIRECTORY/home/…         what lies in a home: settings, secrets (master key, authority, administrator's key), metadata, journal,
                             what was set aside
    DIRECTORY/tables/N/…     parts of the table of logstore N, and `create.sql`

Whoever can read a backup can read all logs and act as the server: it is for its owner only.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from tailrace.errors import DamagedError, NewerFormatError

FORMAT_VERSION = 1
MANIFEST, HOME, TABLES, PARTS, CREATE = "backup.json", "home", "tables", "parts", "create.sql"
DATABASE, JOURNAL, QUARANTINE, ENGINE = "server/meta.db", "server/journal", "server/quarantine", "server/engine"
CHUNK = 1 << 20


class Copied(msgspec.Struct, array_like=True):
    """A file of a backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct):
    """What `backup.json` says. `made` is in Unix seconds."""

    format: int
    version: str
    made: float
    files: dict[str, Copied] = {}


def check(backup: Path) -> Manifest:
    """That all of it is there as it was written. Raises DamagedError, NewerFormatError."""
    try:
        manifest = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise DamagedError(f"`{backup}` is no finished backup: {error}", hint=f"a backup is whole when it has a `{MANIFEST}`") from error
    if manifest.format > FORMAT_VERSION:
        raise NewerFormatError(f"backup `{backup}` has format {manifest.format}, this release knows up to {FORMAT_VERSION}")
    for name, expected in manifest.files.items():
        path = backup / name
        if not path.resolve().is_relative_to(backup.resolve()):
            raise DamagedError(f"backup `{backup}` names the file `{name}` outside of it")
        if not path.is_file() or digest(path) != expected:
            raise DamagedError(f"`{path}` is not what the backup says that it is", hint="take another backup")
    return manifest


def copy_file(source: Path, target: Path, length: int | None) -> Copied:
    """Its first `length` bytes, durable when it returns."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hashed, size = hashlib.sha256(), 0
    with source.open("rb") as reading, open(target, "xb", opener=_private) as writing:
        for chunk in _chunks(reading, length):
            writing.write(chunk)
            hashed.update(chunk)
            size += len(chunk)
        writing.flush()
        os.fdatasync(writing.fileno())
    return Copied(size, hashed.hexdigest())


def digest(path: Path) -> Copied:
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        for chunk in _chunks(file, None):
            hashed.update(chunk)
            size += len(chunk)
    return Copied(size, hashed.hexdigest())


def _chunks(file: BinaryIO, length: int | None) -> Iterator[bytes]:
    left = length
    while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
        left = None if left is None else left - len(chunk)
        yield chunk


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
