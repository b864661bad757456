-- The agent's checkpoint, format 4. Every row carries the CRC-32 of its other values (rows.py), so that damage shows when it is read.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    crc   INTEGER NOT NULL
) WITHOUT ROWID;

-- Pipeline configs that prepared ranges were made with: a replay uses the same.
CREATE TABLE configs (
    version TEXT PRIMARY KEY,
    text    TEXT NOT NULL,
    crc     INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per (target, input, stream): where its acknowledged prefix ends and what the next range is. `next` is empty where it is as
-- `committed`; where ranges of the stream are prepared, `next` and `next_sequence` are at least what follows from the last of them.
CREATE TABLE streams (
    id            TEXT PRIMARY KEY,
    target        TEXT NOT NULL,
    input         TEXT NOT NULL,
    key           TEXT NOT NULL,
    committed     TEXT NOT NULL,
    next          TEXT NOT NULL,
    next_sequence INTEGER NOT NULL,
    updated       INTEGER NOT NULL,
    crc           INTEGER NOT NULL
) WITHOUT ROWID;

-- Ranges that were prepared and are not acknowledged.
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
    decisions      TEXT NOT NULL, -- JSON list of hexadecimal texts: what processors decided; empty where none did
    crc            INTEGER NOT NULL,
    PRIMARY KEY (stream, sequence)
) WITHOUT ROWID;
