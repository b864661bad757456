"""Takes a stored home out of its archive, to another directory, port and file than it was made with."""

import json
import os
import socket
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tailrace.agent.checkpoint.rows import sealed, unsealed
from tailrace.agent.platform import current
from tailrace.inputs.file.generation import stream_key


def unpacked(archive: Path, directory: Path) -> Path:
    """The home in `directory`, with its log file `app.log` beside it. Its checkpoint knows the file where, and as what, it is now."""
    with tarfile.open(archive) as stored:
        stored.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has no filters
        stored.extractall(directory)
    home, log = directory / "home", directory / "app.log"
    document = json.loads((home / "home.json").read_text())
    (formerly,) = document["collect"]
    (home / "home.json").write_text(json.dumps({**document, "port": _free_port(), "collect": [str(log)]}))
    with closing(sqlite3.connect(home / "agent" / "checkpoint.db")) as checkpoint, checkpoint:
        for table in ("configs", "streams", "ranges"):
            _move_rows(checkpoint, table, str(Path(formerly).parent), log)
    return home


def _move_rows(checkpoint: sqlite3.Connection, table: str, formerly: str, log: Path) -> None:
    columns = [column[1] for column in checkpoint.execute(f"PRAGMA table_info({table})")]
    for row in checkpoint.execute(f"SELECT * FROM {table}").fetchall():
        values: dict[str, Any] = dict(zip(columns, unsealed(table, row), strict=False))
        values = {name: value.replace(formerly, str(log.parent)) if isinstance(value, str) else value for name, value in values.items()}
        if table == "streams":
            values["updated"] = int(time.time())  # what nobody touched for 30 days would be forgotten
            values["key"] = values["key"] if values["key"].startswith("scanned:") else _key_of(log)
        fresh = sealed(tuple(values.values()))
        checkpoint.execute(f"DELETE FROM {table} WHERE crc = ?", (row[-1],))
        checkpoint.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(fresh))})", fresh)


def _key_of(log: Path) -> str:
    descriptor = os.open(log, os.O_RDONLY)
    try:
        return stream_key(current().identity(descriptor))
    finally:
        os.close(descriptor)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
