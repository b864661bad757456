"""What lies encrypted in the metadata database: the secrets of access keys, and collection configs, which may hold passwords and keys of
other systems. All of it is made anew when the master key changes; configs that an older release left in clear are encrypted."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tailrace.server.auth.vault import Vault
from tailrace.server.db.tables import ConfigVersionRow, KeyRow

SEALED: Final = "$sealed"
"""The one key of a document that is encrypted; no config has it."""


def seal_document(vault: Vault, config: int, version: int, document: Mapping[str, Any]) -> dict[str, Any]:
    """As it may lie in the database. The order of its keys is kept."""
    sealed = vault.encrypt(_place(config, version), json.dumps(document, ensure_ascii=False))
    return {SEALED: base64.b64encode(sealed).decode()}


def open_document(vault: Vault, row: ConfigVersionRow) -> dict[str, Any]:
    """What was saved. Raises DamagedError when it was encrypted with another master key."""
    if row.document.keys() != {SEALED}:
        return row.document
    return json.loads(vault.decrypt_once(_place(row.config_id, row.version), base64.b64decode(row.document[SEALED])))


def seal_clear_documents(session: Session, vault: Vault) -> int:
    """How many versions of configs were in clear, and are not any more."""
    clear = [row for row in session.scalars(select(ConfigVersionRow)) if row.document.keys() != {SEALED}]
    for row in clear:
        row.document = seal_document(vault, row.config_id, row.version, row.document)
    return len(clear)


def seal_anew(session: Session, vault: Vault) -> None:
    """Everything, with the newest master key."""
    for key in session.scalars(select(KeyRow)):
        key.secret = vault.encrypt(key.id, vault.decrypt_once(key.id, key.secret))
    for row in session.scalars(select(ConfigVersionRow)):
        row.document = seal_document(vault, row.config_id, row.version, open_document(vault, row))


def _place(config: int, version: int) -> str:
    return f"config/{config}/{version}"
