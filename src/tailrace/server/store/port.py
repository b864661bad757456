"""The store as the rest of the server sees it: what is written, what is asked, and what every adapter promises.

`tests/integration/store/conformance.py` holds an adapter to these promises.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from tailrace.pipeline.contract import Identity
from tailrace.server.store.frames import Partial, Pool
from tailrace.server.store.gaps import Check
from tailrace.server.store.turns import Use
from tailrace.wire.identity import StoredEnd

TAG_PREFIX = "__tag__:"
"""Before a tag's name where fields and tags stand side by side: in queries and in an index."""

Compression: TypeAlias = Literal["none", "lz4", "zstd", "deflate"]


@dataclass(frozen=True, slots=True)
class FieldIndex:
    """One indexed field of a logstore. `column` is opaque (`c17`) and never reused, so that names cannot collide nor types mix."""

    column: str
    key: str
    type: Literal["text", "long", "double", "json"]
    tokens: tuple[str, ...] = ()
    case_sensitive: bool = False
    chinese: bool = False
    doc_value: bool = True
    alias: str = ""
    parent: str = ""
    """Key of the JSON field that this is a part of; `key` is then `<parent>.<path>`, the path with a dot between its names."""

    @property
    def path(self) -> tuple[str, ...]:
        """The names that lead to it within `parent`."""
        return tuple(self.key.removeprefix(f"{self.parent}.").split(".")) if self.parent else ()


@dataclass(frozen=True, slots=True)
class LineIndex:
    """Full text over all values (SLS `line`)."""

    tokens: tuple[str, ...]
    case_sensitive: bool = False
    chinese: bool = False
    without: tuple[str, ...] = ()
    """Keys whose values it leaves to their own indexes, which cut and compare alike: a word anywhere is asked of all (docs/adr/0008)."""
    column: str = ""
    """Opaque (`l18`) and never reused, like that of a field; empty for the first line index of a logstore."""
    only: tuple[str, ...] = ()
    """The keys whose values it is over; empty: all but those of `excluded`. A word anywhere is not looked for in any other."""
    excluded: tuple[str, ...] = ()

    def covers(self, key: str) -> bool:
        """Whether a word anywhere may be in the values of this key."""
        return key in self.only if self.only else key not in self.excluded


