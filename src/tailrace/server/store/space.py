"""What the events of each logstore take on disk, and which of them go first when that is too much."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tailrace import telemetry
from tailrace.errors import EngineError
from tailrace.server.store import schema
from tailrace.server.store.engine import Engine
from tailrace.server.store.port import Dropped, Usage

_log = telemetry.logger("server.store.space")

_PARTS = (
    "SELECT table, partition_id, name, toUnixTimestamp(modification_time), rows, bytes_on_disk, secondary_indices_compressed_bytes"  # noqa: S608 - ours
    " FROM system.parts WHERE active AND rows > 0 AND database = currentDatabase()"
    f" AND match(table, '^{schema.TABLE_PREFIX}[0-9]+$') ORDER BY table, partition_id, min_block_number"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the engine's with the events of one day of receipt. `written` is in Unix seconds."""

    logstore: int
    day: str
    """As the engine names partitions: `20261123`."""
    name: str
    written: int
    rows: int
    bytes: int
    index_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """What can go at once: a day, or of the newest day of a logstore a part."""

    parts: Sequence[Part]
    part: str = ""
    """Its name, when it is not the whole day."""

    @property
    def age(self) -> tuple[str, int]:
        return self.parts[0].day, self.parts[0].written if self.part else 0

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def dropped(self) -> Dropped:
        first = self.parts[0]
        return Dropped(first.logstore, first.day, sum(part.rows for part in self.parts), self.bytes)

    @property
    def statement(self) -> str:
        what = f"PART '{self.part}'" if self.part else f"PARTITION ID '{self.parts[0].day}'"
        return f"ALTER TABLE {schema.table_name(self.parts[0].logstore)} DROP {what}"


class Space:
    """Of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def usage(self) -> dict[int, Usage]:
        """By logstore; those without events are left out."""
        parts = await self._parts()
        return {logstore: _usage(list(own)) for logstore, own in groupby(parts, lambda part: part.logstore)}

    async def trim(self, bounds: Mapping[int, int], whole: int) -> list[Dropped]:
        """Drop the oldest events of logstores above their bound of bytes, then of all while these are above `whole`; 0 is no bound.

        A part may have been merged meanwhile: then its logstore keeps what is newer, too, until the next time."""
        dropped: list[Dropped] = []
        stopped: set[int] = set()
        for unit in excess(await self._parts(), bounds, whole):
            gone = unit.dropped
            if gone.logstore in stopped:
                continue
            try:
                await self._engine.execute(unit.statement)
            except EngineError as error:
                stopped.add(gone.logstore)
                _log.warning("cannot drop the oldest events of a logstore now", logstore=gone.logstore, reason=error.message[:500])
            else:
                dropped.append(gone)
        return dropped

    async def _parts(self) -> list[Part]:
        rows = (await self._engine.execute(_PARTS)).rows
        return sorted(map(_part, rows), key=lambda part: (part.logstore, part.day))


def excess(parts: Sequence[Part], bounds: Mapping[int, int], whole: int) -> list[Unit]:
    """`parts` by logstore, day and block: a merged part is new and stands in its old place. The newest part of a logstore always stays."""
    units = {logstore: list(_units(list(own))) for logstore, own in groupby(parts, lambda part: part.logstore)}
    sizes = {logstore: sum(part.bytes for part in own) for logstore, own in groupby(parts, lambda part: part.logstore)}
    found: list[Unit] = []
    for logstore, bound in bounds.items():
        gone = _beyond(units.get(logstore, []), sizes.get(logstore, 0), bound)
        units[logstore] = units.get(logstore, [])[len(gone) :]
        found += gone
    left = sum(sizes.values()) - sum(unit.bytes for unit in found)
    return found + _beyond(heapq.merge(*units.values(), key=lambda unit: unit.age), left, whole)


def _part(row: Sequence[object]) -> Part:
    table, day, name, *numbers = map(str, row)
    return Part(schema.logstore_of(table), day, name, *map(int, numbers))


def _units(parts: Sequence[Part]) -> Iterator[Unit]:
    """Of one logstore, the oldest first."""
    newest = parts[-1].day
    for day, own in groupby(parts, lambda part: part.day):
        if day != newest:
            yield Unit(list(own))
        else:
            yield from (Unit([part], part.name) for part in list(own)[:-1])


def _beyond(units: Iterable[Unit], size: int, bound: int) -> list[Unit]:
    gone: list[Unit] = []
    for unit in units:
        if not bound or size <= bound:
            break
        gone.append(unit)
        size -= unit.bytes
    return gone


def _usage(parts: Sequence[Part]) -> Usage:
    return Usage(
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        index_bytes=sum(part.index_bytes for part in parts),
        oldest_day=parts[0].day,
    )
