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


RANGES_3 = RANGES_2.replace("    crc ", "    decisions      TEXT NOT NULL,\n    crc ")


def _ranges_know_when_they_were_readable(run: sqlite3.Connection) -> None:
    """1 → 2. What an older release prepared was sent without a rule of age, so that its replay discards nothing either: 0."""
    _add_to_ranges(run, RANGES_2, 0)


def _ranges_know_what_was_decided(run: sqlite3.Connection) -> None:
    """2 → 3. Older releases decided anew at a replay."""
    _add_to_ranges(run, RANGES_3, "")


def _streams_may_be_behind_their_ranges(_run: sqlite3.Connection) -> None:
    """3 → 4. What older releases wrote is understood as it is; they would not understand what is written now."""


def _add_to_ranges(run: sqlite3.Connection, table: str, value: int | str) -> None:
    """Rebuild the table with one more value in each row, before its checksum."""
    rows = [sealed((*unsealed("ranges", row), value)) for row in run.execute("SELECT * FROM ranges")]
    run.execute("DROP TABLE ranges")
    run.execute(table)
    places = ", ".join("?" for _ in run.execute("SELECT * FROM ranges").description)
    run.executemany(f"INSERT INTO ranges VALUES ({places})", rows)  # noqa: S608 - question marks


MIGRATIONS: Sequence[Callable[[sqlite3.Connection], None]] = (
    _ranges_know_when_they_were_readable,
    _ranges_know_what_was_decided,
    _streams_may_be_behind_their_ranges,
)
"""The step at index n leads from format n + 1 to format n + 2."""