@dataclass(frozen=True, slots=True)
class Indexes:
    """Those of a logstore."""

    line: LineIndex | None = None
    fields: tuple[FieldIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A logstore as the engine has to hold it. `logstore` is its opaque id: the table is `ls_<id>`."""

    logstore: int
    ttl_days: int
    shards: int = 2
    line: LineIndex | None = None
    fields: tuple[FieldIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """One log group as it came over the wire."""

    body: bytes
    compression: Compression
    raw_size: int
    agent: str = ""
    """Id of the agent whose key signed the request; "" for keys of any other kind, whose packages are never de-duplicated."""
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class ShardRange:
    """A shard that takes writes: those with keys from `begin` on, up to where the next one begins."""

    id: int
    begin: int


@dataclass(frozen=True, slots=True)
class Frontier:
    """How far a shard can be read: all rows before `row` and all groups before `group` are readable, or were set aside. Of those behind it
    some may be readable and others not yet. `end`: the number after the newest durable group. `final`: everything is readable, and nothing
    on its way."""

    row: int = 0
    group: int = 0
    end: int = 0
    final: bool = True


@dataclass(frozen=True, slots=True)
class Write:
    """One request: all of its packages or none."""

    table: TableSpec
    packages: Sequence[Package]
    hash_key: str | None = None
    """32 hex digits when the writer chose the shard, else the store balances; packages of one stream go to one shard."""
    request_id: str = ""
    window: tuple[float, float] | None = None
    """Seconds (before, after) now that event times may lie in, else the whole write is refused. None (agents, imports): all are stored, and
    those more than 15 min ahead get the tag `__time_ahead__`, the seconds they are ahead by."""
    admit: Callable[[Sequence[Package], Sequence[int]], None] | None = None
    """Asked, with the packages that are new and the shard of each, before they are looked into; what it raises refuses the write."""
    shards: Callable[[], Sequence[ShardRange]] | None = None
    """Asked at the moment when the shards are chosen: those that take writes, by `begin`, the first from 0 on. None: `table.shards` even
    ones. What was chosen before an answer changed is on its way (`Frontier.final`)."""


class Committed(enum.Enum):
    NEW = "new"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may use. `pool` names its limit class; each has its own handles."""

    pool: Pool = "light"
    seconds: float = 30.0
    memory: int = 1 << 30
    rows: int = 1_000_000
    bytes: int = 0
    """Of the answer, as the engine holds it; 0 is no bound."""
    read_rows: int = 0
    """Rows that it may read; 0 is no bound."""
    partial: Partial = "never"
    """What ends a query with what it has found by then (`Rows.partial`), its `read_rows` or its seconds too; else it fails."""
    at_once: int = 0
    """How many queries of its tenant may run at the same time in its pool; 0: as many as one tenant can have."""


@dataclass(frozen=True, slots=True)
class EngineQuery:
    """One read-only statement. `parameters` are bound by the engine (`{name:Type}`), never pasted into the text."""

    sql: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    dialect: Literal["clickhouse", "trino"] = "clickhouse"
    limits: Limits = Limits()
    query_id: str = ""
    tenant: str = ""
    """The project that asks: projects take turns. "" is the server itself."""
    time_zone: str = "UTC"
    """Zone of functions and literals of time that name none, an IANA name."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Answer of the engine: column names, engine type names (`Nullable(Int64)`), and rows of Python values.

    Strings are str, or bytes where they are not UTF-8; times are the engine's text (`2026-01-02 03:04:05.000000000`); maps are dicts,
    of a key that repeats only the last value is there (ask for mapKeys() and mapValues() to see all); what is no finite number is text:
    `nan`, `inf`, `-inf`.
    """

    columns: list[str]
    types: list[str]
    rows: list[tuple[object, ...]]
    read_rows: int = 0
    read_bytes: int = 0
    elapsed: float = 0.0
    size: int = 0
    """Bytes of the answer as it came."""
    partial: bool = False
    """Whether this is what had been found when time or rows were used up (`Limits.partial`)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a store held when it was opened: all ids of logstores."""

    tables: frozenset[int] = frozenset()
    """Those that have a table, named to `open` or not."""
    highest: int = 0
    """The highest one that a table or the journal knows, be it dropped; 0 in a new store. What is numbered above it inherits nothing."""
    unfinished: frozenset[int] = frozenset()
    """Those whose index on its way is not there yet, or whose old one is: to be widened and narrowed again."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How far new indexes have come with rows that were there before them."""

    rows: int = 0
    """That are to be indexed, all in all."""
    done: int = 0
    trouble: str = ""
    """Why it does not go on at present."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a logstore's events take on disk, in bytes; `index_bytes` of them text indexes."""

    rows: int = 0
    bytes: int = 0
    index_bytes: int = 0
    oldest_day: str = ""
    """Of receipt, in UTC: `20260131`."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Events of one logstore, received on one day, that had to go."""

    logstore: int
    day: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FrozenTable:
    """A logstore's table at one moment: how it was made, and the directory with its parts."""

    logstore: int
    create: str
    directory: Path


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store at one moment. Its files do not change; of those of the journal the first `length` bytes count."""

    tables: Sequence[FrozenTable]
    journal: Sequence[tuple[Path, int]]
    quarantine: Path
    """What was set aside: a directory, not there when that is nothing."""


class Store(Protocol):
    """Guarantees: `commit` returns after the write is durable; a repeat of a committed identity is DUPLICATE and stores nothing; rows of a
    committed write are readable within seconds, once each, whatever was killed in between."""

    async def open(self, tables: Sequence[TableSpec], building: Sequence[TableSpec] = ()) -> Found:
        """`tables`, and those in `building` beside them, are made or changed to hold what these name and no other index; tables that
        are not named stay as they are. Raises where an index that is in use cannot be made; others can wait (`Found.unfinished`)."""
        ...

    async def close(self) -> None: ...
    async def create(self, table: TableSpec) -> None: ...
    async def widen(self, table: TableSpec) -> None:
        """Make what is new in `table`, all at once, beside what there is, and keep rows for as long as it says. Queries may use either
        from then on; where rows from before are not indexed yet they are read one by one, with the same result."""
        ...

    async def fill(self, table: TableSpec, beside: TableSpec, note: Callable[[Filling], None]) -> None:
        """Index the rows that are there by what `table` has and `beside` has not; `note` hears how it goes. Goes on where it was
        interrupted; one that is cancelled is given up by `narrow`."""
        ...

    async def narrow(self, table: TableSpec) -> None:
        """Take away all indexes but those of `table`, once no query runs that was asked before."""
        ...

    async def drop(self, logstore: int) -> None: ...
    async def usage(self) -> dict[int, Usage]:
        """By logstore, of what has come into the engine; without those that have nothing there."""
        ...

    async def trim(self, bounds: Mapping[int, int], whole: int) -> list[Dropped]:
        """Drop the oldest events of each logstore above its bound of bytes, then the oldest of all while they are above `whole` (0: no
        bound). Days go as a whole, of the newest one of a logstore as little as the engine can; what came last always stays."""
        ...

    def snapshot(self, also: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[Snapshot]:
        """All that is acknowledged at one moment, in tables, journal or aside, each event once; what `also` reads is of the same moment.
        Writes are taken all the while. Raises BusyError where blocks cannot be inserted. The files are there within the context."""
        ...

    async def commit(self, write: Write) -> list[Committed]:
        """One answer per package. Nothing is stored when it raises DecodeError (bad body), ForkError, BusyError (back-pressure, full disk),
        ApiError PostBodyInvalid (outside `window`) or StateError (the journal cannot go on)."""
        ...

    async def query(self, query: EngineQuery) -> Rows:
        """Raises EngineError with the engine's message and code."""
        ...

    async def cancel(self, query_id: str) -> None: ...
    def use(self) -> Mapping[str, Mapping[str, Use]]:
        """By limit class and project: queries that run, and that wait for their turn."""
        ...

    async def flush(self) -> None:
        """Return when everything committed so far is readable (tests, clean shutdown)."""
        ...

    async def frontier(self, logstore: int, shard: int) -> Frontier:
        """Ask it before the rows: what it promises holds from then on."""
        ...

    async def stream_ends(self, agent: str, epoch: bytes | None = None) -> dict[str, StoredEnd]:
        """Per stream of an agent, the end of the stored prefix and its last range, for an agent that lost its checkpoint."""
        ...

    async def stored_ranges(self, agent: str, epoch: bytes, stream: int) -> list[tuple[int, int]]:
        """The ranges `[start, end)` of a stream that are stored whole, for an agent that cannot read one of them again."""
        ...

    async def check(self, table: TableSpec) -> Check:
        """Which numbers of shards and sequences of streams are not there, of what has to be readable by now. Raises EngineError, and
        BusyError when too many others ask."""
        ...

    def health(self) -> dict[str, object]:
        """`engine` up/restarting, journal backlog in bytes, oldest record not yet in the engine in seconds."""
        ...
