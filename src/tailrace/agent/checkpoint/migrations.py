"""From each format of the checkpoint to the next one. A step runs inside the transaction that raises the format's number."""

import sqlite3
from collections.abc import Callable, Sequence

from tailrace.agent.checkpoint.rows import sealed, unsealed

RANGES_2 = """
CREATE TABLE ranges (
    stream         TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    start          INTEGER NOT NULL,
    "end"          INTEGER NOT NULL,
    position       TEXT NOT NULL,
    fingerprint    BLOB NOT NULL,
    config_version TEXT NOT NULL,
    parts          INTEGER NOT NULL,
    readable_at    INTEGER NOT NULL,
    crc            INTEGER NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID
"""


def _ranges_know_when_they_were_readable(run: sqlite3.Connection) -> None:
    """1 → 2. What an older release prepared was sent without a rule of age, so that its replay discards nothing either: 0."""
    rows = [sealed((*unsealed("ranges", row), 0)) for row in run.execute("SELECT * FROM ranges")]
    run.execute("DROP TABLE ranges")
    run.execute(RANGES_2)
    run.executemany("INSERT INTO ranges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


MIGRATIONS: Sequence[Callable[[sqlite3.Connection], None]] = (_ranges_know_when_they_were_readable,)
"""The step at index n leads from format n + 1 to format n + 2."""
