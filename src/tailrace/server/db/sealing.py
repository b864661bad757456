"""What lies encrypted in the metadata database: the secrets of access keys; collection configs and what clients keep here (jobs with
addresses of web hooks, imports with passwords, dashboards), which may hold secrets of other systems; what agents laid down for commands:
lines of logs. All of it is made anew when the master key changes; what an older release left in clear is encrypted."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from tailrace.server.auth.vault import Vault
from tailrace.server.db.tables import CommandResultRow, ConfigVersionRow, DocumentRow, KeyRow

SEALED: Final = "$sealed"
"""The one key of a document that is encrypted."""


def seal_document(vault: Vault, config: int, version: int, document: Mapping[str, Any]) -> dict[str, Any]:
    """A config as it may lie in the database. The order of its keys is kept."""
    return _sealed(vault, _config_place(config, version), document)


def open_document(vault: Vault, row: ConfigVersionRow) -> dict[str, Any]:
    """What was saved. Raises DamagedError when it was encrypted with another master key."""
    return _opened(vault, _config_place(row.config_id, row.version), row.document)


def seal_content(vault: Vault, row: DocumentRow, content: Mapping[str, Any]) -> None:
    """As `content` of a client's document it may lie in the database, likewise."""
    row.document = _sealed(vault, _content_place(row), content)


def open_content(vault: Vault, row: DocumentRow) -> dict[str, Any]:
    """What the client saved. Raises DamagedError when it was encrypted with another master key."""
    return _opened(vault, _content_place(row), row.document)


def seal_result(vault: Vault, command: str, agent: str, result: bytes) -> bytes:
    """What an agent has laid down for a command, as it may lie in the database."""
    return vault.seal(_result_place(command, agent), result)


def open_result(vault: Vault, row: CommandResultRow) -> bytes | None:
    """What the agent laid down, if anything. Raises DamagedError when it was encrypted with another master key."""
    if row.result is None or not row.is_sealed:
        return row.result
    return vault.unseal(_result_place(row.command_id, row.agent_id), row.result)


def seal_clear_documents(session: Session, vault: Vault) -> int:
    """How many versions of configs, documents of clients and results of commands were in clear, and are not any more."""
    configs = [row for row in session.scalars(select(ConfigVersionRow)) if not _is_sealed(row.document)]
    for row in configs:
        row.document = seal_document(vault, row.config_id, row.version, row.document)
    documents = [row for row in session.scalars(select(DocumentRow)) if not _is_sealed(row.document)]
    for row in documents:
        seal_content(vault, row, row.document)
    return len(configs) + len(documents) + _seal_results(session, vault, CommandResultRow.is_sealed.is_(False))


def seal_anew(session: Session, vault: Vault) -> None:
    """Everything, with the newest master key."""
    for key in session.scalars(select(KeyRow)):
        key.secret = vault.encrypt(key.id, vault.decrypt_once(key.id, key.secret))
    for row in session.scalars(select(ConfigVersionRow)):
        row.document = seal_document(vault, row.config_id, row.version, open_document(vault, row))
    for row in session.scalars(select(DocumentRow)):
        seal_content(vault, row, open_content(vault, row))
    _seal_results(session, vault, true())


def _seal_results(session: Session, vault: Vault, which: ColumnElement[bool]) -> int:
    """One after the other: each may have some MB."""
    keys = session.execute(
        select(CommandResultRow.command_id, CommandResultRow.agent_id).where(CommandResultRow.result.is_not(None), which)
    ).all()
    for command, agent in keys:
        row = session.get_one(CommandResultRow, (command, agent))
        row.result, row.is_sealed = seal_result(vault, command, agent, open_result(vault, row) or b""), True
        session.flush()
        session.expunge(row)
    return len(keys)


def _sealed(vault: Vault, place: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {SEALED: base64.b64encode(vault.encrypt(place, json.dumps(document, ensure_ascii=False))).decode()}


def _opened(vault: Vault, place: str, stored: dict[str, Any]) -> dict[str, Any]:
    return json.loads(vault.decrypt_once(place, base64.b64decode(stored[SEALED]))) if _is_sealed(stored) else stored


def _is_sealed(stored: Mapping[str, Any]) -> bool:
    return set(stored) == {SEALED}


def _config_place(config: int, version: int) -> str:
    return f"config/{config}/{version}"


def _result_place(command: str, agent: str) -> str:
    return f"result/{command}/{agent}"


def _content_place(row: DocumentRow) -> str:
    """None of it ever changes."""
    return f"document/{row.project_id}/{row.kind}/{row.name}"
