"""Keeps the secrets of access keys: AES-256-GCM under a master key that lies outside the database, in a file for its owner only."""

import os
import secrets
from collections import OrderedDict
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tailrace.errors import DamagedError, StateError
from tailrace.server.auth.private import write_secret

MASTER_KEY_BYTES = 32
NONCE_BYTES = 12
# One decrypted secret per key that signs requests at present; the rest is decrypted again when it comes back.
CACHED_SECRETS = 10_000


class Vault:
    """Encrypts and decrypts secrets; each is bound to the id of its key, so that two rows cannot be exchanged."""

    def __init__(self, master_key: bytes) -> None:
        self._cipher = AESGCM(master_key)
        self._cache: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    def encrypt(self, key_id: str, secret: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), key_id.encode())

    def decrypt(self, key_id: str, sealed: bytes) -> str:
        """Raises DamagedError when `sealed` was not made with this master key for this id."""
        cached = self._cache.get((key_id, sealed))
        if cached is not None:
            self._cache.move_to_end((key_id, sealed))
            return cached
        try:
            secret = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], key_id.encode()).decode()
        except InvalidTag:
            raise DamagedError(
                f"the secret of key `{key_id}` is not of this master key",
                hint="put back the `secret/master.key` of this database",
            ) from None
        self._cache[key_id, sealed] = secret
        if len(self._cache) > CACHED_SECRETS:
            self._cache.popitem(last=False)
        return secret


def open_vault(path: Path, *, create: bool) -> Vault:
    """The vault of the master key in `path`. Without that file it is made when `create` holds, that is when nothing was encrypted yet.

    Raises StateError when it is missing or readable by others, DamagedError when it is no key.
    """
    if not path.exists():
        if not create:
            raise StateError(
                f"the master key `{path}` is missing, the keys in the database cannot be read", hint="put it back from a backup"
            )
        write_secret(path, secrets.token_bytes(MASTER_KEY_BYTES).hex() + "\n")
    if path.stat().st_mode & 0o077:
        raise StateError(f"the master key `{path}` can be read by others", hint=f"chmod 600 {path}")
    try:
        master_key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        master_key = b""
    if len(master_key) != MASTER_KEY_BYTES:
        raise DamagedError(f"`{path}` does not hold a master key: {2 * MASTER_KEY_BYTES} hex digits", hint="put it back from a backup")
    return Vault(master_key)
