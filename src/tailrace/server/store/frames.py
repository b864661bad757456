"""What passes between the server and its engine process: length-prefixed frames over a socket pair.

    frame   header length u32 · payload length u64 · header (msgpack of one of the structs below) · payload     (little-endian)

A payload is rows as JSON lines (answers to queries) or empty; blocks go through files (`BlockFiles`). Nothing is ever unpickled.
"""

import struct
from typing import Literal, TypeAlias

import msgspec

PREFIX = struct.Struct("<IQ")
Pool: TypeAlias = Literal["light", "scan", "analytics", "export", "pull"]
Partial: TypeAlias = Literal["never", "rows", "rows and time"]
"""Which limits end a query with a part of its answer."""


Rank: TypeAlias = Literal["short", "aside", "long"]
"""Who waits for whom: long ones for short ones, never for each other; what is aside waits for none, and none for it."""


class Execute(msgspec.Struct, tag=True, array_like=True):
    """A statement of our own (DDL) that answers with rows."""

    id: int
    sql: str
    parameters: dict[str, str] = {}


class Insert(msgspec.Struct, tag=True, array_like=True):
    """The rows of a block in a file into one table, at most once per token. `fields`: column to type of what it brings along."""

    id: int
    table: str
    token: str
    path: str
    fields: dict[str, str] = {}


class Query(msgspec.Struct, tag=True, array_like=True):
    """A read-only statement on a handle of its own, under limits."""

    id: int
    sql: str
    parameters: dict[str, str]
    dialect: str
    pool: Pool
    seconds: float
    memory: int
    rows: int
    bytes: int
    read_rows: int
    partial: Partial
    threads: int
    query_id: str
    time_zone: str
    rank: Rank = "short"


class Cancel(msgspec.Struct, tag=True, array_like=True):
    id: int
    query_id: str


class Ping(msgspec.Struct, tag=True, array_like=True):
    """Whether the engine still answers; has a thread of its own, so that it never waits behind long statements."""

    id: int


Request: TypeAlias = Execute | Insert | Query | Cancel | Ping


class Answer(msgspec.Struct, array_like=True):
    """To the request with this id; `error` is empty when it went well. Id 0 is the greeting: the engine is open."""

    id: int
    error: str = ""
    code: int = 0
    read_rows: int = 0
    read_bytes: int = 0
    elapsed: float = 0.0


def frame(header: Request | Answer, payload_size: int = 0) -> bytes:
    """The bytes that go before the payload."""
    encoded = msgspec.msgpack.encode(header)
    return PREFIX.pack(len(encoded), payload_size) + encoded
