"""The engine's tables as they are at one moment: frozen as hard links, and put into an empty engine again."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace.errors import EngineError
from tailrace.server.store import schema
from tailrace.server.store.engine import Engine
from tailrace.server.store.port import FrozenTable


@dataclass(frozen=True, slots=True)
class Freezing:
    """Of one engine."""

    engine: Engine

    async def freeze(self, name: str) -> list[FrozenTable]:
        """All tables of ours; their files stay what they are until `forget`. `name` is letters and digits: it names a directory."""
        answer = await self.engine.execute(
            "SELECT name, create_table_query, arrayElement(data_paths, 1) FROM system.tables"  # noqa: S608 - ours
            f" WHERE database = currentDatabase() AND match(name, '^{schema.TABLE_PREFIX}[0-9]+$')"
        )
        found: list[FrozenTable] = []
        for table, create, path in answer.rows:
            counting = "SELECT count() FROM system.parts WHERE active AND table = {table:String}"
            parts = await self.engine.execute(counting, {"table": str(table)})
            await self.engine.execute(f"ALTER TABLE {table} FREEZE WITH NAME '{name}'")
            within = Path(str(path)).relative_to(self.engine.directory.resolve())
            frozen = FrozenTable(schema.logstore_of(str(table)), str(create), self._shadow(name) / within)
            if parts.rows[0][0] and not _parts(frozen.directory):
                raise EngineError(f"the storage engine has frozen nothing of table `{table}`", hint="report this with the server's log")
            found.append(frozen)
        return found

    def forget(self, name: str) -> None:
        shutil.rmtree(self._shadow(name), ignore_errors=True)

    async def thaw(self, table: FrozenTable) -> int:
        """Make the table with the parts in its directory, which are moved; how many rows it has. The engine has no such table yet."""
        await self.engine.execute(table.create)
        name = schema.table_name(table.logstore)
        answer = await self.engine.execute(f"SELECT arrayElement(data_paths, 1) FROM system.tables WHERE name = '{name}'")  # noqa: S608 - ours
        detached = Path(str(answer.rows[0][0])) / "detached"
        parts = _parts(table.directory)
        for part in parts:
            shutil.move(part, detached / part.name)
        for part in parts:
            await self.engine.execute(f"ALTER TABLE {name} ATTACH PART '{part.name}'")
        counted = await self.engine.execute(f"SELECT count() FROM {name}")  # noqa: S608 - ours
        return int(str(counted.rows[0][0]))

    def _shadow(self, name: str) -> Path:
        return self.engine.directory.resolve() / "shadow" / name


def _parts(directory: Path) -> Sequence[Path]:
    """In the order in which they were written: their names are `<day>_<first block>_…`."""
    found = [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
    return sorted(found, key=lambda path: (int(path.name.split("_")[1]), path.name))
