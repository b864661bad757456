"""What an index is in the engine stands beside its document: what queries use, and what is being built."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("logstores", sa.Column("columns_made", sa.Integer(), server_default="0", nullable=False))
    for name in ("built", "wanted"):
        op.add_column("indexes", sa.Column(name, sa.JSON(), server_default="{}", nullable=False))
    connection = op.get_bind()
    for logstore, number in connection.execute(sa.text("SELECT logstore_id, max(number) FROM index_columns GROUP BY logstore_id")).all():
        _set(connection, "UPDATE logstores SET columns_made = :value WHERE id = :id", logstore, number)
    for logstore, document, without in connection.execute(sa.text("SELECT logstore_id, document, line_without FROM indexes")).all():
        numbers = _numbers(connection, logstore)
        built = json.dumps({"line": _line(_read(document), _read(without)), "fields": _fields(_read(document), numbers)})
        _set(connection, "UPDATE indexes SET built = :value, wanted = :value WHERE logstore_id = :id", logstore, built)
        _set(connection, "UPDATE logstores SET columns_made = :value WHERE id = :id", logstore, max(numbers.values(), default=0) + 1)
    op.drop_table("index_columns")
    with op.batch_alter_table("indexes") as table:
        table.drop_column("line_without")


def _set(connection: sa.Connection, statement: str, logstore: int, value: object) -> None:
    connection.execute(sa.text(statement), {"id": logstore, "value": value})


def _numbers(connection: sa.Connection, logstore: int) -> dict[tuple[str, str], int]:
    found = connection.execute(sa.text('SELECT "key", type, number FROM index_columns WHERE logstore_id = :id'), {"id": logstore})
    return {(key, kind): number for key, kind, number in found}


def _read(value: Any) -> Any:
    """A column of JSON comes as text where the driver does not know its type."""
    return json.loads(value) if isinstance(value, str) else value


def _line(document: dict[str, Any], without: list[str]) -> dict[str, Any] | None:
    line = document.get("line")
    return None if line is None else {**_cutting(line), "without": without, "column": ""}


def _fields(document: dict[str, Any], numbers: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """A part of a JSON field is cut and compared as the field is; in an index of the first release it has no column."""
    found: list[dict[str, Any]] = []
    for key, entry in (document.get("keys") or {}).items():
        common = _cutting(entry)
        found.append({**common, "key": key, "type": entry["type"], "kind": entry["type"], **_shown(entry), "parent": ""})
        parts = (entry.get("json_keys") or {}) if entry["type"] == "json" else {}
        for name, part in parts.items():
            kind = f"json {part['type']}"
            found.append({**common, "key": f"{key}.{name}", "type": part["type"], "kind": kind, **_shown(part), "parent": key})
    numbered = [(numbers.get((field["key"], field.pop("kind"))), field) for field in found]
    return [{**field, "column": f"c{number}"} for number, field in numbered if number is not None]


def _cutting(entry: dict[str, Any]) -> dict[str, Any]:
    case, chinese = bool(entry.get("caseSensitive", False)), bool(entry.get("chn", False))
    return {"tokens": list(entry.get("token") or ()), "case_sensitive": case, "chinese": chinese}


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    return {"doc_value": bool(entry.get("doc_value", False)), "alias": str(entry.get("alias") or "")}
