"""Sealing of what lies in the spool: AES-256-GCM with a key that lies elsewhere (`HOME/secret/spool.key`, 0600).

Log lines are worth protecting from whoever gets hold of the state directory alone: a backup, a diagnosis archive, a discarded disk.
"""

import hashlib
import json
import secrets
import zlib
from pathlib import Path
from typing import Final

from tailrace import telemetry
from tailrace.errors import DamagedError, NewerFormatError
from tailrace.journal import write_private

FORMAT: Final = 1
KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
"""Random ones: fit for 2³² records under one key, which is 4 GB of records of one byte."""
KEY_ID_SIZE: Final = 4


class Cipher:
    """Seals and opens. May be used by several threads."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an agent without an outage needs no cryptography

        self._aead = AESGCM(key)
        self.key_id = hashlib.sha256(b"tailrace spool key" + key).digest()[:KEY_ID_SIZE]

    def seal(self, data: bytes, about: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_SIZE)
        return nonce + self._aead.encrypt(nonce, data, about)

    def open(self, data: bytes, about: bytes) -> bytes:
        """DamagedError when it was not sealed so, with this key."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        try:
            return self._aead.decrypt(data[:NONCE_SIZE], data[NONCE_SIZE:], about)
        except (InvalidTag, ValueError) as error:
            raise DamagedError("it cannot be deciphered") from error


def cipher_of(path: Path) -> Cipher:
    """With the key in `path`, made where there is none and durable on return. One that is damaged is set aside, with an alarm.

    NewerFormatError, and OSError when it can be neither read nor made.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        sound = document.pop("crc") == _crc(document)
        if sound and document["format"] <= FORMAT:
            return Cipher(bytes.fromhex(document["key"]))
        reason = "it does not hold what its checksum promises"
    except FileNotFoundError:
        return Cipher(_made(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error)
    else:
        if sound:
            raise NewerFormatError(f"cannot use the key `{path}`: its format {document['format']} is newer than {FORMAT}")
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    message = "the key of the spool cannot be used; what was sealed with it cannot be read, a new one is made"
    telemetry.alarm("ENCRYPT_DECRYPT_FAIL_ALARM", message, path=str(aside), reason=reason)
    return Cipher(_made(path))


def _crc(document: dict[str, object]) -> int:
    return zlib.crc32(json.dumps(document, sort_keys=True).encode())


def _made(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_SIZE)
    document: dict[str, object] = {"format": FORMAT, "key": key.hex()}
    write_private(path, json.dumps({**document, "crc": _crc(document)}))
    return key
