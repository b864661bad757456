"""Encrypt fields with AES in CBC mode with PKCS#7 padding; the result is written in lower-case hex.

The key has 16, 24 or 32 bytes, for AES-128, -192 or -256. With one key and IV equal values give equal results, so that they can be searched
for.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline.config import OptionGroup, PluginConfig, Problem, Secret, has_reference, option
from tailrace.pipeline.contract import ProcessorContext
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

BLOCK_BYTES: Final = 16
KEY_BYTES: Final = (16, 24, 32)
ENCRYPT_ERROR: Final = b"ENCRYPT_ERROR"
"""Stands for a value that could not be encrypted (the format's own word)."""


class EncryptionParameters(OptionGroup):
    key: Secret = option(Secret(), doc="The key in hex: 32, 48 or 64 digits.", examples=["${env:LOG_KEY}"])
    iv: str = option("00" * BLOCK_BYTES, key="IV", doc="The initialisation vector in hex: 32 digits.")
    key_file_path: str = option(
        "",
        doc='Path of a JSON file on the agent\'s machine, `{"Key": "…", "IV": "…"}`; what it holds takes the place of `Key` and `IV`.',
        file="read",
        examples=["/etc/tailrace/files/log-key.json"],
    )

    def problems(self) -> Iterator[Problem]:
        key = self.key.reveal()
        if not (key or self.key_file_path):
            yield Problem("Key", "is missing", "give `Key` or `KeyFilePath`")
        if key and not has_reference(key) and _size(key) not in KEY_BYTES:
            yield Problem("Key", "is no key", "a key is 32, 48 or 64 hex digits")
        if not has_reference(self.iv) and _size(self.iv) != BLOCK_BYTES:
            yield Problem("IV", "is no initialisation vector", "it is 32 hex digits")


class EncryptConfig(PluginConfig):
    source_keys: list[str] = option(doc="The fields to encrypt, each in its place.", min_length=1, examples=[["phone", "email"]])
    encryption_parameters: EncryptionParameters = option(doc="Key and initialisation vector.")
    keep_source_value_if_error: bool = option(
        False, doc="Keep a value that cannot be encrypted as it is; otherwise it becomes `ENCRYPT_ERROR`. Either way its event has failed."
    )


@processor("processor_encrypt")
class Encrypt(BatchProcessor[EncryptConfig]):
    Config = EncryptConfig

    def start(self, context: ProcessorContext) -> None:
        super().start(context)
        parameters = self.config.encryption_parameters
        key, iv = parameters.key.reveal(), parameters.iv
        if parameters.key_file_path:
            key, iv = read_key_file(Path(parameters.key_file_path), key, iv)
        self.encrypted = aes_cbc(bytes.fromhex(key), bytes.fromhex(iv))

    def process(self, batch: EventBatch) -> None:
        for name in self.config.source_keys:
            key = name.encode()
            column = batch.column(key)
            made = [None if value is None else self.encrypted(value) for value in column]
            failed = [row for row, (value, new) in enumerate(zip(column, made, strict=True)) if value is not None and new is None]
            for row in failed:
                made[row] = column[row] if self.config.keep_source_value_if_error else ENCRYPT_ERROR
            batch.set_column(key, made)
            self.report_values([b""] * len(failed), f"`{name}` cannot be encrypted")

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKeys": ["phone"], "EncryptionParameters": {"KeyFilePath": "/etc/tailrace/files/log-key.json"}}

    @classmethod
    def example(cls) -> Example:
        key = {"Key": "000102030405060708090a0b0c0d0e0f"}
        config = {"SourceKeys": ["phone"], "EncryptionParameters": key}
        return Example([{"Type": "processor_parse_json_native"}, config], '{"user": "ann", "phone": "555-0100"}\n{"user": "bob"}\n')


def aes_cbc(key: bytes, iv: bytes) -> Callable[[bytes], bytes | None]:
    """What encrypts one value, to hex; None when the library cannot."""
    from cryptography.exceptions import InternalError  # noqa: PLC0415 - loaded when a pipeline needs it
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import CBC  # noqa: PLC0415

    cipher = Cipher(AES(key), CBC(iv))

    def encrypted(value: bytes) -> bytes | None:
        missing = BLOCK_BYTES - len(value) % BLOCK_BYTES
        try:
            encryptor = cipher.encryptor()
            return (encryptor.update(value + bytes([missing]) * missing) + encryptor.finalize()).hex().encode()
        except (InternalError, MemoryError, OverflowError):
            return None

    return encrypted


def read_key_file(path: Path, key: str, iv: str) -> tuple[str, str]:
    """Key and IV of a file, for those it lacks the given ones. Raises ConfigError, which never shows what the file holds."""
    try:
        document: object = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read the key file `{path}`: {(error.strerror or str(error)).lower()}") from error
    except ValueError:
        raise ConfigError(f"the key file `{path}` is not JSON") from None
    found = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    key, iv = str(found.get("Key", key)), str(found.get("IV", iv))
    if _size(key) not in KEY_BYTES or _size(iv) != BLOCK_BYTES:
        raise ConfigError(
            f"the key file `{path}` holds no key", hint='it is `{"Key": "…", "IV": "…"}`: 32, 48 or 64 hex digits, and 32 of them'
        )
    return key, iv


def _size(digits: str) -> int:
    """Bytes that hex digits make; -1 when they are none."""
    try:
        return len(bytes.fromhex(digits)) if len(digits.split()) == 1 else -1
    except ValueError:
        return -1
