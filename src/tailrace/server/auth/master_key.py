"""Changes the master key. `order_new` puts a new one before the present one in their file; the next start of the server encrypts everything
anew in one transaction and forgets the old one. A server that dies in between goes on at the start after that."""

from pathlib import Path

from tailrace import telemetry
from tailrace.errors import StateError
from tailrace.server.auth.vault import Vault, open_vault
from tailrace.server.db import roster_statements
from tailrace.server.db.sealing import seal_anew
from tailrace.server.db.transactions import Transactions

MASTER_KEY = "master.key"
"""In the home's `secret` directory."""

log = telemetry.logger("server.vault")


async def open_current_vault(directory: Path, transactions: Transactions) -> Vault:
    """The vault of a database, with a change of its master key brought to its end. Raises StateError, DamagedError."""
    has_keys = await transactions.run(roster_statements.has_keys)
    vault = open_vault(directory / MASTER_KEY, create=not has_keys)
    if vault.changes:
        await transactions.run(seal_anew, vault)
        vault.forget_old_keys()
        log.info("the master key was changed")
    return vault


def order_new(directory: Path) -> None:
    """Raises StateError when there is none, or one that was ordered waits for the server's next start already."""
    vault = open_vault(directory / MASTER_KEY, create=False)
    if vault.changes:
        raise StateError("a new master key waits for the server's next start already", hint="start the server again")
    vault.add_master_key()
