"""Keeps secrets: AES-256-GCM under a master key that lies outside the database, in a file for its owner only.

While the master key is being changed the file holds two, a line each: the new one, which encrypts, and the one before, which decrypts.
"""

import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tailrace.errors import DamagedError, StateError
from tailrace.journal import write_private

MASTER_KEY_BYTES = 32
NONCE_BYTES = 12
SEAL_BYTES = NONCE_BYTES + 16
"""The nonce, and the mark that proves what was sealed."""
# One decrypted secret per key that signs requests at present; the rest is decrypted again when it comes back.
CACHED_SECRETS = 10_000


class Vault:
    """Encrypts and decrypts; each secret is bound to its place (the id of its key), so that two rows cannot be exchanged."""

    def __init__(self, master_keys: Sequence[bytes], path: Path) -> None:
        """The newest master key first; `path` is their file."""
        self._path = path
        self._keys = list(master_keys)
        self._ciphers = [AESGCM(key) for key in master_keys]
        self._cache: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    @property
    def changes(self) -> bool:
        """Whether something may still be encrypted with the master key before."""
        return len(self._keys) > 1

    def encrypt(self, place: str, secret: str) -> bytes:
        return self.seal(place, secret.encode())

    def seal(self, place: str, data: bytes) -> bytes:
        """As `encrypt`, of any bytes. It has SEAL_BYTES more."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, data, place.encode())

    def decrypt(self, place: str, sealed: bytes) -> str:
        """Raises DamagedError when `sealed` was made with another master key or for another place."""
        cached = self._cache.get((place, sealed))
        if cached is not None:
            self._cache.move_to_end((place, sealed))
            return cached
        secret = self.decrypt_once(place, sealed)
        self._cache[place, sealed] = secret
        if len(self._cache) > CACHED_SECRETS:
            self._cache.popitem(last=False)
        return secret

    def decrypt_once(self, place: str, sealed: bytes) -> str:
        """As `decrypt`, of what is not asked for again and again."""
        return self.unseal(place, sealed).decode()

    def unseal(self, place: str, sealed: bytes) -> bytes:
        """What `seal` was given. Raises DamagedError, as `decrypt`."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
            except InvalidTag:
                continue
        raise DamagedError(f"the secret of `{place}` is not of this master key", hint="put back the `secret/master.key` of this database")

    def add_master_key(self) -> None:
        """From now on a new one encrypts. It is on the disk when this returns; the one before stays until `forget_old_keys`."""
        self._replace_keys([secrets.token_bytes(MASTER_KEY_BYTES), *self._keys])

    def forget_old_keys(self) -> None:
        """Everything is encrypted with the newest by now."""
        self._replace_keys(self._keys[:1])

    def _replace_keys(self, keys: list[bytes]) -> None:
        write_private(self._path, "".join(f"{key.hex()}\n" for key in keys))
        self._keys, self._ciphers = keys, [AESGCM(key) for key in keys]


def open_vault(path: Path, *, create: bool) -> Vault:
    """The vault of the master key in `path`. Without that file it is made when `create` holds, that is when nothing was encrypted yet.

    Raises StateError when it is missing or readable by others, DamagedError when it is no key.
    """
    if not path.exists():
        if not create:
            raise StateError(
                f"the master key `{path}` is missing, the keys in the database cannot be read", hint="put it back from a backup"
            )
        write_private(path, secrets.token_bytes(MASTER_KEY_BYTES).hex() + "\n")
    if path.stat().st_mode & 0o077:
        raise StateError(f"the master key `{path}` can be read by others", hint=f"chmod 600 {path}")
    try:
        keys = [bytes.fromhex(line) for line in path.read_text("ascii").split()]
    except ValueError:
        keys = []
    if not keys or any(len(key) != MASTER_KEY_BYTES for key in keys):
        raise DamagedError(f"`{path}` does not hold a master key: {2 * MASTER_KEY_BYTES} hex digits", hint="put it back from a backup")
    return Vault(keys, path)
