"""How a table is changed: what is new is added beside what there is and filled, what is not wanted any more goes last.

Each step is one ALTER, which the engine takes as a whole or not at all, and follows from what the table really holds. So a step that was
interrupted is finished by doing it again, and at no moment does a table lack what queries use.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailrace.server.store import schema
from tailrace.server.store.engine_settings import literal
from tailrace.server.store.port import TableSpec

_OF_COLUMNS, _OF_INDEXES = "^([cl][0-9]+|rest)$", "^i_([cl][0-9]+|line)$"
"""Names that come and go with indexes."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a table has beside its base."""

    comment: str
    columns: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()
    settings: frozenset[str] = frozenset()


def held_statement(logstore: int | None = None) -> str:
    """Rows for `held`: of one table, or of all of ours."""
    tables = f"^{schema.TABLE_PREFIX}{'[0-9]+' if logstore is None else logstore}$"
    return (
        f"SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND match(name, '{tables}')"  # noqa: S608 - all of it is ours
        " UNION ALL SELECT table, concat('c', name) FROM system.columns"
        f" WHERE database = currentDatabase() AND match(table, '{tables}') AND match(name, '{_OF_COLUMNS}')"
        " UNION ALL SELECT table, concat('i', name) FROM system.data_skipping_indices"
        f" WHERE database = currentDatabase() AND match(table, '{tables}') AND match(name, '{_OF_INDEXES}')"
        " UNION ALL SELECT name, concat('s', arrayJoin(extractAll(engine_full, '(\\\\w+) = '))) FROM system.tables"
        f" WHERE database = currentDatabase() AND match(name, '{tables}')"
    )


def held(rows: Iterable[Sequence[object]]) -> dict[int, Held]:
    """By logstore. Comments are JSON objects, so that their first character tells them from names."""
    found: dict[int, dict[str, set[str]]] = {}
    for table, what in rows:
        text = str(what)
        kind, name = (text[0], text[1:]) if text[:1] in ("c", "i", "s") else ("", text)
        found.setdefault(schema.logstore_of(str(table)), {}).setdefault(kind, set()).add(name)
    return {
        logstore: Held("".join(has.get("", ())), *(frozenset(has.get(kind, ())) for kind in ("c", "i", "s")))
        for logstore, has in found.items()
    }


def widen(table: TableSpec, has: Held) -> list[str]:
    """Statements after which the table holds what `table` needs, beside what else it has; and keeps rows as long as that says."""
    before = schema.parse_comment(schema.table_name(table.logstore), has.comment)
    outdated = [name for name in _outdated(table, has) if name in has.indexes]
    changes = [f"DROP INDEX IF EXISTS {name}" for name in outdated]
    changes += [f"ADD COLUMN IF NOT EXISTS {column}" for name, column in schema.columns_of(table).items() if name not in has.columns]
    changes += [
        f"ADD {index.replace('INDEX', 'INDEX IF NOT EXISTS', 1)}"
        for name, index in schema.indexes_of(table).items()
        if name not in has.indexes or name in outdated
    ]
    first, retention = _retention(before, table)
    settings = _alter(table, [f"MODIFY SETTING {setting}" for setting in schema.missing_settings(has.settings)])
    if not changes and not retention and before == table:
        return settings
    # A TTL is a list to the engine's parser: nothing may follow it.
    return [*settings, *_alter(table, first), *_alter(table, [*changes, f"MODIFY COMMENT '{literal(schema.comment(table))}'", *retention])]


def fill(table: TableSpec, beside: TableSpec | None) -> list[str]:
    """What has to be made of rows that are there, as an ALTER says it: of all that `table` has and `beside` has not."""
    old_columns, old_indexes = (schema.columns_of(beside), schema.indexes_of(beside)) if beside is not None else ({}, {})
    columns = [name for name, column in schema.columns_of(table).items() if name not in old_columns and " MATERIALIZED " in column]
    indexes = [name for name in schema.indexes_of(table) if name not in old_indexes]
    return [*(f"MATERIALIZE COLUMN {name}" for name in columns), *(f"MATERIALIZE INDEX {name}" for name in indexes)]


def narrow(tables: Sequence[TableSpec], has: Held) -> list[str]:
    """Statements that take away what none of `tables`, all of one logstore, needs. What is left of it on disk goes in the background."""
    columns = has.columns.difference(*map(schema.columns_of, tables))
    indexes = has.indexes.difference(*map(schema.indexes_of, tables))
    changes = [
        *(f"DROP INDEX IF EXISTS {name}" for name in sorted(indexes)),
        *(f"DROP COLUMN IF EXISTS {name}" for name in sorted(columns)),
    ]
    return _alter(tables[0], changes)


def _alter(table: TableSpec, changes: Sequence[str]) -> list[str]:
    """In force when it returns; what it makes of parts on disk goes on in the background."""
    return [f"ALTER TABLE {schema.table_name(table.logstore)} {', '.join(changes)} SETTINGS alter_sync = 0"] if changes else []


def _outdated(table: TableSpec, has: Held) -> list[str]:
    """Up to format 1 Chinese text was indexed in another way: those indexes are made anew, under their names."""
    if schema.format_of(has.comment) > 1:
        return []
    chinese = [schema.line_index_name(table.line)] if table.line is not None and table.line.chinese else []
    return chinese + [f"i_{index.column}" for index in table.fields if index.chinese]


def _retention(old: TableSpec, new: TableSpec) -> tuple[list[str], list[str]]:
    """What has to be said beforehand, and what goes together with the comment."""
    if old.ttl_days == new.ttl_days:
        return [], []
    if new.ttl_days < schema.FOREVER_DAYS:
        return [], [f"MODIFY TTL {schema.ttl(new)}"]
    # Removing a TTL that an interrupted run has removed already is an error to the engine: put one there first.
    return ([f"MODIFY TTL {schema.ttl(old)}"], ["REMOVE TTL"]) if old.ttl_days < schema.FOREVER_DAYS else ([], [])
