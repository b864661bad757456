"""Makes access keys."""

import secrets
import string
import time
from collections.abc import Sequence
from dataclasses import replace

from tailrace.server.auth.vault import Vault
from tailrace.server.db.records import Key

ALPHABET = string.ascii_letters + string.digits
ID_LENGTH = 20
SECRET_LENGTH = 40  # 238 bits


def new_admin_key(vault: Vault) -> tuple[Key, str]:
    """The key and its secret in clear, which is never seen again."""
    key_id, secret = _text(ID_LENGTH), _text(SECRET_LENGTH)
    return Key(key_id, "admin", vault.encrypt(key_id, secret), int(time.time())), secret


def new_agent_key(vault: Vault, agent: str, project: str, logstores: Sequence[str], expires: int) -> tuple[Key, str]:
    """A write-only key for these logstores of one project, bound to the agent. `expires` in Unix seconds."""
    key_id, secret = _text(ID_LENGTH), _text(SECRET_LENGTH)
    sealed, now = vault.encrypt(key_id, secret), int(time.time())
    return Key(key_id, "agent", sealed, now, agent=agent, project=project, logstores=tuple(logstores), expires=expires), secret


def new_user_key(vault: Vault, wanted: Key) -> tuple[Key, str]:
    """`wanted` with an id, and its secret in clear, which is never seen again."""
    key_id = _text(ID_LENGTH)
    sealed, secret = new_secret(vault, key_id)
    return replace(wanted, id=key_id, secret=sealed), secret


def new_secret(vault: Vault, key_id: str) -> tuple[bytes, str]:
    """As it is kept, and in clear."""
    secret = _text(SECRET_LENGTH)
    return vault.encrypt(key_id, secret), secret


def _text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
